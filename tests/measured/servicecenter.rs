//! Service-center: asked at its default interval.

use std::time::Duration;

use causeway_test_support::http_client;
use serde_json::json;

use super::first_copy;
use super::memory::{self, HEAVIEST, two_thousand};
use super::polling::Poller;
use super::propagation::{self, Changes, Told};
use super::servicecenter_harness::{ServiceCenterHarness, registration};
use crate::conformance::stories::put_all;
use crate::conformance::{Harness, Inst, Patterns, Running};

/// What becomes of the interval at most where 2,000 services are watched.
const STRETCHED: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_a_change_takes() {
    let harness = ServiceCenterHarness::plain().await;
    let namespace = harness.namespace().await;
    let interval = harness.settings.poll_interval;
    propagation("servicecenter", &harness, &namespace, interval).await;
}

/// A round takes longer then, and the rest after it: that much longer on a machine that has other things to do.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_a_change_takes_among_two_thousand() {
    let harness = ServiceCenterHarness::plain().await;
    let namespace = harness.namespace().await;
    put_all(&harness, &namespace, &two_thousand()).await;
    propagation("servicecenter, among 2,000 services", &harness, &namespace, STRETCHED).await;
}

async fn propagation(name: &str, harness: &ServiceCenterHarness, namespace: &str, interval: Duration) {
    let orders = Inst::new("orders", "10.0.0.1", 80);
    harness.put(namespace, &orders).await;
    let running = Running::start(harness.route().await, Patterns::of(namespace, &["*"]), namespace);
    running.complete(harness.limit()).await;
    let version = registration(namespace, &orders).service.version;
    let service = json!({ "appId": namespace, "serviceName": "orders", "version": version });
    let path = "v4/default/registry/instances/action?type=query";
    let url = format!("http://{}/{path}", running.proxies[0].address());
    let question = http_client().post(url).json(&json!({ "services": [{ "service": service, "rev": "" }] }));
    let bare = Poller(question.header("X-Domain-Name", "default"));
    let changes = Changes { count: 200, apart: interval };
    propagation::measure(name, Told::Polled(interval), changes, &running, (harness, &orders), bare).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_two_thousand_services_cost() {
    let harness = ServiceCenterHarness::plain().await;
    let registry = format!("type: servicecenter, addresses: [\"{}\"]", harness.address);
    memory::measure("servicecenter", &harness, &registry, &two_thousand(), HEAVIEST).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_the_first_copy_takes() {
    let harness = ServiceCenterHarness::plain().await;
    let registry = format!("type: servicecenter, addresses: [\"{}\"]", harness.address);
    first_copy::measure("servicecenter", |_| registry.clone(), "default", str::to_owned).await;
}
