//! What can't be read, told to the view once for each change.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::mem::discriminant;
use std::sync::Arc;

use super::View;
use crate::guard::Scope;

/// Failures that a person needs to hear of once only, though they recur in other words.
pub(super) trait Alike: Sized {
    /// Both say the same to a person: as a rule, two of one kind.
    fn is_like(&self, other: &Self) -> bool {
        discriminant(self) == discriminant(other)
    }
}

/// Every server of a cluster failed, each in its own way.
#[derive(Debug)]
pub(super) struct EachFailed<E>(pub(super) Vec<E>);

impl<E: Alike> Alike for EachFailed<E> {
    fn is_like(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(one, other)| one.is_like(other))
    }
}

impl<E: Display> Display for EachFailed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(E::to_string).collect();
        f.write_str(&words.join("; "))
    }
}

/// What can't be read at present, and why.
pub(super) struct Troubles<E> {
    view: Arc<View>,
    told: BTreeMap<Scope, E>,
}

impl<E: Alike + Display> Troubles<E> {
    pub(super) fn new(view: Arc<View>) -> Self {
        Self { view, told: BTreeMap::new() }
    }

    /// A scope can't be read: what was read stays in force.
    pub(super) fn failed(&mut self, scope: Scope, error: E) {
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
    pub(super) fn of(&self, scope: &Scope) -> Option<&E> {
        self.told.get(scope)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::UnboundedReceiver;

    use super::*;
    use crate::registries::ViewEvent;

    #[derive(Debug, thiserror::Error)]
    enum Failure {
        #[error("can't be reached: {0}")]
        Unreachable(&'static str),
        #[error("refused")]
        Refused,
    }

    impl Alike for Failure {}

    const REFUSED_CONNECTION: Failure = Failure::Unreachable("connection refused");
    const RESET_CONNECTION: Failure = Failure::Unreachable("connection reset");

    fn told(events: &mut UnboundedReceiver<ViewEvent>) -> Vec<ViewEvent> {
        std::iter::from_fn(|| events.try_recv().ok()).collect()
    }

    fn reason(view: &View) -> String {
        view.unknowns()[&Scope::Source].reason.clone()
    }

    #[test]
    fn the_same_in_other_words_is_told_once() {
        let view = View::new("p");
        let mut troubles = Troubles::new(Arc::clone(&view));
        let mut events = view.subscribe();
        troubles.failed(Scope::Source, REFUSED_CONNECTION);
        troubles.failed(Scope::Source, RESET_CONNECTION);
        assert_eq!(told(&mut events), [ViewEvent::Unknown(Scope::Source)]);
        assert_eq!(reason(&view), "can't be reached: connection refused");
        troubles.sound(&Scope::Source);
        troubles.sound(&Scope::Source);
        assert_eq!(told(&mut events), [ViewEvent::Known(Scope::Source)]);
        assert!(troubles.of(&Scope::Source).is_none() && view.unknowns().is_empty());
        troubles.failed(Scope::Source, RESET_CONNECTION);
        assert_eq!(told(&mut events), [ViewEvent::Unknown(Scope::Source)], "after it was sound it is news");
    }

    #[test]
    fn another_kind_is_told_and_each_scope_has_its_own() {
        let view = View::new("p");
        let mut troubles = Troubles::new(Arc::clone(&view));
        let mut events = view.subscribe();
        troubles.failed(Scope::Source, REFUSED_CONNECTION);
        troubles.failed(Scope::Source, Failure::Refused);
        let namespace = Scope::Namespace("prod".into());
        troubles.failed(namespace.clone(), Failure::Refused);
        let unknown = ViewEvent::Unknown;
        assert_eq!(
            told(&mut events),
            [unknown(Scope::Source), unknown(Scope::Source), unknown(namespace.clone())]
        );
        assert_eq!(reason(&view), "refused");
        troubles.sound(&Scope::Source);
        assert_eq!(told(&mut events), [ViewEvent::Known(Scope::Source)]);
        assert!(matches!(troubles.of(&namespace), Some(Failure::Refused)));
    }

    #[test]
    fn servers_that_all_fail_are_alike_when_each_is() {
        let view = View::new("p");
        let mut troubles = Troubles::new(Arc::clone(&view));
        let mut events = view.subscribe();
        troubles.failed(Scope::Source, EachFailed(vec![REFUSED_CONNECTION, Failure::Refused]));
        troubles.failed(Scope::Source, EachFailed(vec![RESET_CONNECTION, Failure::Refused]));
        assert_eq!(told(&mut events).len(), 1);
        assert_eq!(reason(&view), "can't be reached: connection refused; refused");
        for other in [vec![RESET_CONNECTION], vec![Failure::Refused, RESET_CONNECTION]] {
            troubles.failed(Scope::Source, EachFailed(other));
            assert_eq!(told(&mut events).len(), 1, "another set is told");
        }
        assert_eq!(reason(&view), "refused; can't be reached: connection reset");
    }
}
