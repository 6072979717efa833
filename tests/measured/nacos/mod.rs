//! Nacos, which gathers changes for its default time before it pushes them.

mod bare;

use std::time::Duration;

use causeway::registries::nacos::NacosSettings;
use causeway_test_support::nacos::{NacosOptions, NacosServer};

use super::first_copy;
use super::memory::{self, HEAVIEST, two_thousand};
use super::nacos_harness::NacosHarness;
use super::propagation::{Changes, Samples, Told};
use crate::conformance::{Harness, Inst, Patterns, Running};
pub use bare::Bare;

/// The server's own default.
const PUSH_DELAY: Duration = Duration::from_millis(500);
const ROUNDS: usize = 10;
const CHANGES: Changes = Changes { count: 12, apart: Duration::from_millis(60) };

pub async fn start() -> (NacosServer, NacosHarness) {
    let options = NacosOptions { push_delay: PUSH_DELAY, ..NacosOptions::default() };
    let server = NacosServer::start(options).await.unwrap();
    let (ports, http) = (server.ports(), server.http());
    (server, NacosHarness { ports, http, settings: NacosSettings::default() })
}

/// The server pushes to one subscriber after the other, in an order that depends on their connections: so each round has new ones.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_a_change_takes() {
    let (_server, harness) = start().await;
    let orders = Inst::new("orders", "10.0.0.1", 80);
    let mut samples = Samples::default();
    for _ in 0..ROUNDS {
        let namespace = harness.namespace().await;
        harness.put(&namespace, &orders).await;
        let running =
            Running::start(harness.route().await, Patterns::of(&namespace, &["orders"]), &namespace);
        running.complete(harness.limit()).await;
        let [_, grpc] = running.proxies.as_slice() else { panic!("one way for HTTP and one for gRPC") };
        let bare = Bare::subscribe(&grpc.address(), &namespace, "orders").await;
        samples.take(CHANGES, &running, (&harness, &orders), bare).await;
        running.end().await;
    }
    samples.judge("nacos", Told::Pushed);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_two_thousand_services_cost() {
    let (server, harness) = start().await;
    let registry = format!("type: nacos, addresses: [\"{}\"]", server.address());
    memory::measure("nacos", &harness, &registry, &two_thousand(), HEAVIEST).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_the_first_copy_takes() {
    let (server, _harness) = start().await;
    let registry = format!("type: nacos, addresses: [\"{}\"]", server.address());
    first_copy::measure("nacos", |_| registry.clone(), "empty_ns", str::to_owned).await;
}
