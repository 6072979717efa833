//! What a flow tells of its turns: logs and metrics.

use causeway_gateways::{Applied, Change, ObjectKey, Write};

use super::{Flow, Outcome};
use crate::model::ServiceKey;
use crate::reconcile::metrics::{ChangeLabels, ConflictLabels};

impl Flow {
    pub(super) fn report_conflicts(&self, key: &ServiceKey, outcome: &Outcome) {
        let label =
            |object: &ObjectKey| ConflictLabels { task: self.task.name.clone(), object: object.to_string() };
        let (new, gone) = self.keys.conflicts_changed(key, &outcome.turn.plan.conflicts);
        for conflict in gone {
            self.metrics.conflicts.remove(&label(&conflict.key));
        }
        for conflict in new {
            self.metrics.conflicts.get_or_create(&label(&conflict.key)).set(1);
            tracing::warn!(
                task = %self.task.name, service = %key, object = %conflict.key, reason = %conflict.reason,
                "a conflict: it is not as wanted until that is solved"
            );
        }
    }

    /// Logs each note once, when it comes up.
    pub(super) fn report_notes(&self, key: &ServiceKey, outcome: &Outcome) {
        let task = &self.task.name;
        for note in self.keys.new_notes(key, outcome.turn.notes()) {
            if note.is_grave() {
                tracing::warn!(%task, service = %key, "{note}");
            } else {
                tracing::info!(%task, service = %key, "{note}");
            }
        }
    }

    pub(super) fn log_changes(&self, key: &ServiceKey, applied: &Applied) {
        for (change, _) in &applied.done {
            tracing::debug!(task = %self.task.name, service = %key, "{} {}: {}", operation(change), change.key, change.reason);
        }
        let (task, changes) = (&self.task.name, applied.done.len());
        // A first pass has a line of its own for all of its services.
        match (changes, self.keys.had_first_turn(key)) {
            (0, _) => {}
            (_, true) => tracing::info!(%task, service = %key, changes, "applied"),
            (_, false) => tracing::debug!(%task, service = %key, changes, "applied"),
        }
    }

    pub(super) fn count(&self, applied: &Applied) {
        let done = applied.done.iter().map(|(change, _)| (change, "ok"));
        let failed = applied.failed.iter().map(|failure| (&failure.change, "failed"));
        for (change, result) in done.chain(failed) {
            let labels = ChangeLabels {
                task: self.task.name.clone(),
                kind: change.key.kind().as_str(),
                operation: operation(change),
                result,
            };
            self.metrics.changes.get_or_create(&labels).inc();
        }
    }
}

fn operation(change: &Change) -> &'static str {
    match change.write {
        Write::Create(_) => "create",
        Write::Patch { .. } => "patch",
        Write::Delete { .. } => "delete",
    }
}
