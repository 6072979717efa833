//! A running task: events wake its services, workers take them one at a time, each turn is planned anew and carried out.

mod journal;
mod state;
mod turns;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use causeway_gateways::{Mark, ObjectKey, Retry};
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use state::KeyStatus;
use state::Keys;

use super::audit::standing_keys;
use super::gateway::{GatewayEvent, GatewayHandle};
use super::metrics::Metrics;
use super::permit::Permits;
use super::progress::PassProgress;
use super::queue::Queue;
use super::source::{SourceEvent, SourceHandle};
use super::turn::{Turn, instance_address};
use crate::config;
use crate::model::{Address, ServiceKey};

/// A running task from a registry to a gateway.
pub struct Flow {
    /// The task.
    pub task: Arc<config::Task>,
    /// Its registry.
    pub source: Arc<SourceHandle>,
    /// Its gateway.
    pub gateway: Arc<GatewayHandle>,
    mark: Mark,
    keys: Keys,
    queue: Queue<ServiceKey>,
    permits: Arc<dyn Permits>,
    metrics: Metrics,
    changes: AtomicU64,
}

/// How one turn ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The last turn as planned; its plan holds what could not be done or may not be done yet.
    pub turn: Turn,
    /// Why some of it failed, with when to try again.
    pub failure: Option<(String, Retry)>,
    /// Writes carried out.
    pub changes: usize,
}

impl Flow {
    /// A flow; [`Flow::run`] starts it.
    pub fn new(
        task: Arc<config::Task>,
        source: Arc<SourceHandle>,
        gateway: Arc<GatewayHandle>,
        permits: Arc<dyn Permits>,
        metrics: Metrics,
    ) -> Arc<Self> {
        let mark = Mark::new(&gateway.owner, &task.name);
        source.count_copies();
        let (keys, queue, changes) = (Keys::default(), Queue::default(), AtomicU64::new(0));
        Arc::new(Self { task, source, gateway, mark, keys, queue, permits, metrics, changes })
    }

    /// The mark of what it makes.
    pub fn mark(&self) -> &Mark {
        &self.mark
    }

