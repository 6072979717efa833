//! What a flow of copies remembers of each service: only what is re-derived after a restart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use causeway_gateways::Retry;
use tokio::time::Instant;

use super::destination::lock;
use super::turns::Look;
use crate::model::{Address, ServiceKey};
use crate::reconcile::backoff::Backoff;
use crate::reconcile::window::Window;
use crate::registries::{Change, InstanceCopy};
use crate::sync::{HeldCopy, Outcome};

/// How the copies of one service stand, for status.
#[derive(Clone, Debug, Default)]
pub struct CopyStatus {
    /// Its name in the registry that is read; `None` while that is not known.
    pub source: Option<ServiceKey>,
    /// Its first turn is done.
    pub done: bool,
    /// One side was not read completely at the last turn: nothing can be said.
    pub unread: bool,
    /// What is to be done about each address.
    pub outcomes: BTreeMap<Address, Outcome>,
    /// Removals that wait.
    pub held: Vec<HeldCopy>,
    /// Where somebody else's entry was met that had not been shown yet.
    pub taken: Vec<Address>,
    /// Copies that stand otherwise than they were written: somebody else changes them, or the registry does.
    pub changed: Vec<Address>,
    /// What the task's settings keep back.
    pub withheld: Vec<Change>,
    /// Why nothing can be done for it at present.
    pub waiting: Option<String>,
    /// Why the last turn failed.
    pub error: Option<String>,
}

#[derive(Default)]
struct KeyState {
    window: Window,
    arrived: Option<Instant>,
    backoff: Backoff,
    /// The last put of each copy, and when.
    puts: BTreeMap<Address, (Arc<InstanceCopy>, Instant)>,
    status: CopyStatus,
}

/// All services of one flow, by their names at the destination.
#[derive(Default)]
pub(super) struct Keys {
    states: Mutex<BTreeMap<ServiceKey, KeyState>>,
}

/// What came of a turn.
#[derive(Debug, Default)]
pub struct CopyOutcome {
    /// The last look: what it would change could not be done, or may not be done yet.
    pub look: Look,
    /// Why some of it failed, with when to try again.
    pub failure: Option<(String, Retry)>,
    /// Where somebody else's entry was met.
    pub taken: Vec<Address>,
    /// Writes carried out.
    pub changes: usize,
}

impl Keys {
    fn with<T>(&self, key: &ServiceKey, act: impl FnOnce(&mut KeyState) -> T) -> T {
        act(lock(&self.states).entry(key.clone()).or_default())
    }

    /// One of the two registries showed a change.
    pub(super) fn changed(&self, key: &ServiceKey, now: Instant, arrived: Instant) {
        self.with(key, |state| {
            state.window.event(now);
            state.arrived.get_or_insert(arrived);
        });
    }

    /// A turn begins; answers when the change that it carries arrived.
    pub(super) fn begin(&self, key: &ServiceKey) -> Option<Instant> {
        self.with(key, |state| {
            state.window.turn_begins(Instant::now());
            state.arrived.take()
        })
    }

    /// Whether removals need not wait for the quiet window.
    pub(super) fn is_quiet(&self, key: &ServiceKey) -> bool {
        let now = Instant::now();
        self.with(key, |state| state.window.is_quiet(now))
    }

    /// Those of these copies, all of which stand otherwise, that were put just like this within `interval`: to put them again would
    /// be of no use, or a quarrel with whoever changes them.
    pub(super) fn put_lately(
        &self,
        key: &ServiceKey,
        copies: impl Iterator<Item = Arc<InstanceCopy>>,
        interval: Option<Duration>,
    ) -> Vec<Address> {
        self.with(key, |state| {
            let lately = |at: &Instant| interval.is_none_or(|interval| at.elapsed() < interval);
            let repeats = copies.filter(|copy| {
                let last = state.puts.get(&copy.instance.address);
                last.is_some_and(|(put, at)| put == copy && lately(at))
            });
            repeats.map(|copy| copy.instance.address.clone()).collect()
        })
    }

    /// A change was carried out.
    pub(super) fn wrote(&self, key: &ServiceKey, change: &Change) {
        self.with(key, |state| match change {
            Change::Put(copy) => {
                state.puts.insert(copy.instance.address.clone(), (Arc::clone(copy), Instant::now()));
            }
            Change::Remove(copy) => drop(state.puts.remove(&copy.instance.address)),
        });
    }

    /// Keeps what came of a turn; answers when the next is due by itself.
    pub(super) fn settle(
        &self,
        key: &ServiceKey,
        outcome: CopyOutcome,
        interval: Option<Duration>,
        later: impl IntoIterator<Item = Instant>,
    ) -> Option<Instant> {
        self.with(key, |state| {
            let again = state.put_again_at(&outcome.look.changed, interval);
            let retry = state.note_failure(key, outcome.failure);
            let quiet = state.window.turn_ends(outcome.look.removes());
            let Look { turn, source, changed, withheld, waiting, .. } = outcome.look;
            let status = &mut state.status;
            status.unread = turn.unread;
            status.done |= !turn.unread;
            status.source = source;
            status.outcomes = turn.outcomes;
            status.held = turn.held;
            status.taken = outcome.taken;
            (status.changed, status.withheld, status.waiting) = (changed, withheld, waiting);
            [retry, quiet, again].into_iter().flatten().chain(later).min()
        })
    }

    /// Services for which something is held, waits, or has not been done yet.
    pub(super) fn waiting_for_judgement(&self) -> Vec<ServiceKey> {
        let states = lock(&self.states);
        let waiting = states.iter().filter(|(_, state)| {
            let status = &state.status;
            !status.held.is_empty() || status.waiting.is_some() || !status.done
        });
        waiting.map(|(key, _)| key.clone()).collect()
    }

    /// Services of which one side was not read completely when they were last looked at.
    pub(super) fn unread(&self) -> Vec<ServiceKey> {
        let states = lock(&self.states);
        states.iter().filter(|(_, state)| state.status.unread).map(|(key, _)| key.clone()).collect()
    }

    /// Whether a service has had its first turn.
    pub(super) fn had_first_turn(&self, key: &ServiceKey) -> bool {
        lock(&self.states).get(key).is_some_and(|state| state.status.done)
    }

    /// How one service stands.
    pub(super) fn status_of(&self, key: &ServiceKey) -> CopyStatus {
        lock(&self.states).get(key).map(|state| state.status.clone()).unwrap_or_default()
    }

    /// How every service stands.
    pub(super) fn statuses(&self) -> BTreeMap<ServiceKey, CopyStatus> {
        lock(&self.states).iter().map(|(key, state)| (key.clone(), state.status.clone())).collect()
    }
}

impl KeyState {
    fn note_failure(&mut self, key: &ServiceKey, failure: Option<(String, Retry)>) -> Option<Instant> {
        let Some((message, retry)) = failure else {
            self.backoff.reset();
            self.status.error = None;
            return None;
        };
        if retry == Retry::Never && self.status.error.as_ref() != Some(&message) {
            tracing::warn!(
                service = %key, reason = %message,
                "the destination refuses this; tried again at each audit and when the service changes"
            );
        }
        self.status.error = Some(message);
        self.backoff.failed(retry)
    }

    /// When the first of these copies may be put again though it was put just like this.
    fn put_again_at(&self, changed: &[Address], interval: Option<Duration>) -> Option<Instant> {
        let puts = changed.iter().filter_map(|address| self.puts.get(address));
        puts.map(|(_, at)| *at).min().zip(interval).map(|(at, interval)| at + interval)
    }
}
