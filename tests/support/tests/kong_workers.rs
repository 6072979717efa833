//! The stand-in's workers err as the real ones did.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use axum::http::Method;
use causeway_test_support::kong::{Kind, KongStandIn, Unserved, Workers};
use serde_json::{Value, json};

const LATENESS: Duration = Duration::from_secs(5);

/// A service that leads to the upstream `old`, beside an upstream `new`.
async fn scene() -> (KongStandIn, Workers) {
    let kong = KongStandIn::start().await;
    for name in ["old", "new"] {
        kong.seed(Kind::Upstreams, &json!({ "name": name }));
        kong.seed_target(name, &json!({ "target": "10.0.0.1:80" }));
    }
    kong.seed(Kind::Services, &json!({ "name": "orders", "host": "old" }));
    let workers = kong.start_workers(4, LATENESS, 1);
    assert_eq!(workers.request("orders").unwrap(), "old");
    (kong, workers)
}

fn change(kong: &KongStandIn, method: Method, path: &str, body: Value) {
    let (status, answer) = kong.direct(&method, path, &body);
    assert!(status < 300, "{answer}");
}

fn move_to_new(kong: &KongStandIn) {
    change(kong, Method::PATCH, "/services/orders", json!({ "host": "new" }));
}

#[tokio::test(start_paused = true)]
async fn workers_disagree_until_all_have_changed_over() {
    let (kong, workers) = scene().await;
    move_to_new(&kong);
    let mut seen = Vec::new();
    for _ in 0..500 {
        seen.push(workers.request("orders").unwrap());
        tokio::time::advance(LATENESS / 400).await;
    }
    let first_new = seen.iter().position(|host| host == "new").unwrap();
    assert!(seen[first_new..].contains(&"old".to_owned()), "one was later than another");
    assert!(seen[400..].iter().all(|host| host == "new"));
    assert!(workers.outages().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_upstream_deleted_right_after_its_service_has_left_it_is_missed() {
    let (kong, workers) = scene().await;
    move_to_new(&kong);
    change(&kong, Method::DELETE, "/upstreams/old", Value::Null);
    workers.catch_up();
    let at_once = workers.outages();
    workers.settle().await;
    let outages = workers.outages();
    assert_eq!(at_once.len(), outages.len(), "to wait brings no others");
    assert!(outages.iter().any(|it| it.answer == Unserved::NameResolutionFailed && it.host == "old"));
    assert_eq!(workers.request("orders").unwrap(), "new", "that passes");
}

#[tokio::test(start_paused = true)]
async fn one_deleted_when_all_have_changed_over_is_not() {
    let (kong, workers) = scene().await;
    move_to_new(&kong);
    tokio::time::advance(LATENESS).await;
    change(&kong, Method::DELETE, "/upstreams/old", Value::Null);
    workers.settle().await;
    assert!(workers.outages().is_empty(), "{:?}", workers.outages());
}

#[tokio::test(start_paused = true)]
async fn the_wrong_order_of_writes_is_missed_too() {
    let (kong, workers) = scene().await;
    change(&kong, Method::PATCH, "/services/orders", json!({ "host": "newest" }));
    kong.seed(Kind::Upstreams, &json!({ "name": "newest" }));
    tokio::time::advance(LATENESS).await;
    assert_eq!(workers.request("orders"), Err(Unserved::NoPeer), "its targets come last");
    kong.seed_target("newest", &json!({ "target": "10.0.0.2:80" }));
    workers.settle().await;
    assert_eq!(workers.request("orders").unwrap(), "newest");
    let answers: Vec<Unserved> = workers.outages().into_iter().map(|outage| outage.answer).collect();
    assert!(answers.contains(&Unserved::NoPeer), "{answers:?}");
    assert_eq!(workers.request("nobody"), Err(Unserved::NoRoute));
}
