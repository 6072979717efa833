//! A first pass into an empty gateway, and the bare loop's way of doing the same.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use causeway_test_support::kong::{KongStandIn, Recorded};
use causeway_test_support::process::Failure;
use causeway_test_support::stats::Spread;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::causeway::Causeway;
use crate::replay;
use crate::scene::Scene;
use crate::{CONCURRENCY, Options};

/// The required bound on Causeway's time as a multiple of the bare loop's.
pub(crate) const BOUND: f64 = 1.15;

const LIMIT: Duration = Duration::from_secs(120);
/// So long nothing more may come after the last write.
const QUIET: Duration = Duration::from_millis(500);

/// One first pass. Times in seconds, on the stand-in's clock.
struct Pass {
    /// From the start of the process to the arrival of the last write.
    total: f64,
    /// Of that, until the first request arrived.
    starting: f64,
    /// Of that, from the first request to the first write: the gateway's first reading, and the rest of the source's.
    reading: f64,
    reads: usize,
    writes: usize,
    cpu: f64,
    resident: f64,
    peak: f64,
}

/// The bare loop, from its first request's arrival to its last write's.
struct Bare {
    total: f64,
    cpu: f64,
}

/// All rounds.
pub(crate) struct FirstPass {
    rounds: Vec<(Pass, Bare)>,
}

/// Measures first passes and bare loops in turn.
pub(crate) async fn measure(options: &Options) -> Result<FirstPass, Failure> {
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        let (pass, requests, scene) = first_pass(options).await?;
        let bare = bare_loop(options, &requests, &scene).await?;
        rounds.push((pass, bare));
    }
    Ok(FirstPass { rounds })
}

async fn first_pass(options: &Options) -> Result<(Pass, Vec<Recorded>, Scene), Failure> {
    let kong = options.kong().await;
    let scene = Scene::new(options.services, options.instances, &kong.admin_url())?;
    let mut causeway = Causeway::start(&options.binary()?, &scene, "info")?;
    let wanted = scene.objects();
    causeway.wait_until("the first pass", LIMIT, || kong.writes() >= wanted).await?;
    sleep(QUIET).await;
    let usage = causeway.usage()?;
    let requests = kong.requests();
    check(&requests, wanted)?;
    let seconds = |from: Instant, to: Instant| (to - from).as_secs_f64();
    let (first, first_write, last) = edges(&requests)?;
    let writes = requests.iter().filter(|request| request.method != "GET").count();
    let pass = Pass {
        total: seconds(causeway.started, last),
        starting: seconds(causeway.started, first),
        reading: seconds(first, first_write),
        reads: requests.len() - writes,
        writes,
        cpu: usage.cpu,
        resident: usage.resident,
        peak: usage.peak,
    };
    Ok((pass, requests, scene))
}

async fn bare_loop(options: &Options, requests: &[Recorded], scene: &Scene) -> Result<Bare, Failure> {
    let file = scene.path("requests.json");
    replay::save(requests, &file)?;
    let kong = options.kong().await;
    let cpu = run_replay(&kong, &file).await?;
    let seen = kong.requests();
    check(&seen, scene.objects())?;
    let (first, _, last) = edges(&seen)?;
    Ok(Bare { total: (last - first).as_secs_f64(), cpu })
}

/// In a process of its own, as Causeway is one.
async fn run_replay(kong: &KongStandIn, requests: &Path) -> Result<f64, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["replay", "--url", &kong.admin_url(), "--concurrency", &CONCURRENCY.to_string()]);
    command.arg("--requests").arg(requests).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output()).await??;
    if !output.status.success() {
        return Err(format!("the bare loop ended with {}", output.status).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

/// Every write was needed, and every request was granted.
fn check(requests: &[Recorded], wanted: u64) -> Result<(), Failure> {
    let refused = requests.iter().find(|request| !matches!(request.status, Some(200 | 201)));
    if let Some(refused) = refused {
        return Err(format!("{} {} got {:?}", refused.method, refused.path, refused.status).into());
    }
    let writes = requests.iter().filter(|request| request.method != "GET").count() as u64;
    if writes == wanted { Ok(()) } else { Err(format!("{writes} writes in place of {wanted}").into()) }
}

/// When the first request, the first write and the last write arrived.
fn edges(requests: &[Recorded]) -> Result<(Instant, Instant, Instant), Failure> {
    let mut writes = requests.iter().filter(|request| request.method != "GET");
    let (first, first_write) = (requests.first(), writes.next());
    let last = writes.next_back().or(first_write);
    let edges = first.zip(first_write).zip(last).ok_or("no request came")?;
    let ((first, first_write), last) = edges;
    Ok((first.at, first_write.at, last.at))
}

impl FirstPass {
    fn spread(&self, number: impl Fn(&(Pass, Bare)) -> f64) -> Spread {
        Spread::of(self.rounds.iter().map(number))
    }

    fn ratio(&self) -> Spread {
        self.spread(|(pass, bare)| pass.total / bare.total)
    }

    /// Whether the requirement is met.
    pub(crate) fn is_within_bounds(&self) -> bool {
        self.ratio().median <= BOUND
    }

    pub(crate) fn text(&self) -> String {
        let counts = self.rounds.last().map_or((0, 0), |(pass, _)| (pass.reads, pass.writes));
        format!(
            "first pass: {} reads, {} writes in each of {} rounds\n\
             \x20 causeway, start to last write   s {:.2}\n\
             \x20   process start                 s {:.3}\n\
             \x20   reading file and gateway      s {:.3}\n\
             \x20   changes a second while writing  {:.0}\n\
             \x20   CPU                           s {:.2}\n\
             \x20   resident at the end         MiB {:.1}\n\
             \x20   peak                        MiB {:.1}\n\
             \x20 bare loop                       s {:.2}\n\
             \x20   CPU                           s {:.2}\n\
             \x20 causeway / bare loop              {:.3}   (at most {BOUND} is required)\n",
            counts.0,
            counts.1,
            self.rounds.len(),
            self.spread(|(pass, _)| pass.total),
            self.spread(|(pass, _)| pass.starting),
            self.spread(|(pass, _)| pass.reading),
            self.spread(|(pass, _)| pass.rate()),
            self.spread(|(pass, _)| pass.cpu),
            self.spread(|(pass, _)| pass.resident),
            self.spread(|(pass, _)| pass.peak),
            self.spread(|(_, bare)| bare.total),
            self.spread(|(_, bare)| bare.cpu),
            self.ratio(),
        )
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "rounds": self.rounds.len(),
            "reads": self.rounds.last().map(|(pass, _)| pass.reads),
            "writes": self.rounds.last().map(|(pass, _)| pass.writes),
            "causeway_seconds": self.spread(|(pass, _)| pass.total).json(),
            "process_start_seconds": self.spread(|(pass, _)| pass.starting).json(),
            "reading_seconds": self.spread(|(pass, _)| pass.reading).json(),
            "changes_per_second": self.spread(|(pass, _)| pass.rate()).json(),
            "causeway_cpu_seconds": self.spread(|(pass, _)| pass.cpu).json(),
            "resident_mib": self.spread(|(pass, _)| pass.resident).json(),
            "peak_mib": self.spread(|(pass, _)| pass.peak).json(),
            "bare_loop_seconds": self.spread(|(_, bare)| bare.total).json(),
            "bare_loop_cpu_seconds": self.spread(|(_, bare)| bare.cpu).json(),
            "ratio": self.ratio().json(),
            "ratio_bound": BOUND,
        })
    }
}

impl Pass {
    fn rate(&self) -> f64 {
        self.writes as f64 / (self.total - self.starting - self.reading)
    }
}
