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
            Direction::Back => BTreeSet::from([Beginning::Part(String::new())]),
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
