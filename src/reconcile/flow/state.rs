//! What a flow remembers of each service: only what is re-derived after a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use causeway_gateways::{Conflict, Kept, ObjectKey, Retiring, Retry, Waiting};
use tokio::time::Instant;

use super::Outcome;
use crate::model::ServiceKey;
use crate::project::Note;
use crate::reconcile::backoff::Backoff;
use crate::reconcile::status::WithheldCounts;
use crate::reconcile::turn::HeldTarget;
use crate::reconcile::window::Window;

/// How one service stands, for status.
#[derive(Clone, Debug, Default)]
pub struct KeyStatus {
    /// Its first turn is done.
    pub done: bool,
    /// Removals that wait.
    pub held: Vec<HeldTarget>,
    /// What somebody else holds.
    pub conflicts: Vec<Conflict>,
    /// What cannot be written before somebody else has done something.
    pub waiting: Vec<Waiting>,
    /// What stays because somebody else uses it.
    pub kept: Vec<Kept>,
    /// What will be removed when it has been unwanted for long enough.
    pub retiring: BTreeMap<ObjectKey, Instant>,
    /// Why the last turn failed.
    pub error: Option<String>,
    /// Instances that cannot be targets, with the reason.
    pub skipped: Vec<String>,
    /// What the task's settings keep back.
    pub withheld: WithheldCounts,
    /// What its user should know of its groups and its split.
    pub notes: Vec<Note>,
}

#[derive(Default)]
struct KeyState {
    window: Window,
    arrived: Option<Instant>,
    /// When the change arrived that the turns under way carry.
    carried: Option<Instant>,
    backoff: Backoff,
    status: KeyStatus,
}

/// All services of one flow.
#[derive(Default)]
pub(super) struct Keys {
    states: Mutex<BTreeMap<ServiceKey, KeyState>>,
}

