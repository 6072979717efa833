//! Nodes without a database that are slow to answer, or whose answers are lost: an older document never takes the place of
//! a newer one.

use std::time::Duration;

use causeway_gateways::{Gateway as _, KongGateway};
use causeway_test_support::kong::{Fault, KongStandIn, Scope};
use reqwest::Method;
use serde_json::json;

use crate::support::kong::{counts, documents, load, tended, until, without_database};
use crate::support::{context, converge, desired, everything, turn};

const UP: &str = "ins-1.default.orders.default";
const OLD: &[(&str, u32)] = &[("10.0.0.1:80", 1), ("10.0.0.2:80", 1)];
const NEW: &[(&str, u32)] = &[("10.0.0.1:80", 9)];

/// Longer than a node that is not at work may take to say how it is.
const SLOW: Duration = Duration::from_secs(4);

fn status() -> Scope {
    Scope::On(Method::GET, "/status".into())
}

fn config() -> Scope {
    Scope::On(Method::POST, "/config".into())
}

fn theirs(retries: u32) -> serde_json::Value {
    json!({
        "_format_version": "3.0",
        "services": [{ "name": "theirs", "host": "example.com", "retries": retries }],
    })
}

/// Whether a node has this document of somebody else's, and beside it what is ours.
fn holds(kong: &KongStandIn, retries: u32) -> bool {
    let stands = |service: &serde_json::Value| service["name"] == "theirs" && service["retries"] == retries;
    counts(kong).0 == 2 && kong.services().iter().any(stands)
}

fn looks(kong: &KongStandIn) -> usize {
    kong.requests().iter().filter(|request| request.path == "/status" && request.status == Some(200)).count()
}

/// A node that holds the old state, which was put there from here.
async fn with_old(kong: &KongStandIn) -> KongGateway {
    load(kong, &theirs(1));
    let gateway = KongGateway::new(without_database([kong])).unwrap();
    let context = context("task", "orders");
    let old = desired(&context, "orders", &[("default", OLD)]);
    converge(&gateway, &[(context, old)], 3).await.unwrap();
    assert_eq!(documents(kong).len(), 1);
    gateway
}

fn has_new(kong: &KongStandIn) -> bool {
    kong.weights(UP).into_iter().eq([("10.0.0.1:80".to_owned(), 9)])
}

#[tokio::test]
async fn a_node_that_is_slow_after_a_load_has_taken_it_whether_it_said_so_or_not() {
    for is_lost in [false, true] {
        let kong = KongStandIn::builder().db_less().start().await;
        let gateway = with_old(&kong).await;
        let context = context("task", "orders");
        let mut world = gateway.read(&everything()).await.unwrap();
        // The look before the load; the check after it.
        kong.faults().next(status(), None);
        kong.faults().next(status(), Fault::Slow(SLOW));
        if is_lost {
            kong.faults().next(config(), Fault::LostAnswer);
        }
        let new = desired(&context, "orders", &[("default", NEW)]);
        let (_, applied) = turn(&gateway, &mut world, &context, &new).await;
        assert!(applied.failed.is_empty(), "{:?}", applied.failed);
        assert_eq!((kong.faults().pending(), documents(&kong).len()), (0, 2));
        assert!(has_new(&kong) && gateway.nodes()[0].trouble.is_none());
    }
}

#[tokio::test]
async fn a_document_that_was_given_up_and_has_arrived_stays_and_the_one_before_does_not_come_back() {
    let kong = KongStandIn::builder().db_less().start().await;
    let gateway = with_old(&kong).await;
    let context = context("task", "orders");
    let mut world = gateway.read(&everything()).await.unwrap();
    kong.faults().next(status(), None);
    kong.faults().next(status(), Fault::Status(503));
    kong.faults().next(config(), Fault::LostAnswer);
    let new = desired(&context, "orders", &[("default", NEW)]);
    let (plan, applied) = turn(&gateway, &mut world, &context, &new).await;
    assert_eq!((applied.done.len(), applied.failed.len()), (0, plan.changes.len()));
    assert!(has_new(&kong), "nobody could say so");

    let seen = looks(&kong);
    tended(&gateway, until(|| looks(&kong) >= seen + 3)).await;
    assert!(has_new(&kong));
    assert_eq!(documents(&kong).len(), 2, "nothing is sent again");
    // Who tries again finds it done.
    assert_eq!(converge(&gateway, &[(context, new)], 1).await.unwrap().0, 0);
    assert_eq!((documents(&kong).len(), holds(&kong, 1)), (2, true));
}

#[tokio::test]
async fn an_older_document_of_ours_that_comes_late_is_nobodys_wish() {
    let kong = KongStandIn::builder().db_less().start().await;
    let gateway = with_old(&kong).await;
    let context = context("task", "orders");
    let states = [(context.clone(), desired(&context, "orders", &[("default", NEW)]))];
    converge(&gateway, &states, 3).await.unwrap();
    let older = documents(&kong)[0].body.clone();
    assert_eq!(kong.direct(&Method::POST, "/config", &json!({ "config": older })).0, 201);
    assert!(!has_new(&kong));
    tended(&gateway, until(|| has_new(&kong))).await;
    let world = gateway.read(&everything()).await.unwrap();
    assert_eq!(world.upstream(UP).unwrap().targets.as_ref().unwrap().len(), 1);
    assert_eq!(converge(&gateway, &states, 1).await.unwrap().0, 0);
}

#[tokio::test]
async fn what_somebody_loads_into_a_node_that_is_slow_meanwhile_is_taken_over() {
    let kong = KongStandIn::builder().db_less().start().await;
    let gateway = with_old(&kong).await;
    kong.faults().next(status(), Fault::Slow(SLOW));
    load(&kong, &theirs(3));
    tended(&gateway, until(|| holds(&kong, 3))).await;
    assert_eq!((kong.faults().pending(), kong.weights(UP).len()), (0, 2));
}
