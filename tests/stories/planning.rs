//! What the commands that look say, and what they leave alone.

use causeway_test_support::kong::{Kind, KongStandIn};
use serde_json::{Value, json};

use crate::program::{Desk, Services};

fn example() -> Services {
    let at = |host: &str, version| (host.to_owned(), version);
    Services::from([(
        "orders".to_owned(),
        vec![at("10.0.0.1", "1"), at("10.0.0.2", "1"), at("10.0.0.3", "2")],
    )])
}

#[tokio::test]
async fn a_plan_says_what_a_pass_then_does_and_touches_nothing() {
    let desk = Desk::new(KongStandIn::start().await, "").await;
    desk.write(&example());
    let (code, text) = desk.told(&["plan", "--exit-code"]).await;
    assert_eq!(code, Some(3), "{text}");
    assert!(
        text.contains(
            "plan: 8 to create, 0 to change, 0 to remove; 0 held, 0 conflicts, 0 services not read"
        ),
        "{text}"
    );
    for object in [
        "+ service r.default.orders: ",
        "+ upstream r.default.orders.default: ",
        "+ upstream r.default.orders.v1: ",
        "+ target 10.0.0.3:8080 of upstream r.default.orders.default (weight 100): ",
    ] {
        assert!(text.contains(object), "{object} is missing in\n{text}");
    }
    assert_eq!(desk.told(&["plan"]).await.0, Some(0), "only --exit-code tells differences by code");
    assert_eq!(desk.kong.writes(), 0);

    let (code, text) = desk.told(&["sync"]).await;
    assert_eq!((code, text.trim()), (Some(0), "sync: 1 services, 8 changes made"));
    let (code, text) = desk.told(&["plan", "--exit-code"]).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("plan: 0 to create, 0 to change, 0 to remove"), "{text}");
}

#[tokio::test]
async fn a_plan_names_removals_first_and_conflicts_apart() {
    let desk = Desk::new(KongStandIn::start().await, "").await;
    desk.write(&example());
    assert_eq!(desk.told(&["sync"]).await.0, Some(0));
    let mut services = example();
    services.insert("stock".to_owned(), vec![("10.0.1.1".to_owned(), "1")]);
    services.get_mut("orders").unwrap()[0] = ("10.0.0.4".to_owned(), "2");
    desk.write(&services);
    desk.kong.seed(Kind::Services, &json!({ "name": "r.default.stock", "host": "example.org" }));

    let (code, text) = desk.told(&["plan", "--output", "json", "--exit-code"]).await;
    assert_eq!(code, Some(3), "{text}");
    let plan: Value = serde_json::from_str(&text).unwrap();
    let of = |index: usize, what: &str| plan["tasks"][0]["services"][index][what].clone();
    let told = |index: usize| {
        let changes = of(index, "changes");
        let each = changes.as_array().unwrap().iter();
        each.map(|it| format!("{} {}", it["operation"], it["object"]).replace('"', "")).collect::<Vec<_>>()
    };
    assert_eq!(
        told(0),
        [
            "create target 10.0.0.4:8080 of upstream r.default.orders.default",
            "delete target 10.0.0.1:8080 of upstream r.default.orders.default",
            "delete target 10.0.0.1:8080 of upstream r.default.orders.v1",
        ]
    );
    assert_eq!(of(1, "conflicts")[0]["object"], "service r.default.stock");
    let (_, text) = desk.told(&["plan", "--service", "default/orders"]).await;
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("    ")).collect();
    assert!(lines[0].starts_with("    - ") && lines[1].starts_with("    - "), "{text}");
    assert!(!text.contains("stock"), "{text}");
    let (code, text) = desk.told(&["sync"]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("conflict: default/stock: service r.default.stock: somebody else made it"),
        "{text}"
    );
}
