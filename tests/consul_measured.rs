//! What is measured on a real Consul at default limits. It takes minutes of a quiet machine, so it runs on demand:
//!
//! ```sh
//! cargo test --release --test consul_measured -- --ignored --nocapture --test-threads=1
//! ```
#![allow(clippy::unwrap_used, missing_docs)]

mod conformance;
mod consul_harness;

use std::collections::BTreeMap;
use std::time::Duration;

use causeway::registries::ViewEvent;
use causeway_test_support::consul::Registration;
use causeway_test_support::http_client;
use conformance::{Harness, Patterns, Running};
use consul_harness::ConsulHarness;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

const SERVICES: usize = 10_000;
const CHANGES: usize = 40;
const BETWEEN: Duration = Duration::from_millis(233);
const BOUND: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; its figures stand in docs/performance.md"]
async fn ten_thousand_services_on_default_limits() {
    let harness = ConsulHarness::plain().await;
    let services: Vec<Registration> =
        (0..SERVICES).map(|n| Registration::new(&format!("s{n:05}"), "10.0.0.1", 80)).collect();
    harness.http.register(&services[0]).await.unwrap();
    harness.http.register_all(&services).await.unwrap();
    let begun = Instant::now();
    let running = Running::start(harness.route().await, Patterns::of("default", &["*"]), "default");
    running.complete(Duration::from_secs(180)).await;
    println!("{SERVICES} services: read after {:.1} s", begun.elapsed().as_secs_f64());

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
    seen.sort_by(f64::total_cmp);
    println!(
        "a change is seen after {:.2} s (median), {:.1} s at most",
        seen[CHANGES / 2],
        seen[CHANGES - 1]
    );
    let connections = running.proxies[0].most_open();
    println!("connections at the same time: {connections} of 200");
    assert!(seen[CHANGES - 1] < BOUND.as_secs_f64(), "{seen:?}");
    assert!(connections < 200, "no query meets 429");
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

const SAMPLES: u32 = 200;
const QUIET: Duration = Duration::from_millis(30);
/// The required bound on the median of the paired differences.
const ADDED: f64 = 2.0;

/// The same waiting query as Causeway's, and nothing else: when each answer had arrived.
async fn bare_client(address: String, arrived: mpsc::UnboundedSender<Instant>) {
    let (client, mut index) = (http_client(), String::new());
    loop {
        let url = format!("http://{address}/v1/health/service/orders?index={index}&wait=30s");
        let answer = client.get(url).send().await.unwrap();
        index = answer.headers()["x-consul-index"].to_str().unwrap().to_owned();
        answer.bytes().await.unwrap();
        if arrived.send(Instant::now()).is_err() {
            return;
        }
    }
}

/// When each new snapshot was told.
async fn note_events(mut events: mpsc::UnboundedReceiver<ViewEvent>, told: mpsc::UnboundedSender<Instant>) {
    while let Some(event) = events.recv().await {
        assert!(matches!(event, ViewEvent::Service(_)), "{event:?}");
        if told.send(Instant::now()).is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures; its figures stand in docs/performance.md"]
async fn what_causeway_adds_to_a_bare_client() {
    let harness = ConsulHarness::plain().await;
    let mut orders = Registration::new("orders", "10.0.0.1", 80);
    harness.http.register(&orders).await.unwrap();
    let running = Running::start(harness.route().await, Patterns::of("default", &["orders"]), "default");
    running.complete(BOUND).await;
    let (sender, mut told) = mpsc::unbounded_channel();
    let source = tokio::spawn(note_events(running.view.subscribe(), sender));
    let (sender, mut arrived) = mpsc::unbounded_channel();
    // Both go through a proxy, so that they have the same way.
    let bare = tokio::spawn(bare_client(running.proxies[0].address(), sender));
    arrived.recv().await.unwrap();
    let (mut added, mut whole) = (Vec::new(), Vec::new());
    for weight in 2..2 + SAMPLES {
        sleep(QUIET).await;
        orders.weights = (weight, 1);
        harness.http.register(&orders).await.unwrap();
        let acknowledged = Instant::now();
        let (told, bare) = tokio::join!(told.recv(), arrived.recv());
        let (told, bare) = (told.unwrap(), bare.unwrap());
        let milliseconds = |from: Instant, to: Instant| {
            (to.saturating_duration_since(from).as_secs_f64()
                - from.saturating_duration_since(to).as_secs_f64())
                * 1e3
        };
        added.push(milliseconds(bare, told));
        whole.push(milliseconds(acknowledged, told));
    }
    bare.abort();
    source.abort();
    let median = |numbers: &mut Vec<f64>| {
        numbers.sort_by(f64::total_cmp);
        numbers[numbers.len() / 2]
    };
    let (added, whole) = (median(&mut added), median(&mut whole));
    println!("from Consul's acknowledgement to the snapshot: {whole:.2} ms (median of {SAMPLES})");
    println!("beside a bare client of the same query: {added:.2} ms more (median of the paired differences)");
    assert!(added <= ADDED, "{added} ms");
    running.end().await;
}
