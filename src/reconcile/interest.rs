//! What those who share a registry want of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::Task;
use crate::model::ServiceKey;
use crate::registries::{Beginning, Interest};

/// What several want, together.
pub(super) struct Together(pub(super) Vec<Arc<dyn Interest>>);

impl Interest for Together {
    fn namespaces(&self) -> Option<BTreeSet<String>> {
        let each: Option<Vec<BTreeSet<String>>> = self.0.iter().map(|one| one.namespaces()).collect();
        Some(each?.into_iter().flatten().collect())
    }

    fn wants(&self, key: &ServiceKey) -> bool {
        self.0.iter().any(|one| one.wants(key))
    }

    fn beginnings(&self) -> BTreeSet<Beginning> {
        self.0.iter().flat_map(|one| one.beginnings()).collect()
    }
}

/// What a task matches in its source.
pub(super) struct Matched(pub(super) Arc<Task>);

impl Interest for Matched {
    fn namespaces(&self) -> Option<BTreeSet<String>> {
        self.0.namespaces()
    }

    fn wants(&self, key: &ServiceKey) -> bool {
        self.0.entry_for(&key.namespace, &key.service).is_some()
    }

    fn beginnings(&self) -> BTreeSet<Beginning> {
        beginnings(&self.0)
    }
}

/// What is known beforehand of the names that a task matches.
pub(super) fn beginnings(task: &Task) -> BTreeSet<Beginning> {
    let patterns = task.matches.iter().map(|entry| match entry.select.service.exact() {
        Some(name) => Beginning::Whole(name.to_owned()),
        None => Beginning::Part(entry.select.service.literal_prefix().to_owned()),
    });
    patterns.collect()
}

/// Every service of a name: `service`, or `namespace/service`.
pub(super) struct Named(pub(super) String);

impl Interest for Named {
    fn namespaces(&self) -> Option<BTreeSet<String>> {
        None
    }

    fn wants(&self, key: &ServiceKey) -> bool {
        key.is_named(&self.0)
    }
}
