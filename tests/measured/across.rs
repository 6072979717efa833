//! From a change at one registry to the copy at another, beside the sum of a bare watch on the one and a bare write to the other.
//!
//! ```text
//!  change n ──▶ A ──acknowledged
//!               ├──▶ bare watch of A: when?                 ┐ the sum of these two, and a fifth of it or 5 ms,
//!  bare write ──────────────────▶ B ──▶ bare watch: when?   ┘ is what the way may take
//!               └──▶ Causeway ──▶ B ──▶ bare watch of B: when?
//! ```

use std::time::Duration;

use causeway::config::{self, Config, ZookeeperLayout};
use causeway::reconcile::Supervisor;
use causeway_test_support::nacos::NacosServer;
use causeway_test_support::stats::Spread;
use tokio::time::{Instant, sleep};

use super::consul_harness::ConsulHarness;
use super::nacos_harness::NacosHarness;
use super::propagation::{Changes, Seen, milliseconds};
use super::zookeeper_harness::{SERVICES, Writes, ZookeeperHarness};
use super::{consul, nacos, zookeeper};
use crate::conformance::{Harness, Inst};

/// What the way may take more than the sum: the greater of these, in milliseconds and as a part of the sum.
const MARGIN: f64 = 5.0;
const PART: f64 = 0.2;
/// A Nacos ends the connections of bare clients, which say nothing, after 20 s: each round has new ones.
const ROUNDS: u32 = 8;
const GRACE: Duration = Duration::from_secs(8);

/// One registry that pushes.
enum End {
    Nacos(NacosServer, NacosHarness),
    Consul(ConsulHarness),
    Zookeeper(ZookeeperHarness),
}

impl End {
    fn name(&self) -> &'static str {
        match self {
            Self::Nacos(..) => "nacos",
            Self::Consul(_) => "consul",
            Self::Zookeeper(_) => "zookeeper",
        }
    }

    fn namespace(&self) -> &'static str {
        if matches!(self, Self::Nacos(..)) { "empty_ns" } else { "default" }
    }

    fn harness(&self) -> &dyn Harness {
        match self {
            Self::Nacos(_, harness) => harness,
            Self::Consul(harness) => harness,
            Self::Zookeeper(harness) => harness,
        }
    }

    /// As it is written in a configuration, but for its name.
    fn registry(&self) -> String {
        match self {
            Self::Nacos(server, _) => format!("type: nacos, addresses: [\"{}\"]", server.address()),
            Self::Consul(harness) => format!("type: consul, addresses: [\"{}\"]", harness.address),
            Self::Zookeeper(harness) => {
                let address = format!("{}{}", harness.address, harness.chroot);
                format!("type: zookeeper, addresses: [\"{address}\"], layout: curator")
            }
        }
    }

    async fn watch(&self, service: &str) -> Seen {
        match self {
            Self::Nacos(_, harness) => {
                let address = format!("127.0.0.1:{}", harness.ports.grpc());
                Seen::by(nacos::Bare::subscribe(&address, "public", service).await)
            }
            Self::Consul(harness) => Seen::by(consul::Bare::of(&harness.address, service)),
            Self::Zookeeper(harness) => {
                let address = format!("{}{}", harness.address, harness.chroot);
                Seen::by(zookeeper::Bare::connect(&address, &format!("{SERVICES}/{service}")).await)
            }
        }
    }

    async fn put(&self, service: &str, mark: &str) {
        let instance = Inst::new(service, "10.0.0.1", 80).with("mark", mark);
        self.harness().put(self.namespace(), &instance).await;
    }
}

/// What was measured of some changes, in milliseconds.
#[derive(Default)]
struct Samples {
    watch: Vec<f64>,
    write: Vec<f64>,
    way: Vec<f64>,
}

/// What is carried to `b`. It is native nowhere but in its source.
fn service(b: &End) -> String {
    format!("to-{}", b.name())
}

fn config(a: &End, b: &End) -> Config {
    let text = format!(
        r#"
version: 1
owner: lab
registries: [ {{ name: a, {} }}, {{ name: b, {} }} ]
tasks: [ {{ name: across, source: a, destination: b, match: [ {{ service: "{}" }} ] }} ]
health_check: {{ enable: false }}
"#,
        a.registry(),
        b.registry(),
        service(b)
    );
    config::parse(&text, "measured", &|_| None).unwrap_or_else(|mistakes| panic!("{mistakes}")).config
}

async fn measure(a: &End, b: &End, changes: Changes) {
    a.put(&service(b), "first").await;
    b.put("bare", "first").await;
    let supervisor = Supervisor::new(&config(a, b)).unwrap();
    let running = supervisor.start();
    while supervisor.copies[0].changes() == 0 {
        sleep(Duration::from_millis(10)).await;
    }
    let mut samples = Samples::default();
    for round in 0..ROUNDS {
        samples.take(a, b, changes, round).await;
    }
    assert_eq!(running.stop(GRACE).await, Vec::<String>::new());
    judge(&format!("{} → {}", a.name(), b.name()), &samples);
}

impl Samples {
    async fn take(&mut self, a: &End, b: &End, changes: Changes, round: u32) {
        let (mut at_a, mut at_b) = (a.watch(&service(b)).await, b.watch(&service(b)).await);
        let mut bare = b.watch("bare").await;
        // The first ones only show that all are there.
        for n in 0..=changes.count {
            sleep(changes.pause(n)).await;
            let mark = format!("change-{round}-{n:04}");
            a.put(&service(b), &mark).await;
            let acknowledged = Instant::now();
            let (seen_at_a, seen_at_b) = tokio::join!(at_a.first(&mark), at_b.first(&mark));
            sleep(changes.pause(n)).await;
            let begun = Instant::now();
            b.put("bare", &mark).await;
            let written = bare.first(&mark).await;
            if n > 0 {
                self.watch.push(milliseconds(seen_at_a.saturating_duration_since(acknowledged)));
                self.way.push(milliseconds(seen_at_b.saturating_duration_since(acknowledged)));
                self.write.push(milliseconds(written.saturating_duration_since(begun)));
            }
        }
    }
}

/// Prints how long it took, and checks the bound.
fn judge(name: &str, samples: &Samples) {
    let Samples { watch, write, way } = samples;
    let [watch, write, way] = [watch, write, way].map(|all| Spread::of(all.iter().copied()));
    let sum = watch.median + write.median;
    let bound = sum + MARGIN.max(PART * sum);
    println!("{name}, {} changes, in ms: median (least to most)", samples.way.len());
    println!("  bare watch {watch}; bare write until it is seen {write}; the sum of the medians {sum:.1}");
    println!("  by Causeway {way}, whose median may be {bound:.1}");
    assert!(way.median <= bound, "{name}: {way} ms, which may be {bound}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_a_copy_takes() {
    causeway_gateways::http::install_crypto();
    let (server, harness) = nacos::start().await;
    let nacos = End::Nacos(server, harness);
    let consul = End::Consul(ConsulHarness::plain().await);
    let curator = ZookeeperHarness::shared(Writes::Curator, ZookeeperLayout::Curator).await;
    let zookeeper = End::Zookeeper(curator);
    let changes = Changes { count: 7, apart: Duration::from_millis(60) };
    measure(&nacos, &consul, changes).await;
    measure(&consul, &zookeeper, changes).await;
    measure(&zookeeper, &nacos, changes).await;
}
