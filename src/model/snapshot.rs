use std::collections::BTreeMap;

use super::{Address, Instance, ServiceKey};

/// A complete, immutable view of one service's instances at one moment. A partial view is never a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose instances they are.
    pub key: ServiceKey,
    /// Each host:port once: the native entry where there is one, else a copy.
    pub instances: BTreeMap<Address, Instance>,
    /// Every entry that bears the mark of a copy, by its address; those beside a native entry too.
    pub copies: BTreeMap<Address, Vec<Instance>>,
    /// The registry's own revision of the view, empty where it has none. Not part of what is compared for a change.
    pub revision: String,
}

impl Snapshot {
    /// A snapshot of `entries`. Of several at one address a native one stands before a copy, and then the first.
    pub fn new(key: ServiceKey, entries: impl IntoIterator<Item = Instance>) -> Self {
        let mut copies: BTreeMap<Address, Vec<Instance>> = BTreeMap::new();
        let mut instances = BTreeMap::new();
        for entry in entries {
            if entry.is_copy() {
                copies.entry(entry.address.clone()).or_default().push(entry);
            } else {
                instances.entry(entry.address.clone()).or_insert(entry);
            }
        }
        for (address, entries) in &mut copies {
            instances.entry(address.clone()).or_insert_with(|| entries[0].clone());
            // No registry promises an order, and a change of it is none of the service.
            entries.sort_by(|a, b| (&a.attributes, &a.metadata).cmp(&(&b.attributes, &b.metadata)));
        }
        Self { key, instances, copies, revision: String::new() }
    }

    /// A service without instances: a complete reading that found none.
    pub fn empty(key: ServiceKey) -> Self {
        Self::new(key, [])
    }

    /// Whether both show the same entries, whatever their revisions.
    pub fn same_instances(&self, other: &Snapshot) -> bool {
        self.instances == other.instances && self.copies == other.copies
    }

    /// Whether the entry at this address is native: an application's own.
    pub fn is_native(&self, address: &Address) -> bool {
        self.instances.get(address).is_some_and(|instance| !instance.is_copy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::marks;

    fn entry(id: &str, mark: Option<&str>) -> Instance {
        let mut entry = Instance::new(Address::new("h", 1));
        entry.attributes.insert("id".to_owned(), id.to_owned());
        entry.metadata.extend(mark.map(|owner| (marks::OWNER.to_owned(), owner.to_owned())));
        entry
    }

    #[test]
    fn the_native_entry_stands_and_every_copy_is_known() {
        let key = || ServiceKey::new("n", "s");
        let address = Address::new("h", 1);
        let entries = [entry("2", Some("b")), entry("1", Some("a")), entry("3", None), entry("4", None)];
        let shown = Snapshot::new(key(), entries.clone());
        assert_eq!(shown.instances[&address].attributes["id"], "3");
        assert!(shown.is_native(&address));
        let ids = |snapshot: &Snapshot| -> Vec<String> {
            snapshot.copies[&address].iter().map(|copy| copy.attributes["id"].clone()).collect()
        };
        assert_eq!(ids(&shown), ["1", "2"], "whatever order the registry chose");
        let copies = Snapshot::new(key(), entries[..2].to_vec());
        assert_eq!(copies.instances[&address].attributes["id"], "2", "the adapter's first");
        assert!(!copies.is_native(&address));
        assert!(
            !shown.same_instances(&Snapshot::new(key(), [entry("3", None)])),
            "a copy beside a native one counts"
        );
    }
}
