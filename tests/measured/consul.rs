//! Consul at its default limits.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use causeway_test_support::consul::Registration;
use causeway_test_support::http_client;
use causeway_test_support::stats::Spread;
use tokio::time::{Instant, sleep};

use super::consul_harness::ConsulHarness;
use super::first_copy;
use super::memory::{self, HEAVIEST, two_thousand};
use super::propagation::{self, Changes, Told, Watcher};
use crate::conformance::{Harness, Inst, Patterns, Running};

/// The same waiting query as the source's.
pub struct Bare {
    client: reqwest::Client,
    url: String,
    index: String,
}

impl Bare {
    pub fn of(address: &str, service: &str) -> Self {
        let url = format!("http://{address}/v1/health/service/{service}");
        Self { client: http_client(), url, index: String::new() }
    }
}

#[async_trait]
impl Watcher for Bare {
    async fn next(&mut self) -> Bytes {
        let url = format!("{}?near=_agent&wait=30s&index={}", self.url, self.index);
        let answer = self.client.get(url).send().await.unwrap();
        self.index = answer.headers()["x-consul-index"].to_str().unwrap().to_owned();
        answer.bytes().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_a_change_takes() {
    let harness = ConsulHarness::plain().await;
    let (namespace, orders) = (harness.namespace().await, Inst::new("orders", "10.0.0.1", 80));
    harness.put(&namespace, &orders).await;
    let running = Running::start(harness.route().await, Patterns::of(&namespace, &["orders"]), &namespace);
    running.complete(BOUND).await;
    let bare = Bare::of(&running.proxies[0].address(), "orders");
    let changes = Changes { count: 200, apart: Duration::from_millis(60) };
    propagation::measure("consul", Told::Pushed, changes, &running, (&harness, &orders), bare).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_two_thousand_services_cost() {
    let harness = ConsulHarness::plain().await;
    let registry = format!("type: consul, addresses: [\"{}\"]", harness.address);
    memory::measure("consul", &harness, &registry, &two_thousand(), HEAVIEST).await;
}

const SERVICES: usize = 10_000;
const CHANGES: usize = 40;
const BETWEEN: Duration = Duration::from_millis(233);
/// A change of any of them must be seen within this.
const BOUND: Duration = Duration::from_secs(30);
const REFUSED: u16 = 429;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn ten_thousand_services_on_default_limits() {
    let harness = ConsulHarness::plain().await;
    let services: Vec<Registration> =
        (0..SERVICES).map(|n| Registration::new(&format!("s{n:05}"), "10.0.0.1", 80)).collect();
    harness.http.register(&services[0]).await.unwrap();
    harness.http.register_all(&services).await.unwrap();
    let begun = Instant::now();
    let running = Running::start(harness.route().await, Patterns::of("default", &["*"]), "default");
    running.complete(Duration::from_secs(180)).await;
    println!("consul, {SERVICES} services: read after {:.1} s", begun.elapsed().as_secs_f64());

    // At moments and of services that have nothing to do with the turns.
    let mut changed = BTreeMap::new();
    let mut seen = Vec::new();
    for change in 0..CHANGES {
        let heavier = Registration { weights: (4, 1), ..services[(change * 6_151 + 97) % SERVICES].clone() };
        harness.http.register(&heavier).await.unwrap();
        changed.insert(heavier.service, Instant::now());
        seen.extend(take_seen(&running, &mut changed));
        sleep(BETWEEN).await;
    }
    while !changed.is_empty() {
        seen.extend(take_seen(&running, &mut changed));
        sleep(Duration::from_millis(2)).await;
    }
    let (seen, proxy) = (Spread::of(seen), &running.proxies[0]);
    println!("  a change is seen after, in s, median (least to most): {seen}; at most {} s", BOUND.as_secs());
    let (answered, refused, connections) = (proxy.answers(200), proxy.answers(REFUSED), proxy.most_open());
    println!(
        "  {answered} good answers, {refused} times 429; at most {connections} of 200 connections at a time"
    );
    assert!(seen.max < BOUND.as_secs_f64(), "{seen} s");
    assert!(answered > SERVICES, "what is counted are answers");
    assert_eq!(refused, 0, "no query is refused");
    running.end().await;
}

/// Takes away those changes that are seen by now; how many seconds each took.
fn take_seen(running: &Running, changed: &mut BTreeMap<String, Instant>) -> Vec<f64> {
    let heavier = |service: &str| {
        let reading = running.view.reading(&running.key(service));
        reading
            .is_some_and(|now| now.snapshot.instances.values().all(|instance| instance.weight.ratio() > 3.0))
    };
    let mut seen = Vec::new();
    changed.retain(|service, at| {
        let visible = heavier(service);
        assert!(at.elapsed() < BOUND, "{service} is not seen; {:?}", running.view.unknowns());
        seen.extend(visible.then(|| at.elapsed().as_secs_f64()));
        !visible
    });
    seen
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_the_first_copy_takes() {
    let harness = ConsulHarness::plain().await;
    let registry = format!("type: consul, addresses: [\"{}\"]", harness.address);
    first_copy::measure("consul", |_| registry.clone(), "default", str::to_owned).await;
}
