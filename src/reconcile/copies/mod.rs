//! A running direction of a task between two registries: events of both wake its services, workers take them one at a time, each
//! turn is decided anew and carried out.
//!
//! ```text
//!  SourceHandle of the registry that is read ───┐
//!                                               ├─events─▶ CopyFlow: queue ─▶ look (pure rule) ─▶ write ─▶ DestinationHandle
//!  SourceHandle of the one that is written ─────┘                                                   │  (what pends, renewals)
//!        ▲                                                                                          ▼
//!        └──────────────────────────── what its readers see ◀──────────────────────────────── the registry
//! ```
//!
//! Services go by their names in the registry that is written, where two of them may never be one.

mod destination;
mod explain;
mod interest;
mod siblings;
mod state;
mod status;
mod turns;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

pub use destination::DestinationHandle;
pub(super) use destination::lock;
pub use explain::{CopyState, CopyView, Operation, ServiceView};
pub(super) use interest::{Carried, Copied};
use state::Keys;
pub use state::{CopyOutcome, CopyStatus};
pub(super) use status::status;
pub use turns::Look;

use super::metrics::Metrics;
use super::permit::Permits;
use super::progress::PassProgress;
use super::queue::Queue;
use super::source::{SourceEvent, SourceHandle};
use crate::config::OnStop;
use crate::model::{Address, Instance, ServiceKey, Snapshot, marks};
use crate::registries::{Change, InstanceCopy, Progress};
use crate::sync::{Mark, Unnamed, Way};

/// A running direction of a task between two registries.
pub struct CopyFlow {
    /// What is carried, and what it is called.
    pub way: Arc<Way>,
    /// The registry that is read.
    pub source: Arc<SourceHandle>,
    /// The registry that is written.
    pub destination: Arc<DestinationHandle>,
    mark: Mark,
    keys: Keys,
    queue: Queue<ServiceKey>,
    /// The services of the source that go under one name at the destination; more than one where capitals are lost.
    sources: Mutex<BTreeMap<ServiceKey, BTreeSet<ServiceKey>>>,
    /// What each service that the source ever showed is called at the destination, or why it has no name there; `None` for what no
    /// entry fits.
    names: Mutex<BTreeMap<ServiceKey, Option<Result<ServiceKey, Unnamed>>>>,
    /// Services of which the guard knows what stood before.
    stocked: Mutex<BTreeSet<ServiceKey>>,
    permits: Arc<dyn Permits>,
    metrics: Metrics,
    audit_interval: Option<Duration>,
    changes: AtomicU64,
}

/// What every flow of a program shares.
pub struct Shared {
    /// Who may write.
    pub permits: Arc<dyn Permits>,
    /// What is counted.
    pub metrics: Metrics,
    /// The deployment.
    pub owner: String,
    /// Time between two audits; none when there are none.
    pub audit_interval: Option<Duration>,
}

impl CopyFlow {
    /// A flow; [`CopyFlow::run`] starts it.
    pub fn new(
        way: Arc<Way>,
        source: Arc<SourceHandle>,
        destination: Arc<DestinationHandle>,
        shared: &Shared,
    ) -> Arc<Self> {
        let task = way.task().name.clone();
        destination.keep_copies_of(&task);
        let mark = Mark { origin: way.read().to_owned(), owner: shared.owner.clone(), task };
        let flow = Arc::new(Self {
            way,
            source,
            destination,
            mark,
            keys: Keys::default(),
            queue: Queue::default(),
            sources: Mutex::default(),
            names: Mutex::default(),
            stocked: Mutex::default(),
            permits: Arc::clone(&shared.permits),
            metrics: shared.metrics.clone(),
            audit_interval: shared.audit_interval,
            changes: AtomicU64::new(0),
        });
        flow.destination.writers.add(&flow);
        flow
    }

    /// The mark of its copies.
    pub fn mark(&self) -> &Mark {
        &self.mark
    }

