//! A registry in use as a destination: what it shows with what was written to it since, and the renewal of the copies in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::siblings::Writers;
use crate::config;
use crate::guard::Time;
use crate::model::{Address, ServiceKey, Snapshot};
use crate::reconcile::source::{SourceEvent, SourceHandle};
use crate::registries::{Change, Destination, InstanceCopy, Life, Renewed, WriteError, Written};
use crate::sync::{CopyId, Filling, Keeper, Mark, Pending};

/// How often it is looked which copies are due to be renewed.
const TICK: Duration = Duration::from_millis(100);

/// A registry in use as a destination, shared by all tasks that write to it.
pub struct DestinationHandle {
    /// What its readers see.
    pub(super) shown: Arc<SourceHandle>,
    pub(super) form: Arc<dyn Destination>,
    /// The namespaces that its configuration leaves us; empty when all.
    allowed: BTreeSet<String>,
    /// Whose copies are kept alive: the deployment, and its running tasks.
    owner: String,
    tasks: Mutex<BTreeSet<String>>,
    pub(super) writers: Writers,
    pending: Mutex<Pending>,
    filling: Mutex<Filling>,
    /// When which copy is renewed; none where they need no renewal.
    keeper: Option<Mutex<Keeper>>,
    wakes: Mutex<Vec<mpsc::UnboundedSender<ServiceKey>>>,
    /// Why the last renewals failed.
    trouble: Mutex<Option<String>>,
}

/// Why a service can't be written to at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Blocked {
    /// It, or something around it, can't be read.
    Unknown(String),
    /// The configuration leaves its namespace out.
    LeftOut,
}

impl DestinationHandle {
    /// A handle for a configured registry that `shown` watches; [`DestinationHandle::run`] keeps the copies in it alive.
    pub(in crate::reconcile) fn new(
        registry: &config::Registry,
        form: Arc<dyn Destination>,
        shown: Arc<SourceHandle>,
        owner: &str,
    ) -> Arc<Self> {
        let keeper = match form.life() {
            Life::Lease { renew_every, .. } => Some(Mutex::new(Keeper::new(renew_every))),
            Life::Permanent => None,
        };
        Arc::new(Self {
            shown,
            form,
            allowed: registry.namespaces.iter().cloned().collect(),
            owner: owner.to_owned(),
            tasks: Mutex::default(),
            writers: Writers::default(),
            pending: Mutex::default(),
            filling: Mutex::default(),
            keeper,
            wakes: Mutex::default(),
            trouble: Mutex::default(),
        })
    }

    /// The registry's configured name.
    pub fn name(&self) -> &str {
        &self.shown.name
    }

    /// What its readers see.
    pub fn shown(&self) -> &Arc<SourceHandle> {
        &self.shown
    }

    /// How copies live in it.
    pub fn life(&self) -> Life {
        self.form.life()
    }

    /// How many services may be written at the same time.
    pub fn width(&self) -> usize {
        self.form.width()
    }

    /// A task's copies are kept alive from now on.
    pub(super) fn keep_copies_of(&self, task: &str) {
        lock(&self.tasks).insert(task.to_owned());
    }

    /// Services that a task has to look at though neither registry shows anything new: a copy was found lost that is still shown, or
    /// another task hands one over.
    pub(super) fn wakes(&self) -> mpsc::UnboundedReceiver<ServiceKey> {
        let (sender, receiver) = mpsc::unbounded_channel();
        lock(&self.wakes).push(sender);
        receiver
    }

    /// Why the last renewals failed, in the registry's or the network's words.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    /// How many copies are kept alive.
    pub fn kept(&self) -> usize {
        self.keeper.as_ref().map_or(0, |keeper| lock(keeper).len())
    }

    /// What stands for a service: what is shown, and what was written since. `None` while it was never read.
    pub(super) fn standing(&self, key: &ServiceKey) -> Option<Arc<Snapshot>> {
        let shown = self.shown.last_shown(key)?;
        let (now, mut pending) = (self.shown.time(), lock(&self.pending));
        let watched = self.shown.view().progress().borrow().named;
        pending.settle(now, &shown, self.form.as_ref(), watched);
        Some(pending.foresee(now, &shown, self.form.as_ref()).map_or(shown, Arc::new))
    }

    /// When what was written to a service has had its time to be shown.
    pub(super) fn pending_until(&self, key: &ServiceKey) -> Option<Time> {
        lock(&self.pending).until(key)
    }

    /// Why what a service shows isn't known at present.
    pub fn unknown(&self, key: &ServiceKey) -> Option<String> {
        self.shown.view().unknown(key).map(|unknown| unknown.reason)
    }

    /// Why a service can't be written to at present.
    pub(super) fn blocked(&self, key: &ServiceKey) -> Option<Blocked> {
        if !self.allowed.is_empty() && !self.allowed.contains(&key.namespace) {
            return Some(Blocked::LeftOut);
        }
        self.unknown(key).map(Blocked::Unknown)
    }

    /// More services wait to be written: until they are, what was written need not be read.
    pub(super) fn goes_on_filling(&self) {
        let put_off = lock(&self.filling).goes_on(Instant::now());
        self.shown.view().put_off().set(put_off);
    }

    /// Hardly any service waits to be written.
    pub(super) fn is_filled(&self) {
        if lock(&self.filling).ends(Instant::now()) {
            self.shown.view().put_off().set(None);
        }
    }

