//! How long a change takes from the registry to our snapshot, and how much of that a bare client of the same watch needs too.
//!
//! ```text
//!  change n ──▶ registry ──acknowledged
//!                  ├──▶ proxy ──▶ source ──▶ snapshot that holds n: when?
//!                  └──▶ proxy ──▶ bare client ──▶ bytes that hold n: when?
//! ```
//!
//! Each change carries a mark of its own, so both moments are of the same change whatever else is told.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use causeway::registries::{View, ViewEvent};
use causeway_test_support::stats::Spread;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::conformance::{Harness, Inst, Running};

/// What a push registry's median may be over the bare client's, in milliseconds.
const PUSH_BOUND: f64 = 2.0;
/// What a polled one's may be over the poll interval, in milliseconds.
const POLL_MARGIN: f64 = 10.0;
/// Nothing takes so long.
const LIMIT: Duration = Duration::from_secs(120);
/// The metadata key of the mark.
const MARK: &str = "mark";

/// How the registry tells of changes, from which the bound follows.
#[derive(Clone, Copy, Debug)]
pub enum Told {
    /// By itself: the bare client has the same watch.
    Pushed,
    /// When it is asked, which the source does at this interval. The bare client asks all the time, and so knows when the server
    /// shows a change first.
    Polled(Duration),
}

impl Told {
    /// The most that the median of the paired differences may be, in milliseconds.
    fn bound(self) -> f64 {
        match self {
            Self::Pushed => PUSH_BOUND,
            Self::Polled(interval) => milliseconds(interval) + POLL_MARGIN,
        }
    }

    fn beside(self) -> &'static str {
        match self {
            Self::Pushed => "more than a bare client of the same watch",
            Self::Polled(_) => "after the server showed it first",
        }
    }
}

/// How many changes, and at which pace.
#[derive(Clone, Copy, Debug)]
pub struct Changes {
    pub count: u32,
    /// A change comes when the last one has been seen, and up to so much later: at moments that have nothing to do with turns.
    pub apart: Duration,
}

impl Changes {
    /// The pause before one of them. Multiples of the golden ratio spread evenly over the time, in no order.
    pub fn pause(&self, n: u32) -> Duration {
        const GOLDEN: f64 = 0.618_033_988_749_895;
        self.apart.mul_f64((f64::from(n) * GOLDEN).fract())
    }
}

/// Somebody who watches one service.
#[async_trait]
pub trait Watcher: Send + 'static {
    /// The next thing that came, as it came.
    async fn next(&mut self) -> Bytes;
}

/// Our snapshots of a view that watches one service.
struct Snapshots {
    events: UnboundedReceiver<ViewEvent>,
    view: Arc<View>,
}

#[async_trait]
impl Watcher for Snapshots {
    /// The mark of the next snapshot.
    async fn next(&mut self) -> Bytes {
        let event = self.events.recv().await.expect("the view is there");
        let ViewEvent::Service(key) = event else { panic!("{event:?} while nothing is wrong") };
        let reading = self.view.reading(&key).expect("a service that is told of was read");
        let marks = reading.snapshot.instances.values().filter_map(|one| one.metadata.get(MARK));
        marks.map(String::as_str).collect::<String>().into()
    }
}

/// What a watcher sees, and when.
pub struct Seen {
    came: UnboundedReceiver<(Instant, Bytes)>,
    _watching: AbortOnDropHandle<()>,
}

impl Seen {
    pub fn by(mut watcher: impl Watcher) -> Self {
        let (sender, came) = unbounded_channel();
        let watching = tokio::spawn(async move {
            loop {
                let bytes = watcher.next().await;
                if sender.send((Instant::now(), bytes)).is_err() {
                    return;
                }
            }
        });
        Self { came, _watching: AbortOnDropHandle::new(watching) }
    }

    /// When the mark was seen first.
    pub async fn first(&mut self, mark: &str) -> Instant {
        let first = async {
            loop {
                let (at, bytes) = self.came.recv().await.expect("the watcher goes on");
                if bytes.windows(mark.len()).any(|part| part == mark.as_bytes()) {
                    return at;
                }
            }
        };
        timeout(LIMIT, first).await.unwrap_or_else(|_| panic!("{mark} is never seen"))
    }
}

/// What was measured of some changes, in milliseconds.
#[derive(Default)]
pub struct Samples {
    /// From the registry's acknowledgement to our snapshot.
    whole: Vec<f64>,
    /// From the bare client's moment to ours.
    added: Vec<f64>,
}

impl Samples {
    /// Changes one instance again and again. `running` watches its service, and `bare` too; the changes of other services aren't
    /// looked at.
    pub async fn take(
        &mut self,
        changes: Changes,
        running: &Running,
        (harness, instance): (&dyn Harness, &Inst),
        bare: impl Watcher,
    ) {
        let snapshots = Snapshots { events: running.view.subscribe(), view: Arc::clone(&running.view) };
        let (mut ours, mut bare) = (Seen::by(snapshots), Seen::by(bare));
        // The first one only shows that both are there.
        for n in 0..=changes.count {
            sleep(changes.pause(n)).await;
            let mark = format!("change-{n:04}");
            harness.put(&running.namespace, &instance.clone().with(MARK, &mark)).await;
            let acknowledged = Instant::now();
            let (ours, bare) = tokio::join!(ours.first(&mark), bare.first(&mark));
            if n > 0 {
                self.whole.push(between(acknowledged, ours));
                self.added.push(between(bare, ours));
            }
        }
    }

    /// Prints how long it took, and checks the bound.
    pub fn judge(&self, name: &str, told: Told) {
        let [whole, added] = [&self.whole, &self.added].map(|all| Spread::of(all.iter().copied()));
        let (bound, beside) = (told.bound(), told.beside());
        println!("{name}, {} changes, in ms: median (least to most)", self.whole.len());
        println!("  from the registry's acknowledgement to the snapshot: {whole}");
        println!("  {beside}: {added}; the median may be {bound:.0}");
        assert!(added.median <= bound, "{name}: {added} ms, which may be {bound}");
    }
}

/// Takes the samples and judges them.
pub async fn measure(
    name: &str,
    told: Told,
    changes: Changes,
    running: &Running,
    of: (&dyn Harness, &Inst),
    bare: impl Watcher,
) {
    let mut samples = Samples::default();
    samples.take(changes, running, of, bare).await;
    samples.judge(name, told);
}

/// Milliseconds, negative where the second moment came first.
fn between(from: Instant, to: Instant) -> f64 {
    milliseconds(to.saturating_duration_since(from)) - milliseconds(from.saturating_duration_since(to))
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
