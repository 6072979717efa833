//! Whether a namespace can be read, told to the view once for each change.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::NacosError;
use crate::guard::Scope;
use crate::registries::View;
use crate::registries::troubles::Alike;

/// What reading takes; all of them have to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Leg {
    /// The list of namespaces or services.
    Names,
    /// The connection that pushes.
    Stream,
}

/// The state of one scope.
pub(super) struct Health {
    view: Arc<View>,
    scope: Scope,
    failing: Mutex<BTreeMap<Leg, NacosError>>,
}

impl Health {
    pub(super) fn new(view: Arc<View>, scope: Scope) -> Self {
        Self { view, scope, failing: Mutex::default() }
    }

    /// A leg doesn't work: what was read stays in force.
    pub(super) fn failed(&self, leg: Leg, error: &NacosError) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = failing.insert(leg, error.clone());
        if before.as_ref().is_some_and(|before| before.is_like(error)) {
            tracing::debug!(registry = self.view.registry(), scope = ?self.scope, %error, "still unreadable");
            return;
        }
        self.view.set_unknown(self.scope.clone(), error.to_string());
    }

    /// A leg works.
    pub(super) fn sound(&self, leg: Leg) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if failing.remove(&leg).is_none() {
            return;
        }
        match failing.values().next() {
            Some(other) => self.view.set_unknown(self.scope.clone(), other.to_string()),
            None => self.view.set_known(&self.scope),
        }
    }

    /// Nobody reads it any more, so nothing about it is unknown.
    pub(super) fn end(&self) {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.view.set_known(&self.scope);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_legs_have_to_work_and_the_view_hears_each_change_once() {
        let view = View::new("n");
        let scope = Scope::Namespace("prod".into());
        let health = Health::new(Arc::clone(&view), scope.clone());
        let down = NacosError::Starting { server: "s".into() };
        let mut events = view.subscribe();
        health.failed(Leg::Names, &down);
        health.failed(Leg::Names, &NacosError::Unreachable { server: "s".into(), reason: "refused".into() });
        assert!(events.try_recv().is_ok() && events.try_recv().is_err(), "told once");
        health.failed(Leg::Stream, &NacosError::Settings("x".into()));
        health.sound(Leg::Stream);
        assert_eq!(view.unknowns()[&scope].reason, "s can't be reached: refused");
        let mut events = view.subscribe();
        health.sound(Leg::Names);
        health.sound(Leg::Names);
        assert!(view.unknowns().is_empty());
        assert!(events.try_recv().is_ok() && events.try_recv().is_err());
    }
}
