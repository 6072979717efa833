//! Eureka: asked at its default interval.

use causeway::registries::eureka::EurekaSettings;
use causeway_test_support::eureka::EurekaOptions;
use causeway_test_support::http_client;
use futures::stream::{self, StreamExt as _};

use super::eureka_harness::EurekaHarness;
use super::first_copy;
use super::memory::{self, two_thousand};
use super::polling::Poller;
use super::propagation::{self, Changes, Told};
use crate::conformance::{Harness, Inst, Patterns, Running};

/// In MB. Less is required of registries that push only; this one is read as a whole each 30 s.
const HEAVIEST: f64 = 80.0;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_a_change_takes() {
    let harness = EurekaHarness::start(EurekaOptions::default()).await;
    let (namespace, orders) = (harness.namespace().await, Inst::new("orders", "10.0.0.1", 80));
    harness.put(&namespace, &orders).await;
    let settings = EurekaSettings::default();
    let interval = settings.poll_interval;
    let route = harness.route_with(settings).await;
    let running = Running::start(route, Patterns::of(&namespace, &["orders"]), &namespace);
    running.complete(harness.limit()).await;
    let url = format!("http://{}/eureka/apps/delta", running.proxies[0].address());
    let bare = Poller(http_client().get(url).header("Accept", "application/json"));
    let changes = Changes { count: 40, apart: interval };
    propagation::measure("eureka", Told::Polled(interval), changes, &running, (&harness, &orders), bare)
        .await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_two_thousand_services_cost() {
    let harness = EurekaHarness::start(EurekaOptions::default()).await;
    let registry = format!("type: eureka, addresses: [\"{}\"]", harness.address);
    memory::measure("eureka", &harness, &registry, &two_thousand(), HEAVIEST).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_the_first_copy_takes() {
    // A registry is read whole, with all that earlier rounds have left and that lapses there meanwhile.
    let servers =
        stream::iter(0..first_copy::PLACES).then(|_| EurekaHarness::start(EurekaOptions::default()));
    let servers: Vec<EurekaHarness> = servers.collect().await;
    let registry = |place: usize| format!("type: eureka, addresses: [\"{}\"]", servers[place].address);
    first_copy::measure("eureka", registry, "default", str::to_owned).await;
}
