//! What the first copy of 1,000 services of 10 instances into a registry takes, beside a bare loop of the same writes in the same run.
//!
//! Loop and first copy take turns, five times. The loop has each service's copies before it begins and nothing to do but to write
//! them, so many services at a time as Causeway writes too. Causeway reads a file of them and the destination, decides, writes, and
//! keeps the copies alive meanwhile.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use causeway::config::{self, Config};
use causeway::model::{Address, Instance, ServiceKey};
use causeway::reconcile::Supervisor;
use causeway::registries::{self, Change, Destination, InstanceCopy, Written};
use causeway::sync::Mark;
use futures::stream::{self, StreamExt as _};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

const SERVICES: usize = 1000;
const INSTANCES: usize = 10;
const ROUNDS: usize = 5;
/// What the first copy may take, as a ratio to the bare loops before and after it: the median of all rounds.
const BOUND: f64 = 1.3;
const GRACE: Duration = Duration::from_secs(8);
const LIMIT: Duration = Duration::from_secs(600);

fn host(service: usize, n: usize) -> String {
    format!("10.{}.{}.{n}", service / 250, service % 250)
}

/// So many places are written to: one by the loops, and one in each round by Causeway.
pub const PLACES: usize = 1 + ROUNDS;

/// Measures one type: `registry` is the destination, or another place in it, as it is written in a configuration but for its name;
/// `namespace` its default one, and `service` the name of a service there.
pub async fn measure(
    name: &str,
    registry: impl Fn(usize) -> String,
    namespace: &str,
    service: fn(&str) -> String,
) {
    causeway_gateways::http::install_crypto();
    let folder = TempDir::new().unwrap();
    let configs: Vec<Config> =
        (0..PLACES).map(|round| config(folder.path(), &registry(round), round, service)).collect();
    let destination = registries::destination::build(&configs[0].registries["b"]).unwrap();
    let stop = CancellationToken::new();
    let tending = tokio::spawn({
        let (destination, stop) = (Arc::clone(&destination), stop.clone());
        async move { destination.tend(stop).await }
    });
    println!("{name}: {SERVICES} services of {INSTANCES} instances, in s");
    let mut ratios = Vec::new();
    let mut before = bare_loop(&destination, namespace, "first", service).await;
    for (round, config) in configs.iter().enumerate().skip(1) {
        let copied = first_copy(config).await;
        let after = bare_loop(&destination, namespace, &format!("after{round}x"), service).await;
        let ratio = copied / ((before + after) / 2.0);
        println!("  bare loop {before:.2} and {after:.2}, first copy {copied:.2}: {ratio:.2} times");
        ratios.push(ratio);
        before = after;
    }
    stop.cancel();
    tending.await.unwrap();
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ROUNDS / 2];
    println!("  median: {median:.2} times, which may be {BOUND}");
    assert!(median <= BOUND, "{name}: {median}");
}

/// Writes the source's file, and the configuration of a task from it to the destination.
fn config(folder: &Path, registry: &str, round: usize, service: fn(&str) -> String) -> Config {
    let mut text = "services:\n".to_owned();
    for n in 0..SERVICES {
        writeln!(text, "  - service: \"{}\"\n    instances:", service(&format!("flow{round}x{n:04}")))
            .unwrap();
        for i in 0..INSTANCES {
            let host = host(n, i);
            writeln!(text, "      - {{ host: {host}, port: 80, metadata: {{ version: \"1\" }} }}").unwrap();
        }
    }
    let file = folder.join(format!("services-{round}.yaml"));
    fs::write(&file, text).unwrap();
    let text = format!(
        r#"
version: 1
owner: lab
registries:
  - {{ name: f, type: file, path: "{}" }}
  - {{ name: b, {registry} }}
tasks: [ {{ name: copy-{round}, source: f, destination: b, match: [ {{ service: "*flow{round}x*" }} ] }} ]
health_check: {{ enable: false }}
"#,
        file.display()
    );
    config::parse(&text, "measured", &|_| None).unwrap_or_else(|mistakes| panic!("{mistakes}")).config
}

/// How many seconds a loop takes that has only to write.
async fn bare_loop(
    destination: &Arc<dyn Destination>,
    namespace: &str,
    prefix: &str,
    service: fn(&str) -> String,
) -> f64 {
    let mark = Mark { origin: "f".to_owned(), owner: "lab".to_owned(), task: prefix.to_owned() };
    let copies = |n: usize| -> (ServiceKey, Vec<Change>) {
        let key = ServiceKey::new(namespace, service(&format!("{prefix}{n:04}")));
        let copy = |i: usize| {
            let mut instance = Instance::new(Address::new(host(n, i), 80));
            instance.metadata.insert("version".to_owned(), "1".to_owned());
            mark.stamp(&mut instance.metadata);
            Change::put(InstanceCopy::new(key.clone(), mark.clone(), instance))
        };
        (key.clone(), (0..INSTANCES).map(copy).collect())
    };
    let all: Vec<_> = (0..SERVICES).map(copies).collect();
    let begun = Instant::now();
    let writes = all.iter().map(|(key, changes)| destination.write(key, changes));
    let outcomes: Vec<_> = stream::iter(writes).buffer_unordered(destination.width()).collect().await;
    let took = begun.elapsed().as_secs_f64();
    let failed = outcomes.into_iter().flatten().find(|outcome| *outcome != Ok(Written::Done));
    assert_eq!(failed, None);
    took
}

/// How many seconds Causeway takes from its start to the last copy.
async fn first_copy(config: &Config) -> f64 {
    let begun = Instant::now();
    let supervisor = Supervisor::new(config).unwrap();
    let running = supervisor.start();
    let all = (SERVICES * INSTANCES) as u64;
    let flow = &supervisor.copies[0];
    let mut first = None;
    while flow.changes() < all {
        if flow.changes() > 0 {
            first.get_or_insert_with(|| begun.elapsed());
        }
        assert!(begun.elapsed() < LIMIT, "{:?}", supervisor.progress());
        sleep(Duration::from_millis(10)).await;
    }
    let took = begun.elapsed().as_secs_f64();
    println!("  its first write was done after {:.2?}", first.unwrap_or_default());
    assert_eq!(flow.changes(), all, "each is written once");
    assert_eq!(running.stop(GRACE).await, Vec::<String>::new());
    took
}
