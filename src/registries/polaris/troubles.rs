//! What can't be read, told to the view once for each change.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::PolarisError;
use crate::guard::Scope;
use crate::registries::View;

/// What can't be read at present, and why.
pub(super) struct Troubles {
    view: Arc<View>,
    told: BTreeMap<Scope, PolarisError>,
}

impl Troubles {
    pub(super) fn new(view: Arc<View>) -> Self {
        Self { view, told: BTreeMap::new() }
    }

    /// A scope can't be read: what was read stays in force.
    pub(super) fn failed(&mut self, scope: Scope, error: PolarisError) {
        if self.told.get(&scope).is_some_and(|told| told.is_like(&error)) {
            tracing::debug!(registry = self.view.registry(), ?scope, %error, "still unreadable");
            return;
        }
        self.view.set_unknown(scope.clone(), error.to_string());
        self.told.insert(scope, error);
    }

    /// A scope can be read.
    pub(super) fn sound(&mut self, scope: &Scope) {
        if self.told.remove(scope).is_some() {
            self.view.set_known(scope);
        }
    }

    /// Why a scope can't be read.
    pub(super) fn of(&self, scope: &Scope) -> Option<&PolarisError> {
        self.told.get(scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_in_other_words_is_told_once() {
        let view = View::new("p");
        let mut troubles = Troubles::new(Arc::clone(&view));
        let mut events = view.subscribe();
        let down = |reason: &str| PolarisError::Unreachable { server: "s:1".into(), reason: reason.into() };
        troubles.failed(Scope::Source, down("connection refused"));
        troubles.failed(Scope::Source, down("connection reset"));
        assert!(events.try_recv().is_ok() && events.try_recv().is_err());
        assert_eq!(view.unknowns()[&Scope::Source].reason, "s:1 can't be reached: connection refused");
        troubles.sound(&Scope::Source);
        troubles.sound(&Scope::Source);
        assert!(events.try_recv().is_ok() && events.try_recv().is_err());
        assert!(troubles.of(&Scope::Source).is_none() && view.unknowns().is_empty());
    }
}
