//! Our copy of the wanted services' instances, each at a revision of the server's. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::Described;
use super::directory::Directory;
use super::instance::Entry;
use crate::model::{ServiceKey, Snapshot};

/// So many services are asked for in one request.
const BATCH: usize = 200;

/// A service and the revision at which we hold it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    pub(super) key: ServiceKey,
    /// Empty asks for everything.
    pub(super) revision: String,
}

/// The wanted services.
#[derive(Debug, Default)]
pub(super) struct LocalCopy {
    services: BTreeMap<ServiceKey, Option<Held>>,
}

#[derive(Debug)]
struct Held {
    revision: String,
    entries: Vec<Entry>,
}

impl LocalCopy {
    /// Only these are wanted from now on.
    pub(super) fn keep(&mut self, wanted: &BTreeSet<ServiceKey>) {
        self.services.retain(|key, _| wanted.contains(key));
        for key in wanted {
            self.services.entry(key.clone()).or_insert(None);
        }
    }

    pub(super) fn wants(&self, key: &ServiceKey) -> bool {
        self.services.contains_key(key)
    }

    /// What to ask for, a request at a time.
    pub(super) fn questions(&self) -> Vec<Vec<Question>> {
        let question = |(key, held): (&ServiceKey, &Option<Held>)| {
            let revision = held.as_ref().map(|held| held.revision.clone()).unwrap_or_default();
            Question { key: key.clone(), revision }
        };
        let all: Vec<Question> = self.services.iter().map(question).collect();
        all.chunks(BATCH).map(<[Question]>::to_vec).collect()
    }

    /// Takes all of a service's instances.
    pub(super) fn take(&mut self, key: &ServiceKey, revision: String, instances: Vec<Described>) {
        if let Some(held) = self.services.get_mut(key) {
            let mut entries: Vec<Entry> = instances.into_iter().filter_map(Entry::of).collect();
            entries.sort_by(|a, b| a.rank().cmp(&b.rank()));
            *held = Some(Held { revision, entries });
        }
    }

    /// All of a service is asked for next; nothing is known of it until then.
    pub(super) fn forget(&mut self, key: &ServiceKey) {
        if let Some(held) = self.services.get_mut(key) {
            *held = None;
        }
    }

    /// All of every service is asked for next. A revision is made of the store's own and the number of instances, so one of a store
    /// that has lost its data may say the same of something else.
    pub(super) fn forget_revisions(&mut self) {
        self.services.values_mut().flatten().for_each(|held| held.revision.clear());
    }

    /// Whether each instance's version of the service is listed.
    pub(super) fn is_covered(&self, key: &ServiceKey, directory: &Directory) -> bool {
        let held = self.services.get(key).and_then(Option::as_ref);
        let mut ids = held.into_iter().flat_map(|held| &held.entries).map(|entry| &entry.service_id);
        ids.all(|id| directory.properties(key, id).is_some())
    }

    /// A service as it is shown; `None` while it hasn't been read.
    pub(super) fn snapshot(&self, key: &ServiceKey, directory: &Directory) -> Option<Snapshot> {
        let held = self.services.get(key)?.as_ref()?;
        let instance = |entry: &Entry| entry.within(directory.properties(key, &entry.service_id));
        let snapshot = Snapshot::new(key.clone(), held.entries.iter().map(instance));
        Some(Snapshot { revision: held.revision.clone(), ..snapshot })
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::Service;
    use super::*;

    fn key(service: &str) -> ServiceKey {
        ServiceKey::new("app", service)
    }

    fn keys(services: &[&str]) -> BTreeSet<ServiceKey> {
        services.iter().map(|service| key(service)).collect()
    }

    fn instance(host: &str, service_id: &str) -> Described {
        Described {
            instance_id: host.to_owned(),
            service_id: service_id.to_owned(),
            endpoints: vec![format!("rest://{host}:80")],
            status: "UP".to_owned(),
            ..Described::default()
        }
    }

    fn listing(property: &str) -> Directory {
        let service = Service {
            service_id: "x-1".to_owned(),
            app_id: "app".to_owned(),
            service_name: "x".to_owned(),
            properties: [("p".to_owned(), property.to_owned())].into(),
            ..Service::default()
        };
        Directory::of(vec![service], "")
    }

    fn asked(copy: &LocalCopy) -> Vec<(String, String)> {
        let all = copy.questions().into_iter().flatten();
        all.map(|question| (question.key.service, question.revision)).collect()
    }

    #[test]
    fn each_service_is_asked_for_at_the_revision_that_is_held() {
        let mut copy = LocalCopy::default();
        copy.keep(&keys(&["x", "y"]));
        copy.take(&key("x"), "r1".to_owned(), vec![]);
        copy.take(&key("unwanted"), "r1".to_owned(), vec![]);
        let pair = |service: &str, revision: &str| (service.to_owned(), revision.to_owned());
        assert_eq!(asked(&copy), [pair("x", "r1"), pair("y", "")]);
        copy.forget_revisions();
        assert_eq!(asked(&copy), [pair("x", ""), pair("y", "")]);
        assert!(copy.snapshot(&key("x"), &listing("1")).is_some(), "it is held until it is read anew");
        copy.forget(&key("x"));
        copy.keep(&keys(&["x", "z"]));
        assert_eq!(asked(&copy), [pair("x", ""), pair("z", "")]);
        assert!(copy.wants(&key("z")) && !copy.wants(&key("y")));
    }

    #[test]
    fn many_are_asked_for_in_several_requests() {
        let mut copy = LocalCopy::default();
        copy.keep(&(0..450).map(|n| key(&n.to_string())).collect());
        let sizes: Vec<usize> = copy.questions().iter().map(Vec::len).collect();
        assert_eq!(sizes, [200, 200, 50]);
        assert!(LocalCopy::default().questions().is_empty());
    }

    #[test]
    fn what_the_service_says_is_in_each_snapshot() {
        let mut copy = LocalCopy::default();
        copy.keep(&keys(&["x"]));
        assert_eq!(copy.snapshot(&key("x"), &listing("1")), None, "unread is not empty");
        copy.take(&key("x"), "r1".to_owned(), vec![instance("10.0.0.1", "x-1"), instance("10.0.0.2", "x-1")]);
        for property in ["1", "2"] {
            let snapshot = copy.snapshot(&key("x"), &listing(property)).unwrap();
            assert_eq!((snapshot.revision.as_str(), snapshot.instances.len()), ("r1", 2));
            assert!(snapshot.instances.values().all(|instance| instance.metadata["p"] == property));
        }
        assert!(copy.is_covered(&key("x"), &listing("1")));
        copy.take(&key("x"), "r2".to_owned(), vec![instance("10.0.0.3", "x-2")]);
        assert!(!copy.is_covered(&key("x"), &listing("1")), "a version that isn't listed yet");
    }
}
