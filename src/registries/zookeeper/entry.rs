//! One registered instance as a node tells it, and the choice between several at one address.

use crate::model::{Instance, ServiceKey, Snapshot};

/// One instance, and what decides between two at one address.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// The service's name.
    pub(super) service: String,
    /// When it registered, by its own clock, in milliseconds since 1970; 0 where it doesn't say.
    pub(super) registered: i64,
    pub(super) instance: Instance,
}

/// The snapshot that the entries of one service make. An application that was restarted has another node at the same address
/// until its old session ends: the newest, then the order of nodes decide, so that the old node's end changes nothing.
pub(super) fn snapshot<'a>(key: ServiceKey, entries: impl IntoIterator<Item = &'a Entry>) -> Snapshot {
    let mut entries: Vec<&Entry> = entries.into_iter().collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.registered));
    Snapshot::new(key, entries.into_iter().map(|entry| entry.instance.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Address;

    fn entry(registered: i64, pairs: &[(&str, &str)]) -> Entry {
        let mut instance = Instance::new(Address::new("10.0.0.1", 80));
        instance.metadata.extend(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        Entry { service: "orders".to_owned(), registered, instance }
    }

    #[test]
    fn the_native_then_the_newest_entry_stands_for_its_address() {
        let key = || ServiceKey::new("default", "orders");
        let (old, new) = (entry(1, &[("v", "1")]), entry(2, &[("v", "2")]));
        let copy = entry(3, &[("v", "3"), ("causeway-origin", "nacos")]);
        let version = |entries: &[&Entry]| {
            let snapshot = snapshot(key(), entries.iter().copied());
            assert_eq!(snapshot.instances.len(), 1);
            snapshot.instances.into_values().next().unwrap().metadata["v"].clone()
        };
        assert_eq!(version(&[&old, &new, &copy]), "2");
        assert_eq!(version(&[&copy, &new, &old]), "2");
        assert_eq!(version(&[&new]), "2", "the old node's end changes nothing");
        assert_eq!(version(&[&copy]), "3");
    }
}
