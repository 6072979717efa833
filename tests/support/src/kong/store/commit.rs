//! Every change in the order in which it took effect.

use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use super::{Kind, Row};

/// What a commit did to its entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// It was not there before.
    Created,
    /// It was there and is there, changed or written again as it was.
    Updated,
    /// It is gone, deleted itself or with its parent.
    Deleted,
}

/// One change of one entity, seen at the moment at which it took effect.
#[derive(Debug, Clone)]
pub struct Commit {
    /// When it took effect.
    pub at: Instant,
    /// The kind of the entity.
    pub kind: Kind,
    /// What was done.
    pub operation: Operation,
    /// The whole entity before, unless it was created.
    pub before: Option<Value>,
    /// The whole entity after, unless it was deleted.
    pub after: Option<Value>,
}

impl Commit {
    /// The entity after the change, or before it when it was deleted.
    pub fn entity(&self) -> &Value {
        self.after.as_ref().or(self.before.as_ref()).unwrap_or(&Value::Null)
    }
}

/// Called for every commit, while no other can happen.
pub(in crate::kong) type Observer = Arc<dyn Fn(&Commit) + Send + Sync>;

/// The commits so far and who is told of the next.
#[derive(Default)]
pub(in crate::kong) struct Journal {
    observers_only: bool,
    commits: Vec<Commit>,
    observers: Vec<Observer>,
}

impl Journal {
    /// A journal that keeps no commits when `observers_only`.
    pub(super) fn new(observers_only: bool) -> Self {
        Self { observers_only, ..Self::default() }
    }

    pub(in crate::kong) fn observe(&mut self, observer: Observer) {
        self.observers.push(observer);
    }

    pub(in crate::kong) fn commits(&self) -> &[Commit] {
        &self.commits
    }

    pub(in crate::kong) fn clear(&mut self) {
        self.commits.clear();
    }

    pub(super) fn add(&mut self, kind: Kind, before: Option<Row>, after: Option<Row>) {
        let operation = match (&before, &after) {
            (None, _) => Operation::Created,
            (Some(_), Some(_)) => Operation::Updated,
            (Some(_), None) => Operation::Deleted,
        };
        let (before, after) = (before.map(Value::Object), after.map(Value::Object));
        let commit = Commit { at: Instant::now(), kind, operation, before, after };
        for observer in &self.observers {
            observer(&commit);
        }
        if !self.observers_only {
            self.commits.push(commit);
        }
    }
}
