//! A registry in use: its adapter, its view, and the guard that sees every snapshot before any task does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::config::{self, RegistryKind};
use crate::guard::{BreakerStatus, Guard, Rules, Scope, Shown, Time};
use crate::model::{Address, Instance, ServiceKey, Snapshot};
use crate::registries::{Interest, Reading, Source, View, ViewEvent};

/// Something a flow should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceEvent {
    /// A service changed.
    Service(ServiceKey),
    /// What is held has to be judged anew: the guard, or what can be read, changed for more than one service.
    Judge,
    /// The registry was seen starting anew: it may have lost anything.
    Restarted,
}

/// A registry in use, shared by all tasks.
pub struct SourceHandle {
    /// Its configured name.
    pub name: String,
    /// Its type.
    pub kind: RegistryKind,
    view: Arc<View>,
    guard: Mutex<Guard>,
    /// A task carries copies too, as those to gateways do; others carry native instances only.
    copies_count: AtomicBool,
    /// When the reading arrived that the guard last saw of each service.
    seen: Mutex<BTreeMap<ServiceKey, Instant>>,
    origin: Instant,
    subscribers: Mutex<Vec<mpsc::UnboundedSender<SourceEvent>>>,
}

impl SourceHandle {
    /// A handle for a configured registry; [`SourceHandle::run`] watches it.
    pub fn new(registry: &config::Registry, rules: Rules) -> Arc<Self> {
        Arc::new(Self {
            name: registry.name.clone(),
            kind: registry.kind,
            view: View::new(&registry.name),
            guard: Mutex::new(Guard::new(rules)),
            copies_count: AtomicBool::new(false),
            seen: Mutex::default(),
            origin: Instant::now(),
            subscribers: Mutex::default(),
        })
    }

    /// What has been read.
    pub fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// The guard, for a short look or a message.
    pub fn guard(&self) -> MutexGuard<'_, Guard> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The guard expects copies to stay as it expects native instances to: a task reads this that carries both.
    pub(super) fn count_copies(&self) {
        self.copies_count.store(true, Ordering::Relaxed);
    }

    /// Now, in the guard's time.
    pub fn time(&self) -> Time {
        self.time_of(Instant::now())
    }

    /// A moment in the guard's time.
    pub fn time_of(&self, at: Instant) -> Time {
        Time(at.saturating_duration_since(self.origin))
    }

    /// The moment of a guard's time.
    pub fn instant_of(&self, time: Time) -> Instant {
        self.origin + time.0
    }

    /// Events from now on.
    pub fn subscribe(&self) -> mpsc::UnboundedReceiver<SourceEvent> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    /// Sets every level to what is shown now, and has everything held judged anew.
    pub fn release(&self) {
        self.change(Guard::release);
    }

    /// Watches until `stop`: the adapter beside the worker that shows the guard what the view tells.
    pub async fn run(
        self: Arc<Self>,
        source: Arc<dyn Source>,
        interest: Arc<dyn Interest>,
        stop: CancellationToken,
    ) {
        let events = self.view.subscribe();
        let watching = source.watch(interest, Arc::clone(&self.view), stop.clone());
        tokio::join!(watching, self.guard_the_view(events, stop));
    }

    async fn guard_the_view(&self, mut events: mpsc::UnboundedReceiver<ViewEvent>, stop: CancellationToken) {
        loop {
            let wake = self.guard().next_change().map(|time| self.instant_of(time));
            tokio::select! {
                () = stop.cancelled() => return,
                event = events.recv() => match event {
                    Some(event) => self.show(event),
                    None => return,
                },
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                    self.change(Guard::tick);
                }
            }
        }
    }

    fn show(&self, event: ViewEvent) {
        match event {
            ViewEvent::Service(key) => {
                self.observed_reading(&key);
                return self.tell(&SourceEvent::Service(key));
            }
            ViewEvent::Unknown(scope) => {
                self.change(|guard, now| guard.unknown(now, &scope));
                self.warn_unknown(&scope);
            }
            ViewEvent::Known(scope) => {
                self.change(|guard, now| guard.known(now, &scope));
                tracing::info!(registry = %self.name, "{scope} can be read again");
            }
            ViewEvent::Reset(scope) => {
                self.change(|guard, now| guard.reset(now, &scope));
                tracing::warn!(
                    registry = %self.name,
                    "{scope} was seen starting anew; what it forgot is held until it is back or the hold is over"
                );
                self.tell(&SourceEvent::Restarted);
            }
        }
        self.tell(&SourceEvent::Judge);
    }

    /// The latest reading of a service, which the guard has seen before anybody acts on it.
    pub(super) fn observed_reading(&self, key: &ServiceKey) -> Option<Reading> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = self.view.reading(key)?;
        if seen.insert(key.clone(), reading.arrived) != Some(reading.arrived) {
            let copies_count = self.copies_count.load(Ordering::Relaxed);
            self.change(|guard, now| guard.observe(now, key, &shown(&reading.snapshot, copies_count)));
        }
        Some(reading)
    }

    /// What a service was last shown with; `None` while it was never read. A namespace that isn't there holds nothing.
    pub fn last_shown(&self, key: &ServiceKey) -> Option<Arc<Snapshot>> {
        let absent =
            || self.view.lacks_namespace(&key.namespace).then(|| Arc::new(Snapshot::empty(key.clone())));
        self.view.reading(key).map(|reading| reading.snapshot).or_else(absent)
    }

    /// Changes the guard, tells of a breaker that opened or closed, and has others judged anew where that may matter to them.
    pub(super) fn change(&self, act: impl FnOnce(&mut Guard, Time) -> bool) {
        let (before, wide, after) = {
            let mut guard = self.guard();
            let before = guard.breaker().open;
            let wide = act(&mut guard, self.time());
            (before, wide, guard.breaker())
        };
        if after.open != before {
            self.report_breaker(&after);
        }
        if wide {
            self.tell(&SourceEvent::Judge);
        }
    }

    fn report_breaker(&self, breaker: &BreakerStatus) {
        if breaker.open {
            tracing::warn!(
                registry = %self.name, lost = breaker.loss, of = breaker.levels, services = breaker.losing,
                "too many instances have vanished at once: nothing missing is removed until they are back, \
                 or until `causeway release {}` lets them go", self.name
            );
        } else {
            tracing::info!(registry = %self.name, "the loss is over; removals go on after the hold");
        }
    }

    fn warn_unknown(&self, scope: &Scope) {
        let Some(unknown) = self.view.unknowns().remove(scope) else { return };
        if unknown.retold {
            tracing::info!(registry = %self.name, reason = %unknown.reason, "{scope} still cannot be read");
            return;
        }
        tracing::warn!(
            registry = %self.name, reason = %unknown.reason,
            "{scope} cannot be read; what was last read stays in force, nothing is removed, and it is tried again"
        );
    }

    fn tell(&self, event: &SourceEvent) {
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|subscriber| subscriber.send(event.clone()).is_ok());
    }
}

/// A snapshot in the guard's terms. Where copies don't count, nobody loses anything with them, and an instance of which only a copy
/// is shown has moved elsewhere.
fn shown(snapshot: &Snapshot, copies_count: bool) -> BTreeMap<Address, Shown> {
    let judge = |instance: &Instance| match (instance.wanted(), instance.healthy) {
        _ if instance.is_copy() && !copies_count => Shown::Intended,
        (false, _) => Shown::Intended,
        (true, true) => Shown::Usable,
        (true, false) => Shown::Unhealthy,
    };
    snapshot.instances.iter().map(|(address, instance)| (address.clone(), judge(instance))).collect()
}
