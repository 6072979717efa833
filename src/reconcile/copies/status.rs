//! How a task between two registries stands.

use std::collections::BTreeMap;

use super::CopyFlow;
use super::state::CopyStatus;
use crate::config;
use crate::guard::Scope;
use crate::model::{Address, ServiceKey};
use crate::reconcile::progress::PassProgress;
use crate::reconcile::status::{DirectionStatus, HeldStatus, Problem, TaskStatus};
use crate::registries::Change;
use crate::sync::Outcome;

/// So many parts of registries that can't be read are named.
const REASONS: usize = 3;

/// How a task stands, its directions together.
pub(in crate::reconcile) fn status<'f>(
    task: &config::Task,
    directions: impl Iterator<Item = &'f CopyFlow>,
) -> TaskStatus {
    directions.fold(TaskStatus::of(task, "running"), |status, flow| flow.add_to(status))
}

impl CopyFlow {
    fn add_to(&self, status: TaskStatus) -> TaskStatus {
        let progress = self.progress();
        let mut status = status.at(progress);
        let statuses = self.statuses();
        status.directions.push(DirectionStatus {
            from: self.way.read().to_owned(),
            to: self.way.written().to_owned(),
            services: progress.all,
            done: progress.done,
            copies: statuses.values().map(copies).sum(),
            changes: progress.changes,
            waiting: self.awaits(),
        });
        for (key, state) in statuses {
            self.add_service(&mut status, &key, state);
        }
        let unnamed = self.unnamed().into_iter();
        status.waiting.extend(unnamed.map(|(key, reason)| Problem {
            service: key.to_string(),
            object: self.way.written().to_owned(),
            reason: format!("it is not carried, because {reason}"),
        }));
        status.error = status.error.or_else(|| self.destination.trouble());
        status
    }

    fn add_service(&self, status: &mut TaskStatus, key: &ServiceKey, state: CopyStatus) {
        let to = self.way.written();
        let problem = |object: String, reason: String| Problem { service: key.to_string(), object, reason };
        status.failing.extend(state.error.map(|reason| problem(to.to_owned(), reason)));
        // What can't be read is told of the direction, once for all services.
        let waiting = state.waiting.filter(|_| !state.unread);
        status.waiting.extend(waiting.map(|reason| problem(to.to_owned(), reason)));
        let copy = |address: &dyn std::fmt::Display| format!("{address} in {to}");
        status.conflicts.extend(state.taken.iter().map(|address| {
            problem(copy(address), "somebody else's entry stands where the copy would".to_owned())
        }));
        let left = state.outcomes.iter().filter(|(_, outcome)| **outcome == Outcome::LeftToOther);
        status.conflicts.extend(
            left.map(|(address, _)| problem(copy(address), "somebody else's copy stands there".to_owned())),
        );
        status.notes.extend(state.changed.iter().map(|address| {
            let reason =
                "it stands otherwise than it was written a moment ago; it is written again at the next audit";
            problem(copy(address), reason.to_owned())
        }));
        for change in &state.withheld {
            match change {
                Change::Put(copy) if stands(&state.outcomes, &copy.instance.address) => {
                    status.withheld.patch += 1
                }
                Change::Put(_) => status.withheld.create += 1,
                Change::Remove(_) => status.withheld.delete += 1,
            }
        }
        let now = self.source.time();
        let held = state.held.iter();
        status.held.extend(held.map(|it| HeldStatus::of(key, None, it.address.to_string(), &it.held, now)));
    }

    /// What of the two registries can't be read at present.
    fn awaits(&self) -> Option<String> {
        let ends = [&self.source, self.destination.shown()];
        let unknown = ends.into_iter().flat_map(|end| {
            let unknown = end.view().unknowns().into_iter();
            unknown.map(|(scope, why)| match scope {
                Scope::Source => format!("{} can't be read: {}", end.name, why.reason),
                scope => format!("{scope} of {} can't be read: {}", end.name, why.reason),
            })
        });
        let mut reasons: Vec<String> = unknown.collect();
        let more = reasons.len().saturating_sub(REASONS);
        reasons.truncate(REASONS);
        reasons.extend((more > 0).then(|| format!("and {more} more")));
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    /// What the first pass waits for; none when it is done, or one of its registries is reported unreachable.
    pub fn awaited(&self) -> Option<String> {
        let progress = self.progress();
        if progress.complete {
            return None;
        }
        let PassProgress { done, all, .. } = progress;
        let why = self.awaits().map(|reasons| format!(" ({reasons})")).unwrap_or_default();
        Some(format!(
            "task {}: {done} of {all} services are copied from {} to {}{why}",
            self.way.task().name,
            self.way.read(),
            self.way.written()
        ))
    }
}

/// Whether our copy stands at an address.
fn stands(outcomes: &BTreeMap<Address, Outcome>, address: &Address) -> bool {
    outcomes.get(address) == Some(&Outcome::Maintain)
}

/// How many copies a service has.
fn copies(status: &CopyStatus) -> usize {
    let stands =
        |outcome: &&Outcome| matches!(outcome, Outcome::Maintain | Outcome::Retire | Outcome::HandOver);
    status.outcomes.values().filter(stands).count()
}