impl Keys {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ServiceKey, KeyState>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, key: &ServiceKey, act: impl FnOnce(&mut KeyState) -> T) -> T {
        act(self.lock().entry(key.clone()).or_default())
    }

    /// The registry showed a change.
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
            state.carried = state.carried.or(state.arrived.take());
            state.carried
        })
    }

    /// Whether removals need not wait for the quiet window.
    pub(super) fn is_quiet(&self, key: &ServiceKey) -> bool {
        let now = Instant::now();
        self.with(key, |state| state.window.is_quiet(now))
    }

    /// Notes what is unwanted since when, and answers what may go now if a reading shows it unused.
    pub(super) fn retirable(
        &self,
        key: &ServiceKey,
        retiring: &[Retiring],
        retire_after: Duration,
    ) -> BTreeSet<ObjectKey> {
        let now = Instant::now();
        self.with(key, |state| {
            let known = std::mem::take(&mut state.status.retiring);
            // The time of an upstream runs from when nothing leads to it any more.
            for object in retiring.iter().filter(|object| object.unused) {
                let since = known.get(&object.key).copied().unwrap_or(now);
                state.status.retiring.insert(object.key.clone(), since);
            }
            let due = state
                .status
                .retiring
                .iter()
                .filter(|(object, since)| due_at(object, **since, retire_after) <= now);
            due.map(|(object, _)| object.clone()).collect()
        })
    }

    /// Conflicts that are new, and those that are no more.
    pub(super) fn conflicts_changed(
        &self,
        key: &ServiceKey,
        now: &[Conflict],
    ) -> (Vec<Conflict>, Vec<Conflict>) {
        self.with(key, |state| {
            let before = &state.status.conflicts;
            let new = now.iter().filter(|conflict| !before.contains(conflict)).cloned().collect();
            let gone = before.iter().filter(|old| !now.iter().any(|c| c.key == old.key)).cloned().collect();
            (new, gone)
        })
    }

    /// Those of these notes that were not there after the last turn.
    pub(super) fn new_notes(&self, key: &ServiceKey, now: Vec<Note>) -> Vec<Note> {
        self.with(key, |state| now.into_iter().filter(|note| !state.status.notes.contains(note)).collect())
    }

    /// Keeps what came of a turn; answers when the next is due by itself.
    pub(super) fn settle(
        &self,
        key: &ServiceKey,
        outcome: &Outcome,
        held_until: Option<Instant>,
        retire_after: Duration,
    ) -> Option<Instant> {
        self.with(key, |state| {
            let plan = &outcome.turn.plan;
            state.status.done |= !outcome.turn.unread;
            state.status.held = outcome.turn.held.clone();
            state.status.conflicts = plan.conflicts.clone();
            state.status.waiting = plan.waiting.clone();
            state.status.kept = plan.kept.clone();
            state.status.skipped = skipped(outcome);
            state.status.withheld = plan.withheld.iter().collect();
            state.status.notes = outcome.turn.notes();
            let retry = state.note_failure(key, outcome);
            let quiet = state.settle_window(outcome);
            // What was due and failed waits for its retry.
            let retiring = state.status.retiring.iter().filter(|_| outcome.failure.is_none());
            let retired = retiring.map(|(object, since)| due_at(object, *since, retire_after)).min();
            [retry, quiet, held_until, retired].into_iter().flatten().min()
        })
    }

    /// Services for which something is held, or fails until somebody acts.
    pub(super) fn waiting_for_judgement(&self) -> Vec<ServiceKey> {
        let states = self.lock();
        let waiting = states.iter().filter(|(_, state)| !state.status.held.is_empty() || !state.status.done);
        waiting.map(|(key, _)| key.clone()).collect()
    }

    /// Whether a service has had its first turn.
    pub(super) fn had_first_turn(&self, key: &ServiceKey) -> bool {
        self.lock().get(key).is_some_and(|state| state.status.done)
    }

    /// How many of these have had their first turn.
    pub(super) fn done(&self, keys: &BTreeSet<ServiceKey>) -> usize {
        let states = self.lock();
        keys.iter().filter(|key| states.get(key).is_some_and(|state| state.status.done)).count()
    }

    /// How one service stands.
    pub(super) fn status_of(&self, key: &ServiceKey) -> KeyStatus {
        self.lock().get(key).map(|state| state.status.clone()).unwrap_or_default()
    }

    /// How every service stands.
    pub(super) fn statuses(&self) -> BTreeMap<ServiceKey, KeyStatus> {
        self.lock().iter().map(|(key, state)| (key.clone(), state.status.clone())).collect()
    }
}

impl KeyState {
    fn note_failure(&mut self, key: &ServiceKey, outcome: &Outcome) -> Option<Instant> {
        let Some((message, retry)) = &outcome.failure else {
            self.backoff.reset();
            self.status.error = None;
            return None;
        };
        if *retry == Retry::Never && self.status.error.as_ref() != Some(message) {
            tracing::warn!(
                service = %key, reason = %message,
                "the gateway refuses this; tried again at each audit and when the service changes"
            );
        }
        self.status.error = Some(message.clone());
        self.backoff.failed(*retry)
    }

    /// The window is over when removals were carried out after it; otherwise answers when they may be.
    fn settle_window(&mut self, outcome: &Outcome) -> Option<Instant> {
        let waits = outcome.turn.removes() || !outcome.turn.plan.retiring.is_empty();
        if outcome.changes > 0 || !waits {
            self.carried = None;
        }
        self.window.turn_ends(waits)
    }
}

/// Routes and services are not in use by a worker that changes over late; upstreams are.
fn due_at(object: &ObjectKey, since: Instant, retire_after: Duration) -> Instant {
    match object {
        ObjectKey::Upstream(_) => since + retire_after,
        _ => since,
    }
}

fn skipped(outcome: &Outcome) -> Vec<String> {
    let skipped = outcome.turn.projected.iter().flat_map(|projected| &projected.skipped);
    let mistakes = skipped.filter(|skipped| skipped.reason.is_mistake());
    mistakes.map(|skipped| format!("{}: {}", skipped.address, skipped.reason)).collect()
}
