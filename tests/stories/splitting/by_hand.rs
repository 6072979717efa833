//! The page on splitting and the command line.

use causeway_test_support::kong::KongStandIn;

use super::SPLIT;
use crate::program::{Desk, Services};

/// The first block of this language after this text in the page on splitting.
fn block(language: &str, after: &str) -> String {
    let page = include_str!("../../../docs/splitting.md");
    let rest = page.split_once(after).unwrap_or_else(|| panic!("{after} is not in the page")).1;
    let block = rest.split_once(&format!("```{language}\n")).unwrap().1;
    block.split_once("```").unwrap().0.to_owned()
}

#[tokio::test]
async fn the_worked_example_comes_out_as_the_page_says() {
    let desk = Desk::new(KongStandIn::start().await, "").await;
    let mut orders: Vec<(String, &'static str)> = (1..5).map(|n| (format!("10.0.1.{n}"), "v1")).collect();
    orders.push(("10.0.2.1".to_owned(), "v2"));
    desk.write(&Services::from([("orders".to_owned(), orders.clone())]));
    let entry = block("yaml", "## A worked example");
    let entry = entry.trim().trim_start_matches("- ");
    desk.configure(
        r#"{ namespace: default, service: "*", groups: [ { name: v1, metadata: { version: "1" } } ] }"#,
        entry,
    );
    assert_eq!(desk.told(&["sync"]).await.0, Some(0));
    let weights = desk.kong.weights(SPLIT);
    assert_eq!(weights.values().copied().collect::<Vec<_>>(), [2380, 2380, 2380, 2380, 476]);

    desk.configure("v1: 95, v2: 5", "v1: 80, v2: 20");
    assert_eq!(desk.told(&["plan"]).await, (Some(0), block("text", "80 and 20")));
    assert_eq!(desk.told(&["sync"]).await.0, Some(0));
    orders.pop();
    desk.write(&Services::from([("orders".to_owned(), orders)]));
    let (code, text) = desk.told(&["plan"]).await;
    assert_eq!((code, text), (Some(0), block("text", "the only instance of v2 goes")));
}

#[tokio::test]
async fn a_pass_with_an_instance_in_two_groups_is_done_and_fails_with_both_names() {
    let desk = Desk::new(KongStandIn::start().await, "").await;
    desk.configure(r#"groups: [ {"#, r#"split: { all: 10, v1: 90 }, groups: [ { name: all }, {"#);
    desk.write(&Services::from([("orders".to_owned(), vec![("10.0.1.1".to_owned(), "1")])]));
    let (code, text) = desk.told(&["sync"]).await;
    assert_eq!(code, Some(1), "{text}");
    let told = "failed: default/orders: 10.0.1.1:8080 is in two groups of the split, all and v1;";
    assert!(text.contains(told), "{text}");
    assert_eq!(desk.kong.weights(SPLIT).len(), 1);
}
