//! What one direction of a task wants of its two registries.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::ServiceKey;
use crate::registries::Interest;
use crate::sync::Way;

/// The services that are carried.
pub(in crate::reconcile) struct Carried(pub(in crate::reconcile) Arc<Way>);

impl Interest for Carried {
    fn namespaces(&self) -> Option<BTreeSet<String>> {
        self.0.namespaces_read()
    }

    fn wants(&self, key: &ServiceKey) -> bool {
        self.0.entry(key).is_some()
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