    /// Runs until `stop`: then no new turn begins, and the call returns when those under way have ended.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let source_events = self.source.subscribe();
        let gateway_events = self.gateway.subscribe();
        tokio::select! {
            () = self.gateway.until_ready() => {}
            () = stop.cancelled() => return,
        }
        self.take_stock();
        self.wake_all();
        let pump = self.pump(source_events, gateway_events, &stop);
        tokio::join!(self.work(&stop), pump);
    }

    /// Tells the guard what stands: the levels start from it.
    pub fn take_stock(&self) {
        for key in standing_keys(&self.gateway, &self.mark, &self.task.source) {
            if self.matches(&key) {
                let standing = self.standing(&key);
                self.source.change(|guard, now| guard.standing(now, &key, &standing));
            } else {
                self.source.change(|guard, now| guard.intend(now, &key));
            }
        }
    }

    /// The addresses of our targets that stand for a service.
    fn standing(&self, key: &ServiceKey) -> BTreeSet<Address> {
        let selector = causeway_gateways::tags::selector(&self.task.source, &key.namespace, &key.service);
        let world = self.gateway.world();
        let upstreams = world.made_for(&selector).into_iter().filter_map(|found| match found {
            ObjectKey::Upstream(name) => world.upstream(&name),
            _ => None,
        });
        let targets = upstreams.flat_map(|upstream| upstream.targets.iter().flatten());
        targets
            .filter(|(_, target)| self.mark.owns(&target.tags))
            .map(|(target, live)| instance_address(target, live))
            .collect()
    }

    /// How far the first pass has come.
    pub fn progress(&self) -> PassProgress {
        let settled = self.source.view().progress().borrow().settled;
        let matched = self.matched_keys();
        let done = self.keys.done(&matched);
        let complete =
            settled && self.gateway.was_read() && done + self.unreadable(&matched) >= matched.len();
        PassProgress { done, all: matched.len(), changes: self.changes.load(Ordering::Relaxed), complete }
    }

    /// How many services were tried and cannot be read.
    fn unreadable(&self, keys: &BTreeSet<ServiceKey>) -> usize {
        let view = self.source.view();
        keys.iter().filter(|key| view.reading(key).is_none() && view.unknown(key).is_some()).count()
    }

    /// How every service stands.
    pub fn statuses(&self) -> BTreeMap<ServiceKey, KeyStatus> {
        self.keys.statuses()
    }

    /// How one service stands.
    pub(super) fn status_of(&self, key: &ServiceKey) -> KeyStatus {
        self.keys.status_of(key)
    }

    /// Services that are due and wait for a worker.
    pub fn queued(&self) -> usize {
        self.queue.depth().0
    }

    /// Services whose turn is under way.
    pub fn busy(&self) -> Vec<ServiceKey> {
        self.queue.busy()
    }

    /// Every service that the task matches, and every one for which something of the task stands.
    pub fn all_keys(&self) -> BTreeSet<ServiceKey> {
        let mut keys = self.matched_keys();
        keys.extend(standing_keys(&self.gateway, &self.mark, &self.task.source));
        keys
    }

    /// Every service that the registry shows and the task matches.
    pub fn matched_keys(&self) -> BTreeSet<ServiceKey> {
        let mut keys = self.source.view().services();
        keys.retain(|key| self.matches(key));
        keys
    }

    fn matches(&self, key: &ServiceKey) -> bool {
        self.task.entry_for(&key.namespace, &key.service).is_some()
    }

    fn wake_all(&self) {
        let now = Instant::now();
        for key in self.all_keys() {
            self.queue.wake(key, now);
        }
    }

    fn wake_held(&self) {
        let now = Instant::now();
        for key in self.keys.waiting_for_judgement() {
            self.queue.wake(key, now);
        }
    }

    async fn pump(
        &self,
        mut source: mpsc::UnboundedReceiver<SourceEvent>,
        mut gateway: mpsc::UnboundedReceiver<GatewayEvent>,
        stop: &CancellationToken,
    ) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break self.queue.close(),
                Some(event) = source.recv() => self.on_source(event),
                Some(event) = gateway.recv() => self.on_gateway(event),
            }
        }
    }

    fn on_source(&self, event: SourceEvent) {
        match event {
            SourceEvent::Service(key) if self.matches(&key) => {
                let now = Instant::now();
                let arrived = self.source.view().reading(&key).map_or(now, |reading| reading.arrived);
                self.keys.changed(&key, now, arrived);
                self.queue.wake(key, now);
            }
            SourceEvent::Service(_) | SourceEvent::Restarted => {}
            SourceEvent::Judge => self.wake_held(),
        }
    }

    fn on_gateway(&self, event: GatewayEvent) {
        match event {
            GatewayEvent::Audited => self.wake_all(),
            GatewayEvent::Drifted { registry, key } if registry == self.task.source => {
                self.queue.wake(key, Instant::now());
            }
            GatewayEvent::Drifted { .. } => {}
        }
    }

    /// Takes one key after the other, and so many at the same time as the gateway wants.
    async fn work(&self, stop: &CancellationToken) {
        let width = self.gateway.gateway.width();
        let mut turns = FuturesUnordered::new();
        loop {
            tokio::select! {
                next = self.queue.next(), if turns.len() < width => match next {
                    Some(key) => turns.push(self.take(key, stop)),
                    None => break,
                },
                Some(()) = turns.next() => {}
            }
        }
        while turns.next().await.is_some() {}
    }

    async fn take(&self, key: ServiceKey, stop: &CancellationToken) {
        let ready = tokio::select! {
            () = self.gateway.until_ready() => true,
            () = stop.cancelled() => false,
        };
        if ready {
            self.reconcile(&key).await;
        }
        self.queue.done(&key);
    }
}

/// When removals may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removals {
    /// When the service has been quiet for the window.
    AfterQuiet,
    /// At once: a single pass has no events to wait for.
    Now,
}
