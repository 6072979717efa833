use std::collections::BTreeMap;

use super::{Address, Instance, ServiceKey};

/// A complete, immutable view of one service's instances at one moment. A partial view is never a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose instances they are.
    pub key: ServiceKey,
    /// Each host:port once.
    pub instances: BTreeMap<Address, Instance>,
    /// The registry's own revision of the view, empty where it has none. Not part of what is compared for a change.
    pub revision: String,
}

impl Snapshot {
    /// A snapshot of `instances`. When two stand at one address the first stays, so adapters put the native entry before a marked one.
    pub fn new(key: ServiceKey, instances: impl IntoIterator<Item = Instance>) -> Self {
        let mut by_address = BTreeMap::new();
        for instance in instances {
            by_address.entry(instance.address.clone()).or_insert(instance);
        }
        Self { key, instances: by_address, revision: String::new() }
    }

    /// A service without instances: a complete reading that found none.
    pub fn empty(key: ServiceKey) -> Self {
        Self::new(key, [])
    }

    /// Whether both show the same instances, whatever their revisions.
    pub fn same_instances(&self, other: &Snapshot) -> bool {
        self.instances == other.instances
    }
}
