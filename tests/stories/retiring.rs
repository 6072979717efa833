//! What is no longer wanted goes late, and never while anybody uses it.

use std::time::Duration;

use causeway_test_support::kong::{Kind, KongStandIn, Operation};
use http::Method;
use serde_json::{Value, json};

use crate::document::Document;
use crate::stage::{Deployment, Stage, instance, note_orphans, of_version};

const RETIRE_AFTER: Duration = Duration::from_secs(1);
const UPSTREAM: &str = "r.default.orders.default";

fn document(service: &str, groups: &str) -> String {
    document_retiring_after("1s", service, groups)
}

fn document_retiring_after(retire_after: &str, service: &str, groups: &str) -> String {
    let entry = &format!(r#"namespace: default, service: "{service}", groups: [ {groups} ]"#);
    Document { retire_after, entry, ..Document::default() }.text()
}

const V1: &str = r#"{ name: v1, metadata: { version: "1" } }"#;
const V2: &str = r#"{ name: v2, metadata: { version: "2" } }"#;

async fn with_orders(stage: &Stage, document: &str) -> Deployment {
    stage.register("orders", [of_version("10.0.0.1", "1"), of_version("10.0.0.2", "2")]);
    stage.register("stock", [instance("10.0.1.1")]);
    stage.ready(document).await
}

/// When an entity of this name was deleted.
fn deleted(kong: &KongStandIn, kind: Kind, name: &str) -> Option<tokio::time::Instant> {
    let gone = |it: &&causeway_test_support::kong::Commit| {
        it.kind == kind && it.operation == Operation::Deleted && it.entity()["name"] == name
    };
    kong.commits().iter().find(gone).map(|commit| commit.at)
}

fn has(kong: &KongStandIn, kind: Kind, name: &str) -> bool {
    kong.entity(kind, name).is_some()
}

/// Waits until status tells why something stays.
async fn until_kept(deployment: &Deployment, object: &str, why: &str) {
    let what = format!("{object} stays, since {why}");
    deployment
        .until(&what, |status| {
            status.tasks[0].waiting.iter().any(|it| it.object == object && it.reason.contains(why))
        })
        .await;
}

#[tokio::test]
async fn a_service_that_no_entry_fits_any_more_goes_and_its_upstream_later() {
    let stage = Stage::new().await;
    let orphans = note_orphans(&stage.kong);
    with_orders(&stage, &document("*", "")).await.stop().await;
    stage.kong.reset_counts();
    let deployment = stage.deploy(&document("stock", ""));
    stage
        .until("its objects are gone", |kong| kong.upstreams().len() == 1 && kong.services().len() == 1)
        .await;
    let service = deleted(&stage.kong, Kind::Services, "r.default.orders").unwrap();
    let upstream = deleted(&stage.kong, Kind::Upstreams, UPSTREAM).unwrap();
    assert!(upstream - service >= RETIRE_AFTER - Duration::from_millis(100), "{:?}", upstream - service);
    assert!(has(&stage.kong, Kind::Services, "r.default.stock"));
    deployment.after_audits(2).await;
    assert_eq!(stage.writes().len(), 2, "its targets go with it: {:?}", stage.writes());
    assert_eq!(*orphans.lock().unwrap(), [""; 0]);
    deployment.stop().await;
}

#[tokio::test]
async fn a_group_that_was_removed_takes_its_upstream_with_it_and_nothing_else() {
    let stage = Stage::new().await;
    with_orders(&stage, &document("orders", &format!("{V1}, {V2}"))).await.stop().await;
    stage.kong.reset_counts();
    let started = tokio::time::Instant::now();
    let deployment = stage.deploy(&document("orders", V1));
    stage.until("it is gone", |kong| !has(kong, Kind::Upstreams, "r.default.orders.v2")).await;
    assert!(deleted(&stage.kong, Kind::Upstreams, "r.default.orders.v2").unwrap() - started >= RETIRE_AFTER);
    deployment.after_audits(2).await;
    assert_eq!(stage.writes().len(), 1, "{:?}", stage.writes());
    stage.until_targets("r.default.orders.v1", &["10.0.0.1:8080"]).await;
    deployment.stop().await;
}

#[tokio::test]
async fn a_service_gone_from_the_registry_goes_after_the_hold_and_one_that_is_empty_stays() {
    let stage = Stage::new().await;
    let orphans = note_orphans(&stage.kong);
    let deployment = with_orders(&stage, &document("*", "")).await;
    stage.kong.reset_counts();
    stage.register("stock", []);
    stage.until_targets("r.default.stock.default", &[]).await;
    stage.deregister("orders");
    stage.until("it is gone", |kong| !has(kong, Kind::Upstreams, UPSTREAM)).await;
    let service = deleted(&stage.kong, Kind::Services, "r.default.orders").unwrap();
    let upstream = deleted(&stage.kong, Kind::Upstreams, UPSTREAM).unwrap();
    assert!(upstream - service >= RETIRE_AFTER - Duration::from_millis(100));
    deployment.after_audits(5).await;
    assert!(has(&stage.kong, Kind::Upstreams, "r.default.stock.default"), "listed, though it is empty");
    assert!(has(&stage.kong, Kind::Services, "r.default.stock"));
    assert_eq!(*orphans.lock().unwrap(), [""; 0]);
    deployment.stop().await;
}

#[tokio::test]
async fn a_service_that_comes_back_in_time_keeps_its_upstream() {
    // Long enough to come back within it on a slow machine.
    const LONG: Duration = Duration::from_secs(10);
    let stage = Stage::new().await;
    let document = document_retiring_after("10s", "*", "");
    let deployment = with_orders(&stage, &document).await;
    let id = stage.kong.entity(Kind::Upstreams, UPSTREAM).unwrap()["id"].clone();
    stage.deregister("orders");
    stage.until("its service is gone", |kong| !has(kong, Kind::Services, "r.default.orders")).await;
    stage.register("orders", [instance("10.0.0.7")]);
    stage.until_targets(UPSTREAM, &["10.0.0.7:8080"]).await;
    stage.until("its service is back", |kong| has(kong, Kind::Services, "r.default.orders")).await;
    tokio::time::sleep(LONG).await;
    deployment.after_audits(2).await;
    assert_eq!(stage.kong.entity(Kind::Upstreams, UPSTREAM).unwrap()["id"], id);
    deployment.stop().await;
}

#[tokio::test]
async fn what_others_use_stays_is_told_and_goes_when_they_have_left() {
    let stage = Stage::new().await;
    let orphans = note_orphans(&stage.kong);
    let kong = &stage.kong;
    let deployment = with_orders(&stage, &document("*", "")).await;
    kong.seed(Kind::Services, &json!({ "name": "theirs", "host": UPSTREAM }));
    let route = json!({ "name": "way", "paths": ["/s"], "service": { "name": "r.default.stock" } });
    kong.seed(Kind::Routes, &route);
    stage.deregister("orders");
    until_kept(&deployment, &format!("upstream {UPSTREAM}"), "service theirs leads to it").await;
    stage.deregister("stock");
    until_kept(&deployment, "service r.default.stock", "route way leads to it").await;
    until_kept(&deployment, "upstream r.default.stock.default", "stays, and may use it").await;
    tokio::time::sleep(RETIRE_AFTER).await;
    deployment.after_audits(2).await;
    assert!(has(kong, Kind::Upstreams, UPSTREAM) && has(kong, Kind::Services, "r.default.stock"));

    let delete = |path: &str| assert_eq!(kong.direct(&Method::DELETE, path, &Value::Null).0, 204);
    delete("/services/theirs");
    kong.seed_target(UPSTREAM, &json!({ "target": "192.0.2.1:80" }));
    until_kept(&deployment, &format!("upstream {UPSTREAM}"), "somebody else put target 192.0.2.1:80").await;
    delete(&format!("/upstreams/{UPSTREAM}/targets/192.0.2.1:80"));
    delete("/routes/way");
    stage.until("nothing is left", |kong| kong.upstreams().is_empty() && kong.services().is_empty()).await;
    deployment.until("nothing is told", |status| status.tasks[0].waiting.is_empty()).await;
    assert_eq!(*orphans.lock().unwrap(), [""; 0]);
    deployment.stop().await;
}
