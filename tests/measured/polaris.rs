//! Polaris: the stand-in, which loads what it shows once a second, as the server does.

use std::time::Duration;

use causeway_test_support::http_client;
use causeway_test_support::polaris::PolarisStandIn;
use serde_json::json;

use super::first_copy;
use super::memory::{self, HEAVIEST, two_thousand};
use super::polaris_harness::PolarisHarness;
use super::polling::Poller;
use super::propagation::{self, Changes, Told};
use crate::conformance::{Harness, Inst, Patterns, Running};

/// Between two questions about one service, where few are watched.
const INTERVAL: Duration = Duration::from_millis(250);
/// Of the server's cache.
const LOADED_EVERY: Duration = Duration::from_secs(1);

/// Of millions of questions none is kept.
async fn harness() -> PolarisHarness {
    PolarisHarness::with(PolarisStandIn::builder().counts_only()).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_a_change_takes() {
    let (harness, orders) = (harness().await, Inst::new("orders", "10.0.0.1", 80));
    let namespace = harness.namespace().await;
    harness.put(&namespace, &orders).await;
    harness.settled().await;
    let running = Running::start(harness.route().await, Patterns::of(&namespace, &["orders"]), &namespace);
    running.complete(harness.limit()).await;
    let question = json!({ "type": "INSTANCE", "service": { "namespace": namespace, "name": "orders" } });
    let url = format!("http://{}/v1/Discover", running.proxies[0].address());
    let bare = Poller(http_client().post(url).json(&question));
    let changes = Changes { count: 100, apart: LOADED_EVERY };
    propagation::measure("polaris", Told::Polled(INTERVAL), changes, &running, (&harness, &orders), bare)
        .await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_two_thousand_services_cost() {
    let harness = harness().await;
    let registry = format!("type: polaris, addresses: [\"{}\"]", harness.server.address());
    memory::measure("polaris", &harness, &registry, &two_thousand(), HEAVIEST).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_the_first_copy_takes() {
    let harness = harness().await;
    let registry = format!("type: polaris, addresses: [\"{}\"]", harness.server.address());
    first_copy::measure("polaris", |_| registry.clone(), "default", str::to_owned).await;
}
