//! One service's turn, with its I/O: look at both registries, decide, carry out, settle.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use causeway_gateways::Retry;
use tokio::time::Instant;

use super::CopyFlow;
use super::destination::Blocked;
use super::explain::{Scene, ServiceView};
use super::state::CopyOutcome;
use crate::config::{MatchEntry, Policy};
use crate::model::{Address, ServiceKey, Snapshot};
use crate::reconcile::Removals;
use crate::reconcile::metrics::{ChangeLabels, TaskLabel};
use crate::registries::{Change, WriteError, Written};
use crate::sync::{Inputs, Outcome, Turn, turn};

/// How often one turn looks anew after it wrote. More means that somebody writes against us.
const ROUNDS: usize = 3;
/// How soon what is handed over is looked at again: whoever was to take it may not want it any more.
const HANDING_OVER: Duration = Duration::from_secs(1);
/// Behind more services than this the destination is being filled.
const BACKLOG: usize = 8;

/// What is seen of one service, and what follows.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// Its name in the registry that is read; `None` when it has none there.
    pub source: Option<ServiceKey>,
    /// What is decided. What is to be done now is in [`Look::changes`].
    pub turn: Turn,
    /// What may be done: the turn's changes without what the settings keep back and what would be of no use.
    pub changes: Vec<Change>,
    /// What the task's settings keep back.
    pub withheld: Vec<Change>,
    /// Copies that stand otherwise than they were written lately.
    pub changed: Vec<Address>,
    /// Why nothing can be done at present.
    pub waiting: Option<String>,
}

impl Look {
    /// Notes that these changes were carried out, where that needs no other look: all are puts.
    fn note_put(&mut self, changes: &[Change]) -> bool {
        let are_puts = changes.iter().all(|change| matches!(change, Change::Put(_)));
        if are_puts {
            let put = changes.iter().map(|change| change.copy().instance.address.clone());
            self.turn.outcomes.extend(put.map(|address| (address, Outcome::Maintain)));
            self.changes.retain(|change| !changes.contains(change));
            self.turn.changes.retain(|change| !changes.contains(change));
        }
        are_puts
    }

    /// Whether anything would be removed.
    pub fn removes(&self) -> bool {
        self.changes.iter().any(|change| matches!(change, Change::Remove(_)))
    }
}

impl CopyFlow {
    pub(super) async fn reconcile(&self, key: &ServiceKey) {
        let _permit = self.permits.acquire(&self.way.task().name, key).await;
        let arrived = self.keys.begin(key);
        let outcome = self.carry_out(key, Removals::AfterQuiet).await;
        let label = TaskLabel { task: self.way.task().name.clone() };
        self.metrics.turns.get_or_create(&label).inc();
        if let Some(arrived) = arrived.filter(|_| outcome.changes > 0) {
            self.metrics.propagation.get_or_create(&label).observe(arrived.elapsed().as_secs_f64());
        }
        self.report(key, &outcome);
        self.tell_heirs(key, &outcome);
        let later = self.due_by_itself(key, &outcome);
        if let Some(at) = self.keys.settle(key, outcome, self.audit_interval, later) {
            self.queue.wake(key.clone(), at);
        }
    }

    /// When the guard lets something go, or a write has had its time to be shown.
    fn due_by_itself(&self, key: &ServiceKey, outcome: &CopyOutcome) -> Vec<Instant> {
        let held = outcome.look.turn.held.iter().filter_map(|held| held.held.until);
        let held = held.map(|time| self.source.instant_of(time));
        let pending = self.destination.pending_until(key);
        let handed_over = outcome.look.turn.hands_over().next().map(|_| Instant::now() + HANDING_OVER);
        held.chain(pending.map(|time| self.destination.shown.instant_of(time))).chain(handed_over).collect()
    }

    /// Has the other tasks look at a service of which something is handed over, once.
    fn tell_heirs(&self, key: &ServiceKey, outcome: &CopyOutcome) {
        let mut handed_over = outcome.look.turn.hands_over().peekable();
        if handed_over.peek().is_none() {
            return;
        }
        let before = self.keys.status_of(key).outcomes;
        if handed_over.any(|address| before.get(address) != Some(&Outcome::HandOver)) {
            self.destination.tell(key);
        }
    }