    /// Carries out changes to one service, an outcome for each.
    pub(super) async fn write(
        &self,
        key: &ServiceKey,
        changes: &[Change],
    ) -> Vec<Result<Written, WriteError>> {
        let outcomes = self.form.write(key, changes).await;
        let (now, mut pending) = (self.shown.time(), lock(&self.pending));
        for (change, outcome) in changes.iter().zip(&outcomes) {
            if *outcome == Ok(Written::Done) {
                pending.wrote(now, change, self.form.as_ref());
            }
            if let (Change::Remove(copy), Ok(_), Some(keeper)) = (change, outcome, &self.keeper) {
                lock(keeper).forget(&(key.clone(), copy.instance.address.clone()));
            }
        }
        outcomes
    }

    /// Removes copies that no task carries any more.
    pub(in crate::reconcile) async fn remove_left(
        &self,
        key: &ServiceKey,
        removals: &[Change],
    ) -> Vec<Result<Written, WriteError>> {
        let _turn = self.writers.turn(key).await;
        self.write(key, removals).await
    }

    /// Keeps the copies alive and looks after the registry until `stop`.
    pub(in crate::reconcile) async fn run(self: Arc<Self>, stop: CancellationToken) {
        tokio::join!(self.form.tend(stop.clone()), stop.run_until_cancelled(self.keep()));
    }

    async fn keep(&self) {
        let mut events = self.shown.subscribe();
        self.shown.view().services().iter().for_each(|key| self.follow(key));
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(event) = events.recv() => match event {
                    SourceEvent::Service(key) => self.follow(&key),
                    SourceEvent::Restarted => lock(&self.pending).clear(),
                    SourceEvent::Judge => {}
                },
                _ = ticks.tick(), if self.keeper.is_some() => self.renew_due().await,
            }
        }
    }

    /// Renews from now on what a service shows of ours.
    fn follow(&self, key: &ServiceKey) {
        let Some(keeper) = &self.keeper else { return };
        let addresses: BTreeSet<Address> =
            self.ours(key).into_iter().map(|copy| copy.instance.address).collect();
        lock(keeper).keep(self.shown.time(), key, &addresses);
    }

    /// The copies of running tasks that a service shows.
    fn ours(&self, key: &ServiceKey) -> Vec<InstanceCopy> {
        let Some(snapshot) = self.shown.view().reading(key).map(|reading| reading.snapshot) else {
            return Vec::new();
        };
        let tasks = lock(&self.tasks);
        let is_ours = |mark: &Mark| mark.owner == self.owner && tasks.contains(&mark.task);
        let copies = snapshot.copies.values().flatten().filter_map(|copy| {
            let mark = Mark::read(&copy.metadata).filter(is_ours)?;
            Some(InstanceCopy::new(key.clone(), mark, copy.clone()))
        });
        copies.collect()
    }

    async fn renew_due(&self) {
        let Some(keeper) = &self.keeper else { return };
        let due = lock(keeper).due(self.shown.time());
        if due.is_empty() {
            return;
        }
        let copies = self.copies(&due);
        let outcomes = self.form.renew(&copies).await;
        let mut failure = None;
        for (copy, outcome) in copies.iter().zip(outcomes) {
            match outcome {
                Ok(Renewed::Alive) => {}
                Ok(Renewed::Lost) => self.lost(copy),
                Err(error) => failure = Some(error.message),
            }
        }
        self.note_trouble(failure);
    }

    fn copies(&self, ids: &[CopyId]) -> Vec<InstanceCopy> {
        let mut addresses: BTreeMap<&ServiceKey, BTreeSet<&Address>> = BTreeMap::new();
        for (key, address) in ids {
            addresses.entry(key).or_default().insert(address);
        }
        let copies = addresses.into_iter().flat_map(|(key, due)| {
            let ours = self.ours(key).into_iter();
            ours.filter(move |copy| due.contains(&copy.instance.address))
        });
        copies.collect()
    }

    fn lost(&self, copy: &InstanceCopy) {
        tracing::info!(
            registry = %self.name(), task = %copy.mark.task, service = %copy.key, address = %copy.instance.address,
            "the registry has lost a copy: it is put again"
        );
        lock(&self.pending).lost(self.shown.time(), copy, self.form.as_ref());
        self.tell(&copy.key);
    }

    /// Has every task look at a service.
    pub(super) fn tell(&self, key: &ServiceKey) {
        lock(&self.wakes).retain(|told| told.send(key.clone()).is_ok());
    }

    fn note_trouble(&self, failure: Option<String>) {
        let before = std::mem::replace(&mut *lock(&self.trouble), failure.clone());
        let lives = match self.form.life() {
            Life::Lease { expires_after, .. } => expires_after,
            Life::Permanent => return,
        };
        match (before, failure) {
            (None, Some(reason)) => tracing::warn!(
                registry = %self.name(), %reason,
                "copies can't be renewed; that is tried on, and if it lasts the registry drops each of them {lives:?} after its last renewal"
            ),
            (Some(_), None) => tracing::info!(registry = %self.name(), "copies are renewed again"),
            _ => {}
        }
    }
}

/// Nothing that is done under these locks panics half-way.
pub(in crate::reconcile) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
