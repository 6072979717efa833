//! What one direction of a task wants of its two registries.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::ServiceKey;
use crate::reconcile::interest::beginnings;
use crate::registries::{Beginning, Interest};
use crate::sync::{Direction, Way};

/// The services that are carried.
pub(in crate::reconcile) struct Carried(pub(in crate::reconcile) Arc<Way>);

impl Interest for Carried {
    fn namespaces(&self) -> Option<BTreeSet<String>> {
        self.0.namespaces_read()
    }

    fn wants(&self, key: &ServiceKey) -> bool {
        self.0.entry(key).is_some()
    }

    fn beginnings(&self) -> BTreeSet<Beginning> {
        match self.0.direction() {
            Direction::There => beginnings(self.0.task()),
            // On the way back entries speak of names that services have elsewhere.
            Direction::Back => Beginning::of_anything(),
        }
    }
}

/// The services that copies may be in.
pub(in crate::reconcile) struct Copied(pub(in crate::reconcile) Arc<Way>);

impl Interest for Copied {
    fn namespaces(&self) -> Option<BTreeSet<String>> {
        self.0.namespaces_written()
    }

    fn wants(&self, key: &ServiceKey) -> bool {
        self.0.may_hold(key)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{Destination, Dialect, MatchEntry, Pattern, Registry, RegistryKind, Selector, Task};

    #[test]
    fn what_is_matched_is_known_beforehand_at_the_task_s_source() {
        let [a, b] = ["a", "b"].map(|name| Registry::bare(name.into(), RegistryKind::Zookeeper));
        let destination = Destination::Registry("b".to_owned());
        let mut task = Task::bare("t".into(), "a".into(), destination, Duration::ZERO, Dialect::Native);
        for service in ["orders", "pay-*"] {
            let select = Selector { namespace: Pattern::any(), service: Pattern::glob(service) };
            task.matches.push(MatchEntry::of(select, Duration::ZERO));
        }
        let task = Arc::new(task);
        let beginnings =
            |direction| Carried(Arc::new(Way::new(Arc::clone(&task), direction, &a, &b))).beginnings();
        let matched = [Beginning::Whole("orders".to_owned()), Beginning::Part("pay-".to_owned())];
        assert_eq!(beginnings(Direction::There), BTreeSet::from(matched));
        assert_eq!(beginnings(Direction::Back), BTreeSet::from([Beginning::Part(String::new())]));
    }
}