    /// Looks and writes until nothing is left that may be done now.
    pub async fn carry_out(&self, key: &ServiceKey, removals: Removals) -> CopyOutcome {
        let _turn = self.destination.writers.turn(key).await;
        let mut outcome = CopyOutcome::default();
        for _ in 0..ROUNDS {
            outcome.look = self.look(key);
            let mut changes = outcome.look.changes.clone();
            changes.retain(|change| !outcome.taken.contains(&change.copy().instance.address));
            if removals == Removals::AfterQuiet && !self.keys.is_quiet(key) {
                changes.retain(|change| matches!(change, Change::Put(_)));
            }
            if changes.is_empty() {
                return outcome;
            }
            let are_done = self.apply(key, &changes, &mut outcome).await;
            if outcome.failure.is_some() || are_done && outcome.look.note_put(&changes) {
                return outcome;
            }
        }
        outcome
    }

    /// What a turn would do now; touches nothing.
    pub fn look(&self, key: &ServiceKey) -> Look {
        let Some(standing) = self.destination.standing(key) else {
            let turn = Turn { unread: true, ..Turn::default() };
            let waiting =
                self.destination.unknown(key).map(|reason| why_blocked(key, Blocked::Unknown(reason)));
            return Look { turn, waiting, ..Look::default() };
        };
        let Some(source_key) = self.source_key(key, &standing) else { return Look::default() };
        let entry = self.way.entry(&source_key);
        let source = match entry {
            Some(_) => self.source.observed_reading(&source_key).map(|reading| reading.snapshot),
            None => Some(Arc::new(Snapshot::empty(source_key.clone()))),
        };
        self.take_stock_of(key, &source_key, &standing, entry);
        let turn = turn(&Inputs {
            mark: &self.mark,
            groups: entry.map(|entry| entry.groups.as_slice()),
            weight: self.way.task().weight,
            source: source.as_deref(),
            source_key: &source_key,
            name_is_lost: self.way.back(key).as_ref() != Ok(&source_key),
            destination: Some(&standing),
            key,
            form: self.destination.form.as_ref(),
            siblings: &self.destination.writers.beside(self, key, &standing),
            guard: &self.source.guard(),
            hold: entry.map_or(self.way.task().hold, |entry| entry.hold),
            now: self.source.time(),
        });
        let unread = source.is_none().then(|| self.source.view().unknown(&source_key)).flatten();
        let waiting = unread.map(|unknown| format!("the source can't be read: {}", unknown.reason));
        let look = self.permitted(key, source_key, turn);
        Look { waiting: look.waiting.or(waiting), ..look }
    }

    /// What a turn would do now, and how everything stands; touches nothing.
    pub fn explain(&self, key: &ServiceKey) -> ServiceView {
        self.view_of(key, &self.look(key), &self.keys.status_of(key).taken)
    }

    /// What came of a turn, in the same words.
    pub fn explained(&self, key: &ServiceKey, outcome: &CopyOutcome) -> ServiceView {
        self.view_of(key, &outcome.look, &outcome.taken)
    }

    fn view_of(&self, key: &ServiceKey, look: &Look, taken: &[Address]) -> ServiceView {
        let reading = look.source.as_ref().and_then(|source| self.source.view().reading(source));
        let standing = self.destination.standing(key);
        let scene = Scene {
            task: self.way.task(),
            from: self.way.read(),
            to: self.way.written(),
            mark: &self.mark,
            form: self.destination.form.as_ref(),
            key,
            look,
            matched: look.source.as_ref().is_some_and(|source| self.way.entry(source).is_some()),
            source: reading.as_ref().map(|reading| &*reading.snapshot),
            standing: standing.as_deref(),
            taken,
            now: self.source.time(),
        };
        scene.view()
    }

    /// The part of a turn that may be carried out.
    fn permitted(&self, key: &ServiceKey, source_key: ServiceKey, turn: Turn) -> Look {
        let mut look =
            Look { source: Some(source_key), changes: turn.changes.clone(), turn, ..Look::default() };
        let task = self.way.task();
        let kept_back = |change: &mut Change| {
            task.policy == Policy::Observe || !task.delete && matches!(change, Change::Remove(_))
        };
        look.withheld = look.changes.extract_if(.., kept_back).collect();
        let is_mended = |change: &&Change| {
            let outcome = look.turn.outcomes.get(&change.copy().instance.address);
            matches!(change, Change::Put(_)) && outcome == Some(&Outcome::Maintain)
        };
        let mended = look.changes.iter().filter(is_mended).map(|change| Arc::clone(change.copy()));
        look.changed = self.keys.put_lately(key, mended, self.audit_interval);
        look.changes.retain(|change| !look.changed.contains(&change.copy().instance.address));
        if !look.changes.is_empty() {
            look.waiting = self.destination.blocked(key).map(|blocked| why_blocked(key, blocked));
        }
        if look.waiting.is_some() {
            look.changes.clear();
        }
        look
    }

