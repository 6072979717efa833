//! Whether a scope can be read, told to the view once for each change.

use std::sync::Arc;

use super::ZookeeperError;
use crate::guard::Scope;
use crate::registries::View;

/// The state of one scope.
pub(super) struct Health {
    view: Arc<View>,
    scope: Scope,
    failing: Option<ZookeeperError>,
}

impl Health {
    pub(super) fn new(view: Arc<View>, scope: Scope) -> Self {
        Self { view, scope, failing: None }
    }

    /// It can't be read: what was read stays in force.
    pub(super) fn failed(&mut self, error: &ZookeeperError) {
        if self.failing.as_ref().is_some_and(|before| before.is_like(error)) {
            tracing::debug!(registry = self.view.registry(), scope = ?self.scope, %error, "still unreadable");
            return;
        }
        self.failing = Some(error.clone());
        self.view.set_unknown(self.scope.clone(), error.to_string());
    }

    /// It can be read.
    pub(super) fn sound(&mut self) {
        if self.failing.take().is_some() {
            self.view.set_known(&self.scope);
        }
    }

    /// As the one or the other.
    pub(super) fn is(&mut self, trouble: Option<&ZookeeperError>) {
        match trouble {
            Some(error) => self.failed(error),
            None => self.sound(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_view_hears_each_change_once() {
        let view = View::new("zk");
        let mut health = Health::new(Arc::clone(&view), Scope::Source);
        let mut events = view.subscribe();
        let away = |why: &str| ZookeeperError::Unreachable(why.to_owned());
        health.failed(&away("refused"));
        health.failed(&away("starting"));
        assert!(events.try_recv().is_ok() && events.try_recv().is_err(), "told once");
        health.failed(&ZookeeperError::Login);
        assert!(view.unknowns()[&Scope::Source].reason.contains("credentials"));
        let mut events = view.subscribe();
        health.is(None);
        health.sound();
        assert!(events.try_recv().is_ok() && events.try_recv().is_err() && view.unknowns().is_empty());
    }
}