    /// Runs until `stop`: then no new turn begins, and the call returns when those under way have ended and the copies are
    /// withdrawn, where the task wants that.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let (read, written) = (self.source.subscribe(), self.destination.shown.subscribe());
        self.wake_all();
        let ends = [&self.source, &self.destination.shown].map(|end| end.view().progress());
        let [read_on, written_on] =
            ends.map(|progress| stop.run_until_cancelled(self.wake_when_listed(progress)));
        tokio::join!(self.work(), self.pump(read, written, &stop), read_on, written_on);
        if self.way.task().copying.on_stop == OnStop::Withdraw {
            self.withdraw().await;
        }
    }

    async fn pump(
        &self,
        mut read: mpsc::UnboundedReceiver<SourceEvent>,
        mut written: mpsc::UnboundedReceiver<SourceEvent>,
        stop: &CancellationToken,
    ) {
        let mut wakes = self.destination.wakes();
        let mut audits = interval(self.audit_interval.unwrap_or(Duration::from_secs(1)));
        audits.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break self.queue.close(),
                Some(event) = read.recv() => self.on_read(&event),
                Some(event) = written.recv() => self.on_written(event),
                Some(key) = wakes.recv() => self.queue.wake(key, Instant::now()),
                _ = audits.tick(), if self.audit_interval.is_some() => self.wake_all(),
            }
        }
    }

    /// That a service is absent from a list of names tells something, too, and is no event of the service.
    async fn wake_when_listed(&self, mut progress: watch::Receiver<Progress>) {
        while progress.changed().await.is_ok() {
            if progress.borrow_and_update().settled {
                self.wake(self.keys.unread());
            }
        }
    }

    fn on_read(&self, event: &SourceEvent) {
        match event {
            SourceEvent::Service(key) => {
                let Some(there) = self.assign(key) else { return };
                let now = Instant::now();
                let arrived = self.source.view().reading(key).map_or(now, |reading| reading.arrived);
                self.keys.changed(&there, now, arrived);
                self.queue.wake(there, now);
            }
            SourceEvent::Judge | SourceEvent::Restarted => self.wake_waiting(),
        }
    }

    fn on_written(&self, event: SourceEvent) {
        match event {
            SourceEvent::Service(key) if self.concerns(&key) => {
                let now = Instant::now();
                self.keys.changed(&key, now, now);
                self.queue.wake(key, now);
            }
            SourceEvent::Service(_) => {}
            SourceEvent::Judge | SourceEvent::Restarted => self.wake_waiting(),
        }
    }

    /// What a service of the source is called at the destination; `None` when it is not carried.
    fn assign(&self, key: &ServiceKey) -> Option<ServiceKey> {
        let known = lock(&self.names).get(key).cloned();
        known.unwrap_or_else(|| self.find_name(key))?.ok()
    }

    fn find_name(&self, key: &ServiceKey) -> Option<Result<ServiceKey, Unnamed>> {
        let name = self.way.entry(key).map(|_| self.way.there(key));
        match &name {
            Some(Ok(there)) => {
                lock(&self.sources).entry(there.clone()).or_default().insert(key.clone());
            }
            Some(Err(reason)) => {
                let (task, to) = (&self.way.task().name, self.way.written());
                tracing::warn!(%task, service = %key, registry = to, %reason, "the service is not carried: it has no name there");
            }
            None => {}
        }
        lock(&self.names).insert(key.clone(), name.clone());
        name
    }

    /// Whether anything of the task's may stand for this service of the destination.
    fn concerns(&self, key: &ServiceKey) -> bool {
        lock(&self.sources).contains_key(key) || self.way.may_hold(key)
    }

    /// What a service of the destination is called at the source: by the services that are there, by what its copies say, or by
    /// its name.
    fn source_key(&self, key: &ServiceKey, standing: &Snapshot) -> Option<ServiceKey> {
        let copied = self.our_copies(standing).find_map(|copy| copy.metadata.get(marks::SERVICE).cloned());
        let by_name = self.way.back(key).ok();
        let incumbent = match (copied, by_name) {
            (Some(service), Some(by_name)) => Some(ServiceKey { service, ..by_name }),
            (_, by_name) => by_name,
        };
        let named = lock(&self.sources).get(key).cloned().unwrap_or_default();
        let is_listed = |key: &&ServiceKey| self.source.view().reading(key).is_some_and(|it| it.listed);
        let mut listed = named.iter().filter(is_listed);
        match incumbent {
            Some(incumbent) if named.len() < 2 && named.contains(&incumbent) => Some(incumbent),
            Some(incumbent) if is_listed(&&incumbent) => Some(incumbent),
            incumbent => listed.next().or(named.first()).cloned().or(incumbent),
        }
    }

    /// Our copies of a service, as they stand.
    fn our_copies<'s>(&'s self, standing: &'s Snapshot) -> impl Iterator<Item = &'s Instance> {
        standing.copies.values().flatten().filter(|copy| self.mark.owns(&standing.key, copy))
    }

    fn our_addresses(&self, standing: &Snapshot) -> BTreeSet<Address> {
        self.our_copies(standing).map(|copy| copy.address.clone()).collect()
    }

    fn is_first_look(&self, key: &ServiceKey) -> bool {
        lock(&self.stocked).insert(key.clone())
    }

    /// Whether people mean this service of the destination by `name`: by its name at either end.
    pub fn is_named(&self, key: &ServiceKey, name: &str) -> bool {
        let carried =
            lock(&self.sources).get(key).is_some_and(|there| there.iter().any(|it| it.is_named(name)));
        carried || key.is_named(name) || self.way.back(key).is_ok_and(|source| source.is_named(name))
    }

    /// Every service that the source shows and the task carries, by its name at the destination.
    pub fn carried_keys(&self) -> BTreeSet<ServiceKey> {
        self.source.view().services().iter().filter_map(|key| self.assign(key)).collect()
    }

    /// Every service that may have to be looked at, by its name at the destination.
    pub fn all_keys(&self) -> BTreeSet<ServiceKey> {
        let mut keys = self.carried_keys();
        keys.extend(self.destination.shown.view().services().into_iter().filter(|key| self.concerns(key)));
        keys
    }

    fn wake_all(&self) {
        self.wake(self.all_keys());
    }

    fn wake_waiting(&self) {
        self.wake(self.keys.waiting_for_judgement());
    }

    fn wake(&self, keys: impl IntoIterator<Item = ServiceKey>) {
        let now = Instant::now();
        keys.into_iter().for_each(|key| self.queue.wake(key, now));
    }

    /// Takes one key after the other, and so many at the same time as the destination wants.
    async fn work(&self) {
        let width = self.destination.form.width();
        let mut turns = FuturesUnordered::new();
        loop {
            tokio::select! {
                next = self.queue.next(), if turns.len() < width => match next {
                    Some(key) => turns.push(self.take(key)),
                    None => break,
                },
                Some(()) = turns.next() => {}
            }
        }
        while turns.next().await.is_some() {}
    }

    async fn take(&self, key: ServiceKey) {
        self.reconcile(&key).await;
        self.queue.done(&key);
        if !self.has_backlog() {
            self.destination.is_filled();
        }
    }

    /// Removes every copy of the task's. What can't be removed ends by itself, or is found by the next start.
    async fn withdraw(&self) {
        let mut failed = 0;
        for key in self.all_keys() {
            let Some(standing) = self.destination.standing(&key) else { continue };
            let removal = |copy: &Instance| {
                Change::remove(InstanceCopy::new(key.clone(), self.mark.clone(), copy.clone()))
            };
            let removals: Vec<Change> = self.our_copies(&standing).map(removal).collect();
            if !removals.is_empty() {
                let outcomes = self.destination.write(&key, &removals).await;
                failed += outcomes.iter().filter(|outcome| outcome.is_err()).count();
            }
        }
        if failed > 0 {
            tracing::warn!(
                task = %self.way.task().name, registry = self.way.written(), failed,
                "copies could not be withdrawn; they end by themselves where the registry lets them, or the next start finds them"
            );
        }
    }

    /// How far the first pass has come.
    pub fn progress(&self) -> PassProgress {
        let keys = self.carried_keys();
        let settled = |source: &SourceHandle| source.view().progress().borrow().settled;
        let statuses = self.keys.statuses();
        let done = keys.iter().filter(|key| statuses.get(key).is_some_and(|status| status.done)).count();
        let unreadable = keys.iter().filter(|key| self.is_unreadable(key)).count();
        let complete =
            settled(&self.source) && settled(&self.destination.shown) && done + unreadable >= keys.len();
        PassProgress { done, all: keys.len(), changes: self.changes(), complete }
    }

    /// Whether a service was tried and cannot be read at one of the two ends.
    fn is_unreadable(&self, key: &ServiceKey) -> bool {
        let unread = |source: &SourceHandle, key: &ServiceKey| {
            source.view().reading(key).is_none() && source.view().unknown(key).is_some()
        };
        unread(&self.destination.shown, key) || self.way.back(key).is_ok_and(|key| unread(&self.source, &key))
    }

    /// How every service stands, by its name at the destination.
    pub fn statuses(&self) -> BTreeMap<ServiceKey, CopyStatus> {
        self.keys.statuses()
    }

    /// Services of the source that have no name at the destination, with the reason.
    pub fn unnamed(&self) -> BTreeMap<ServiceKey, String> {
        let names = lock(&self.names);
        let unnamed = names
            .iter()
            .filter_map(|(key, name)| Some((key.clone(), name.as_ref()?.as_ref().err()?.to_string())));
        unnamed.collect()
    }

    /// Writes carried out.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Services that are due and wait for a worker.
    pub fn queued(&self) -> usize {
        self.queue.depth().0
    }

    /// Services whose turn is under way.
    pub fn busy(&self) -> Vec<ServiceKey> {
        self.queue.busy()
    }
}