    /// Tells the guard what of every service stands, before anything is judged: for a single pass, of which each turn is the last.
    pub fn take_stock(&self) {
        for key in self.all_keys() {
            let Some(standing) = self.destination.standing(&key) else { continue };
            let Some(source_key) = self.source_key(&key, &standing) else { continue };
            self.take_stock_of(&key, &source_key, &standing, self.way.entry(&source_key));
        }
    }

    /// Tells the guard once what of a service stands: the levels start from it.
    fn take_stock_of(
        &self,
        key: &ServiceKey,
        source_key: &ServiceKey,
        standing: &Snapshot,
        entry: Option<&MatchEntry>,
    ) {
        if !self.is_first_look(key) {
            return;
        }
        let ours: BTreeSet<Address> = self.our_addresses(standing);
        match entry {
            Some(_) => self.source.change(|guard, now| guard.standing(now, source_key, &ours)),
            None => self.source.change(|guard, now| guard.intend(now, source_key)),
        }
    }

    /// Whether so many services wait that the destination is being filled.
    pub(super) fn has_backlog(&self) -> bool {
        self.queue.has_more_than(BACKLOG)
    }

    /// Carries changes out; whether each of them was.
    async fn apply(&self, key: &ServiceKey, changes: &[Change], outcome: &mut CopyOutcome) -> bool {
        if self.has_backlog() {
            self.destination.goes_on_filling();
        }
        let results = self.destination.write(key, changes).await;
        let before = outcome.changes;
        for (change, result) in changes.iter().zip(&results) {
            self.count(change, result);
            match result {
                Ok(Written::Done) => {
                    outcome.changes += 1;
                    self.keys.wrote(key, change);
                    self.forget_removed(outcome.look.source.as_ref(), change);
                }
                Ok(Written::Taken) => outcome.taken.push(change.copy().instance.address.clone()),
                Err(WriteError { message, retry }) => {
                    outcome.failure = worse(outcome.failure.take(), (message.clone(), *retry));
                }
            }
        }
        self.changes.fetch_add((outcome.changes - before) as u64, Ordering::Relaxed);
        outcome.changes - before == changes.len()
    }

    /// The guard counts an address no more whose copy is gone.
    fn forget_removed(&self, source_key: Option<&ServiceKey>, change: &Change) {
        if let (Some(key), Change::Remove(copy)) = (source_key, change) {
            self.source.change(|guard, now| guard.removed(now, key, &copy.instance.address));
        }
    }

    fn count(&self, change: &Change, result: &Result<Written, WriteError>) {
        let result = match result {
            Ok(Written::Done) => "ok",
            Ok(Written::Taken) => "taken",
            Err(_) => "failed",
        };
        let operation = match change {
            Change::Put(_) => "put",
            Change::Remove(_) => "delete",
        };
        let task = self.way.task().name.clone();
        let labels = ChangeLabels { task, kind: "copy", operation, result };
        self.metrics.changes.get_or_create(&labels).inc();
    }

    fn report(&self, key: &ServiceKey, outcome: &CopyOutcome) {
        let (task, to) = (&self.way.task().name, self.way.written());
        let before = self.keys.status_of(key);
        for address in outcome.taken.iter().filter(|address| !before.taken.contains(address)) {
            tracing::warn!(
                %task, service = %key, registry = to, %address,
                "somebody else's entry stands where a copy would: it is left alone, and looked at again when the registry shows it"
            );
        }
        for address in outcome.look.changed.iter().filter(|address| !before.changed.contains(address)) {
            tracing::warn!(
                %task, service = %key, registry = to, %address,
                "a copy stands otherwise than it was written a moment ago; it is written again at the next audit"
            );
        }
        if let Some(reason) = &outcome.look.waiting
            && before.waiting.is_none()
            && !outcome.look.turn.unread
        {
            tracing::warn!(%task, service = %key, registry = to, %reason, "copies can't be written now, and will be as soon as they can");
        }
        if outcome.changes > 0 && self.keys.had_first_turn(key) {
            tracing::info!(%task, service = %key, registry = to, changes = outcome.changes, "applied");
        }
    }
}

fn why_blocked(key: &ServiceKey, blocked: Blocked) -> String {
    match blocked {
        Blocked::Unknown(reason) => format!("the destination can't be read: {reason}"),
        Blocked::LeftOut => format!(
            "the destination's `namespaces` leave `{}` out; add it there, or map it with `namespace_map`",
            key.namespace
        ),
    }
}

/// Of two failures the one that is tried again sooner by itself.
fn worse(one: Option<(String, Retry)>, other: (String, Retry)) -> Option<(String, Retry)> {
    match one {
        Some(one) if one.1 != Retry::Never => Some(one),
        _ => Some(other),
    }
}
