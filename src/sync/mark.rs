//! Whose an entry of a registry is.

use crate::model::marks::{ID_PREFIX, ORIGIN, OWNER, TASK};
use crate::model::{Address, Instance, Metadata, ServiceKey};

/// Names the ids that are derived from copies.
const IDS: uuid::Uuid = uuid::uuid!("0d4f7c5e-6a0b-5f4e-9d21-8a1c3b7e9f60");

/// The mark of a copy: where the instance is native, and who copied it. It never names a process, so that any may go on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The registry in which the instance is native, by its configured name.
    pub origin: String,
    /// The deployment.
    pub owner: String,
    /// The task.
    pub task: String,
}

/// Whose an entry is, seen from one task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// An application's own.
    Native,
    /// The task's copy.
    Ours,
    /// A copy of another task of the same deployment.
    Task(String),
    /// A copy of another deployment, or of another tool; by name where the mark says it.
    Foreign(Option<String>),
}

impl Mark {
    /// Writes the mark into metadata.
    pub fn stamp(&self, metadata: &mut Metadata) {
        let pairs = [(ORIGIN, &self.origin), (OWNER, &self.owner), (TASK, &self.task)];
        metadata.extend(pairs.map(|(key, value)| (key.to_owned(), value.clone())));
    }

    /// The mark that metadata bears, if it is a whole one of ours.
    pub fn read(metadata: &Metadata) -> Option<Self> {
        let value = |key: &str| metadata.get(key).cloned();
        Some(Self { origin: value(ORIGIN)?, owner: value(OWNER)?, task: value(TASK)? })
    }

    /// Whose an entry of a service is, for the task that this mark is of. Where its metadata was lost, its id tells.
    pub fn holder(&self, key: &ServiceKey, entry: &Instance) -> Holder {
        if !entry.is_copy() {
            return Holder::Native;
        }
        match (entry.metadata.get(OWNER), entry.metadata.get(TASK)) {
            (Some(owner), Some(task)) if *owner == self.owner && *task == self.task => Holder::Ours,
            (Some(owner), Some(task)) if *owner == self.owner => Holder::Task(task.clone()),
            (None, None) if entry.attributes.get("id") == Some(&self.id(key, &entry.address)) => Holder::Ours,
            (owner, _) => Holder::Foreign(owner.cloned()),
        }
    }

    /// Whether an entry of a service is the task's own copy.
    pub fn owns(&self, key: &ServiceKey, entry: &Instance) -> bool {
        self.holder(key, entry) == Holder::Ours
    }

    /// The id of the copy at this address, where a registry lets the writer choose ids: the same in every process.
    pub fn id(&self, key: &ServiceKey, address: &Address) -> String {
        let parts = [&self.owner, &self.task, &key.namespace, &key.service, &address.to_string()];
        let name: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
        format!("{ID_PREFIX}{}", uuid::Uuid::new_v5(&IDS, name.as_bytes()).simple())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Mark {
        Mark { origin: "nacos-a".into(), owner: "prod".into(), task: "move".into() }
    }

    fn pairs(pairs: &[(&str, &str)]) -> Metadata {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_mark_is_read_as_it_was_stamped() {
        let mut metadata = pairs(&[("version", "1")]);
        mark().stamp(&mut metadata);
        assert_eq!(Mark::read(&metadata), Some(mark()));
        assert_eq!(holder_of(metadata), Holder::Ours);
    }

    fn holder_of(metadata: Metadata) -> Holder {
        mark().holder(&orders(), &Instance { metadata, ..Instance::new(Address::new("10.0.0.1", 80)) })
    }

    fn orders() -> ServiceKey {
        ServiceKey::new("n", "orders")
    }

    #[test]
    fn a_copy_that_lost_its_metadata_is_known_by_its_id() {
        let mut entry = Instance::new(Address::new("10.0.0.1", 80));
        entry.attributes.insert("id".into(), mark().id(&orders(), &entry.address));
        assert_eq!(mark().holder(&orders(), &entry), Holder::Ours);
        assert_eq!(mark().holder(&ServiceKey::new("n", "books"), &entry), Holder::Foreign(None));
    }

    #[test]
    fn each_holder() {
        let cases = [
            (pairs(&[("version", "1")]), Holder::Native),
            (pairs(&[(OWNER, "prod"), (TASK, "other")]), Holder::Task("other".into())),
            (pairs(&[(OWNER, "lab"), (TASK, "move")]), Holder::Foreign(Some("lab".into()))),
            (pairs(&[(OWNER, "prod")]), Holder::Foreign(Some("prod".into()))),
            (pairs(&[("__sync__", "nacos1")]), Holder::Foreign(None)),
        ];
        for (metadata, holder) in cases {
            assert_eq!(holder_of(metadata.clone()), holder, "{metadata:?}");
        }
    }

    #[test]
    fn ids_are_the_same_everywhere_and_told_apart() {
        let (key, address) = (ServiceKey::new("a", "bc"), Address::new("10.0.0.1", 80));
        let id = mark().id(&key, &address);
        assert_eq!(id, "causeway-7eb6963b230f5a69a963f456150f4d15");
        assert!(crate::model::marks::is_copy_id(&id));
        assert_ne!(id, mark().id(&ServiceKey::new("ab", "c"), &address));
        assert_eq!(
            id,
            Mark { origin: "b".into(), ..mark() }.id(&key, &address),
            "an application may move its origin"
        );
    }
}
