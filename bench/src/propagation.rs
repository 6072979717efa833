//! One instance among many services is added, gets another weight, and is removed: what it costs and how long it takes.

use std::time::{Duration, SystemTime};

use causeway_test_support::kong::{KongStandIn, Recorded};
use causeway_test_support::process::Failure;
use causeway_test_support::stats::Spread;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::Options;
use crate::causeway::Causeway;
use crate::scene::{Instance, Scene};

/// The required bound on the median from a change's arrival to its request, in milliseconds, where nothing has to wait.
pub(crate) const BOUND_MS: f64 = 5.0;

const LIMIT: Duration = Duration::from_secs(60);
/// Longer than the quiet window, so that every change finds its service quiet.
const QUIET: Duration = Duration::from_millis(250);
const SECONDS_OF_A_DAY: f64 = 86_400.0;
/// Spreads the changed services over all of them.
const STRIDE: usize = 37;
/// What tells when a change has arrived from the source.
const LEVELS: &str = "info,causeway::registries::view=debug";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Added,
    Reweighted,
    Removed,
}

const KINDS: [(Kind, &str, &str); 3] = [
    (Kind::Added, "added", "POST"),
    (Kind::Reweighted, "weight_changed", "PATCH"),
    (Kind::Removed, "removed", "DELETE"),
];

/// One change. Times in milliseconds.
struct Sample {
    kind: Kind,
    /// From the file's replacement to its arrival in Causeway's view of the registry.
    source: f64,
    /// From there to the arrival of the request at the stand-in.
    causeway: f64,
    reads: usize,
    writes: usize,
}

/// All changes, and what a start costs that finds everything in place.
pub(crate) struct Propagation {
    samples: Vec<Sample>,
    second_start: SecondStart,
    /// Causeway's own metric: the mean from the arrival to the last write's answer, in milliseconds.
    own_mean: f64,
}

struct SecondStart {
    seconds: f64,
    reads: u64,
    writes: u64,
}

/// Fills a gateway, starts Causeway anew, and changes instances one by one.
pub(crate) async fn measure(options: &Options) -> Result<Propagation, Failure> {
    let kong = options.kong().await;
    let mut scene = Scene::new(options.services, options.instances, &kong.admin_url())?;
    fill(options, &kong, &scene).await?;
    kong.reset_counts();
    let mut causeway = Causeway::start(&options.binary()?, &scene, LEVELS)?;
    let admin = causeway.wait_until_ready(LIMIT).await?;
    let second_start = SecondStart {
        seconds: causeway.started.elapsed().as_secs_f64(),
        reads: kong.reads(),
        writes: kong.writes(),
    };
    let before = causeway.propagation(&admin).await?;
    let mut samples = Vec::new();
    for change in 0..options.changes {
        let service = change * STRIDE % scene.count();
        for (kind, ..) in KINDS {
            sleep(QUIET).await;
            samples.push(sample(kind, service, &mut scene, &kong, &mut causeway).await?);
        }
    }
    let after = causeway.propagation(&admin).await?;
    let own_mean = (after.0 - before.0) / (after.1 - before.1) * 1000.0;
    Ok(Propagation { samples, second_start, own_mean })
}

/// A first pass at no latency.
async fn fill(options: &Options, kong: &KongStandIn, scene: &Scene) -> Result<(), Failure> {
    kong.faults().set_latency(Duration::ZERO);
    let mut causeway = Causeway::start(&options.binary()?, scene, "info")?;
    let wanted = scene.objects();
    causeway.wait_until("filling the gateway", LIMIT, || kong.writes() >= wanted).await?;
    causeway.wait_until_ready(LIMIT).await?;
    kong.faults().set_latency(options.latency());
    Ok(())
}

