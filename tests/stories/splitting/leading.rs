//! When a service is led over to its split, and back.

use causeway_test_support::kong::{Fault, Kind, KongStandIn, Scope};
use http::Method;

use super::{HOLD, SPLIT, document, fleet, until_part};
use crate::stage::{Stage, instance, note_orphans};

#[tokio::test]
async fn a_split_that_is_taken_away_leads_back_to_default_before_its_upstream_goes() {
    let stage = Stage::new().await;
    let orphans = note_orphans(&stage.kong);
    stage.register("orders", fleet(2, 1));
    stage.ready(&document("", HOLD)).await.stop().await;
    let leads_to =
        |kong: &KongStandIn| kong.entity(Kind::Services, "r.default.orders").unwrap()["host"].clone();
    assert_eq!(leads_to(&stage.kong), "r.default.orders.default");
    let deployment = stage.ready(&document("split: { v1: 1, v2: 1 }", HOLD)).await;
    assert_eq!(leads_to(&stage.kong), SPLIT, "led over when it was filled");
    deployment.stop().await;
    let deployment = stage.ready(&document("", HOLD)).await;
    stage.until("it leads back", |kong| leads_to(kong) == "r.default.orders.default").await;
    stage.until("the split has gone", |kong| kong.entity(Kind::Upstreams, SPLIT).is_none()).await;
    assert_eq!(*orphans.lock().unwrap(), [""; 0]);
    deployment.stop().await;
}

#[tokio::test]
async fn a_service_is_not_led_to_a_split_that_could_not_be_filled() {
    let stage = Stage::new().await;
    stage.register("orders", [instance("10.0.9.1")].into_iter().chain(fleet(1, 1)));
    stage.ready(&document("", HOLD)).await.stop().await;
    stage.kong.reset_counts();
    let posts = Scope::On(Method::POST, format!("/upstreams/{SPLIT}/targets"));
    stage.kong.faults().chance(posts, 1.0, Fault::Status(500));
    let deployment = stage.deploy(&document("split: { v1: 1, v2: 1 }", HOLD));
    deployment.until("it fails", |status| !status.tasks[0].failing.is_empty()).await;
    let service = stage.kong.entity(Kind::Services, "r.default.orders").unwrap();
    assert_eq!(service["host"], "r.default.orders.default");
    stage.kong.faults().clear();
    until_part(&stage, 0.5).await;
    stage
        .until("it leads there now", |kong| {
            kong.entity(Kind::Services, "r.default.orders").unwrap()["host"] == SPLIT
        })
        .await;
    deployment.stop().await;
}
