use std::collections::BTreeMap;
use std::time::Duration;

use super::Scope;
use super::rules::Time;
use crate::model::ServiceKey;

/// Why a source's word is not taken for it yet (rule 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Causeway read it for the first time since it started.
    Started,
    /// Its watch or connection came back.
    Regained,
    /// The server was seen starting, or an epoch, index or revision of it went back.
    Reset,
    /// The breaker closed.
    Closed,
}

/// A doubt: since when, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Doubt {
    pub(super) at: Time,
    pub(super) cause: Cause,
}

/// What can't be read, and what could not be until lately.
#[derive(Debug, Default)]
pub(super) struct Trust {
    unknown: BTreeMap<Scope, Time>,
    /// The last doubt about each scope, also when it is over: a task may hold longer than the registry.
    doubts: BTreeMap<Scope, Doubt>,
    /// Those that are not over.
    lasting: BTreeMap<Scope, Time>,
}

impl Trust {
    pub(super) fn unknown(&mut self, now: Time, scope: &Scope) {
        self.unknown.entry(scope.clone()).or_insert(now);
    }

    /// Whether it was unknown until now.
    pub(super) fn known(&mut self, now: Time, scope: &Scope) -> bool {
        let lost = self.unknown.remove(scope).is_some();
        if lost {
            self.doubt(now, scope, Cause::Regained);
        }
        lost
    }

    pub(super) fn doubt(&mut self, now: Time, scope: &Scope, cause: Cause) {
        self.doubts.insert(scope.clone(), Doubt { at: now, cause });
        self.lasting.insert(scope.clone(), now);
    }

    /// The scopes whose doubt is over.
    pub(super) fn settle(&mut self, now: Time, hold: Duration) -> Vec<Scope> {
        let mut over = Vec::new();
        self.lasting.retain(|scope, at| {
            let lasts = now < at.after(hold);
            if !lasts {
                over.push(scope.clone());
            }
            lasts
        });
        over
    }

    /// When the next doubt is over.
    pub(super) fn next_settled(&self, hold: Duration) -> Option<Time> {
        self.lasting.values().map(|at| at.after(hold)).min()
    }

    /// The widest scope around a service that can't be read.
    pub(super) fn unknown_scope(&self, key: &ServiceKey) -> Option<Scope> {
        scopes(key).into_iter().find(|scope| self.unknown.contains_key(scope))
    }

    /// Whether the service can't be read while other parts of the source can.
    pub(super) fn apart(&self, key: &ServiceKey) -> bool {
        scopes(key).iter().skip(1).any(|scope| self.unknown.contains_key(scope))
    }

    /// The last doubt about any scope around a service.
    pub(super) fn last_doubt(&self, key: &ServiceKey) -> Option<Doubt> {
        scopes(key).iter().filter_map(|scope| self.doubts.get(scope)).max().copied()
    }
}

fn scopes(key: &ServiceKey) -> [Scope; 3] {
    [Scope::Source, Scope::Namespace(key.namespace.clone()), Scope::Service(key.clone())]
}
