//! What is measured on a real service-center. It wants a quiet machine, so it runs on demand, each test by its name:
//!
//! ```sh
//! cargo test --release --test servicecenter_measured -- --ignored --nocapture --exact what_a_change_takes
//! ```
#![allow(clippy::unwrap_used, missing_docs)]

mod conformance;
mod servicecenter_harness;

use std::time::Duration;

use causeway::registries::ViewEvent;
use conformance::{Harness, Inst, Patterns, Running};
use futures::stream::{self, StreamExt};
use servicecenter_harness::ServiceCenterHarness;
use tokio::time::{Instant, sleep};

const LIMIT: Duration = Duration::from_secs(60);
const SAMPLES: u32 = 100;
/// The required bound: what is polled is seen within the interval and so much more.
const ADDED: Duration = Duration::from_millis(10);
/// The required bound on what watching adds to the process, in MiB.
const HEAVIEST: f64 = 60.0;

/// How long the server's acknowledgement of a change is ago when each of some changes is told.
async fn changes(harness: &ServiceCenterHarness, running: &Running, orders: &Inst) -> Vec<Duration> {
    let mut events = running.view.subscribe();
    let mut taken = Vec::new();
    for n in 1..=SAMPLES {
        // At moments that have nothing to do with the turns.
        sleep(Duration::from_millis(u64::from(n * 37 % 101))).await;
        harness.put(&running.namespace, &orders.clone().with("n", &n.to_string())).await;
        let acknowledged = Instant::now();
        assert_eq!(events.recv().await, Some(ViewEvent::Service(running.key(&orders.service))));
        taken.push(acknowledged.elapsed());
    }
    taken.sort();
    taken
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures; its figures stand in docs/registries/servicecenter.md"]
async fn what_a_change_takes() {
    let harness = ServiceCenterHarness::plain().await;
    let (namespace, orders) = (harness.namespace().await, Inst::new("orders", "10.0.0.1", 80));
    harness.put(&namespace, &orders).await;
    let running = Running::start(harness.route().await, Patterns::of(&namespace, &["*"]), &namespace);
    running.complete(LIMIT).await;
    let taken = changes(&harness, &running, &orders).await;
    let (median, longest) = (taken[taken.len() / 2], taken[taken.len() - 1]);
    println!(
        "from the acknowledgement to the snapshot: {median:?} (median of {SAMPLES}), {longest:?} at most"
    );
    assert!(median <= harness.settings.poll_interval + ADDED);
    running.end().await;
}

/// Resident memory of this process, in MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures; its figures stand in docs/registries/servicecenter.md"]
async fn what_two_thousand_services_take() {
    let harness = ServiceCenterHarness::plain().await;
    let namespace = harness.namespace().await;
    let instances = (0..2_000).flat_map(|service| (1..=4).map(move |host| (service, host)));
    let instance = |(service, host)| Inst::new(&format!("s{service}"), &format!("10.0.0.{host}"), 80);
    stream::iter(instances.map(instance))
        .for_each_concurrent(32, async |instance| harness.put(&namespace, &instance).await)
        .await;
    let (before, begun) = (resident(), Instant::now());
    let running = Running::start(harness.route().await, Patterns::of(&namespace, &["*"]), &namespace);
    running.complete(LIMIT).await;
    println!("2,000 services of 4 instances: read after {:?}", begun.elapsed());
    let taken = changes(&harness, &running, &Inst::new("s700", "10.0.0.1", 80)).await;
    println!(
        "a change is seen after {:?} (median), {:?} at most",
        taken[taken.len() / 2],
        taken[taken.len() - 1]
    );
    let added = resident() - before;
    println!("watching them takes {added:.1} MiB");
    assert!(added <= HEAVIEST, "{added} MiB");
    running.end().await;
}
