//! What is measured on a real ZooKeeper. It wants a quiet machine, so it runs on demand, each test by its name:
//!
//! ```sh
//! cargo test --release --test zookeeper_measured -- --ignored --nocapture --exact what_causeway_adds_to_a_bare_client
//! ```
#![allow(clippy::unwrap_used, missing_docs)]

mod conformance;
mod zookeeper_harness;

use std::time::Duration;

use causeway::config::ZookeeperLayout;
use causeway::registries::ViewEvent;
use causeway_test_support::zookeeper::ZookeeperClient;
use conformance::{Harness, Inst, Patterns, Running};
use futures::stream::{self, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use zookeeper_harness::{DUBBO, SERVICES, Writes, ZookeeperHarness, entry, provider};

const LIMIT: Duration = Duration::from_secs(60);
const SAMPLES: u32 = 200;
const QUIET: Duration = Duration::from_millis(30);
/// The required bound on the median of the paired differences.
const ADDED: f64 = 2.0;
/// The required bound on what watching adds to the process, in MiB.
const HEAVIEST: f64 = 60.0;

/// When each new snapshot was told.
async fn note_events(mut events: mpsc::UnboundedReceiver<ViewEvent>, told: mpsc::UnboundedSender<Instant>) {
    while let Some(event) = events.recv().await {
        assert!(matches!(event, ViewEvent::Service(_)), "{event:?}");
        if told.send(Instant::now()).is_err() {
            return;
        }
    }
}

/// The same watch as Causeway's and the same reading after it, and nothing else: when each had arrived.
async fn bare_client(client: ZookeeperClient, service: String, arrived: mpsc::UnboundedSender<Instant>) {
    let mut watch = client.watch_all(&service).await.unwrap();
    loop {
        let changed = watch.changed().await;
        let mut data = Vec::new();
        for child in client.children(&service).await.unwrap() {
            let path = format!("{service}/{child}");
            // In Dubbo's layout the name is all there is, and a node that is gone has no data.
            if path == changed.path && !service.starts_with(DUBBO) {
                data = client.data(&path).await.unwrap();
            }
        }
        std::hint::black_box(data);
        if arrived.send(Instant::now()).is_err() {
            return;
        }
    }
}

async fn added(writes: Writes, layout: ZookeeperLayout, service: &str, folder: &str) -> (f64, f64) {
    let harness = ZookeeperHarness::shared(writes, layout).await;
    let orders = |n: u32| Inst::new(service, "10.0.0.1", 80).with("n", &n.to_string());
    harness.put("default", &orders(0)).await;
    let running = Running::start(harness.route().await, Patterns::of("default", &["*"]), "default");
    running.complete(LIMIT).await;
    let (sender, mut told) = mpsc::unbounded_channel();
    let source = tokio::spawn(note_events(running.view.subscribe(), sender));
    // Both go through a proxy, so that they have the same way.
    let way = format!("{}{}", running.proxies[0].address(), harness.chroot);
    let client = ZookeeperClient::connect(&way).await.unwrap();
    let (sender, mut arrived) = mpsc::unbounded_channel();
    let bare = tokio::spawn(bare_client(client, folder.to_owned(), sender));
    sleep(Duration::from_secs(1)).await;
    let (mut added, mut whole) = (Vec::new(), Vec::new());
    for n in 1..=SAMPLES {
        sleep(QUIET).await;
        // A changed provider is a new node in the place of the old one, which are two events.
        while arrived.try_recv().is_ok() {}
        harness.put("default", &orders(n)).await;
        let acknowledged = Instant::now();
        let (told, bare) = tokio::join!(told.recv(), arrived.recv());
        let milliseconds = |from: Instant, to: Instant| {
            let later = |a: Instant, b: Instant| b.saturating_duration_since(a).as_secs_f64() * 1e3;
            later(from, to) - later(to, from)
        };
        added.push(milliseconds(bare.unwrap(), told.unwrap()));
        whole.push(milliseconds(acknowledged, told.unwrap()));
    }
    bare.abort();
    source.abort();
    running.end().await;
    let median = |numbers: &mut Vec<f64>| {
        numbers.sort_by(f64::total_cmp);
        numbers[numbers.len() / 2]
    };
    (median(&mut added), median(&mut whole))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures; its figures stand in docs/registries/zookeeper.md"]
async fn what_causeway_adds_to_a_bare_client() {
    let interface = provider(&Inst::new("providers:lab.orders::", "h", 1)).folder(DUBBO);
    for (writes, layout, service, folder) in [
        (Writes::Dubbo, ZookeeperLayout::Dubbo, "providers:lab.orders::", interface),
        (Writes::Curator, ZookeeperLayout::Curator, "orders", format!("{SERVICES}/orders")),
    ] {
        let (added, whole) = added(writes, layout, service, &folder).await;
        println!(
            "{writes:?}: from ZooKeeper's acknowledgement to the snapshot {whole:.2} ms (median of {SAMPLES})"
        );
        println!(
            "{writes:?}: beside a bare client of the same watch {added:.2} ms more (median of the paired differences)"
        );
        assert!(added <= ADDED, "{added} ms");
    }
}

/// Resident memory of this process, in MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// What is read and kept of 2,000 services of 4 instances. One layout a process: memory that was used once is used again.
async fn weigh(writes: Writes, layout: ZookeeperLayout) -> String {
    let harness = ZookeeperHarness::shared(writes, layout).await;
    let client = harness.client().await;
    let instances = (0..2000).flat_map(|service| (1..=4).map(move |host| (service, host)));
    let nodes = instances.map(|(service, host)| {
        let instance = Inst::new(&format!("providers:lab.S{service}::"), &format!("10.0.0.{host}"), 80);
        if writes == Writes::Dubbo {
            let provider = provider(&instance);
            return (format!("{}/{}", provider.folder(DUBBO), provider.node()), Vec::new());
        }
        let entry = entry(writes, &instance);
        (entry.path(SERVICES), entry.data())
    });
    let put = async |(path, data): (String, Vec<u8>)| client.put(&path, &data).await.unwrap();
    stream::iter(nodes).for_each_concurrent(32, put).await;
    let (idle, begun) = (resident(), Instant::now());
    let running = Running::start(harness.route().await, Patterns::of("default", &["*"]), "default");
    running.complete(LIMIT).await;
    let (seconds, more) = (begun.elapsed().as_secs_f64(), resident() - idle);
    assert!(more <= HEAVIEST, "{more} MiB");
    running.end().await;
    format!("{writes:?}: 2,000 services of 4 read after {seconds:.2} s; {more:.0} MiB more than before")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures; its figures stand in docs/registries/zookeeper.md"]
async fn two_thousand_of_dubbos_interfaces() {
    println!("{}", weigh(Writes::Dubbo, ZookeeperLayout::Dubbo).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures; its figures stand in docs/registries/zookeeper.md"]
async fn two_thousand_services_of_curators_discovery() {
    println!("{}", weigh(Writes::Curator, ZookeeperLayout::Curator).await);
}