async fn sample(
    kind: Kind,
    service: usize,
    scene: &mut Scene,
    kong: &KongStandIn,
    causeway: &mut Causeway,
) -> Result<Sample, Failure> {
    let instances = scene.service(service);
    match kind {
        Kind::Added => instances.push(Instance::new("10.200.0.1".to_owned())),
        Kind::Reweighted => instances.iter_mut().rev().take(1).for_each(|instance| instance.weight = 50),
        Kind::Removed => drop(instances.pop()),
    }
    kong.reset_counts();
    let logged = causeway.log_length();
    scene.write()?;
    let replaced = second_of_day(Instant::now());
    causeway.wait_until("a change", LIMIT, || kong.writes() > 0).await?;
    sleep(QUIET).await;
    let key = Scene::key(service);
    let lines = causeway.lines(logged);
    let arrived = lines
        .iter()
        .find(|line| line.field("service") == Some(&key) && line.field("message") == Some("changed"));
    let arrived = arrived.ok_or_else(|| format!("the arrival of a change of {key} was not logged"))?.second;
    let requests = kong.requests();
    let written = second_of_day(write(kind, &requests)?.at);
    let milliseconds = |from: f64, to: f64| (to - from).rem_euclid(SECONDS_OF_A_DAY) * 1000.0;
    let writes = requests.iter().filter(|request| request.method != "GET").count();
    Ok(Sample {
        kind,
        source: milliseconds(replaced, arrived),
        causeway: milliseconds(arrived, written),
        reads: requests.len() - writes,
        writes,
    })
}

/// The request that a change must lead to.
fn write(kind: Kind, requests: &[Recorded]) -> Result<&Recorded, Failure> {
    let method = KINDS.iter().find(|(it, ..)| *it == kind).map_or("", |(_, _, method)| method);
    let written = requests.iter().find(|request| request.method == method);
    Ok(written.ok_or_else(|| format!("{kind:?} led to no {method}"))?)
}

/// A moment on the clock of Causeway's log.
fn second_of_day(at: Instant) -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    (now - at.elapsed().as_secs_f64()).rem_euclid(SECONDS_OF_A_DAY)
}

impl Propagation {
    fn spread(&self, kind: Kind, number: impl Fn(&Sample) -> f64) -> Spread {
        Spread::of(self.samples.iter().filter(|sample| sample.kind == kind).map(number))
    }

    /// Every change cost one write and no read.
    fn is_lean(&self) -> bool {
        self.samples.iter().all(|sample| (sample.reads, sample.writes) == (0, 1))
    }

    /// Whether the requirements are met.
    pub(crate) fn is_within_bounds(&self) -> bool {
        let quick = [Kind::Added, Kind::Reweighted]
            .iter()
            .all(|kind| self.spread(*kind, |sample| sample.causeway).median <= BOUND_MS);
        quick && self.is_lean() && self.second_start.writes == 0
    }

    pub(crate) fn text(&self) -> String {
        let SecondStart { seconds, reads, writes } = self.second_start;
        let mut text = format!(
            "second start, everything in place: ready after {seconds:.2} s, {reads} reads, {writes} writes\n\
             propagation of one changed instance: {}\n",
            if self.is_lean() { "1 write, no read each" } else { "NOT one write and no read each" }
        );
        for (kind, name, _) in KINDS {
            text += &format!(
                "  {name:<14}  arrival to request  ms {:.2}\n                  file to arrival     ms {:.1}\n",
                self.spread(kind, |sample| sample.causeway),
                self.spread(kind, |sample| sample.source),
            );
        }
        text + &format!(
            "  (a median of at most {BOUND_MS} ms is required for the first two; removals wait 100 ms for quiet)\n\
             \x20 causeway_propagation_seconds, mean to the answer, removals included  ms {:.1}\n",
            self.own_mean
        )
    }

    pub(crate) fn json(&self) -> Value {
        let kinds = KINDS.map(|(kind, name, _)| {
            let samples = self.samples.iter().filter(|sample| sample.kind == kind);
            let (reads, writes) = samples.fold((0, 0), |sum, s| (sum.0 + s.reads, sum.1 + s.writes));
            json!({
                "change": name,
                "reads": reads,
                "writes": writes,
                "arrival_to_request_ms": self.spread(kind, |sample| sample.causeway).json(),
                "file_to_arrival_ms": self.spread(kind, |sample| sample.source).json(),
            })
        });
        let SecondStart { seconds, reads, writes } = self.second_start;
        json!({
            "second_start": { "seconds": seconds, "reads": reads, "writes": writes },
            "changes": kinds,
            "median_bound_ms": BOUND_MS,
            "own_metric_mean_ms": self.own_mean,
        })
    }
}
