//! Properties that vanish from the server's cache, though not from its store. Pure.
//!
//! Opening the console of a 1.4.8 (`govern/microservices`) empties the properties of services and instances for every reader, until
//! each is written again; their revision doesn't move. So "no properties" is suspect until the store has been asked (`noCache`).

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::answer::{Described, Service};
use crate::model::Metadata;

/// What the store said of services without properties is asked again after this: times of changes are whole seconds, so a change
/// may leave no trace.
const TRUSTED_FOR: Duration = Duration::from_secs(60);

/// What the store said of services that show no properties, by id and time of their last change.
#[derive(Debug, Default)]
pub(super) struct StoredProperties {
    asked: Option<Instant>,
    stored: BTreeMap<(String, String), Metadata>,
}

impl StoredProperties {
    /// Whether the store has to be asked about a list.
    pub(super) fn doubts(&self, listed: &[Service], now: Instant) -> bool {
        let fresh = self.asked.is_some_and(|asked| now < asked + TRUSTED_FOR);
        bare(listed).any(|service| !fresh || !self.stored.contains_key(&stamp(service)))
    }

    /// Takes the store's own list.
    pub(super) fn learn(&mut self, stored: &[Service], now: Instant) {
        self.asked = Some(now);
        self.stored = stored.iter().map(|service| (stamp(service), service.properties.clone())).collect();
    }

    /// Gives the services that show no properties those that the store has.
    pub(super) fn restore(&self, listed: &mut [Service]) {
        for service in listed.iter_mut().filter(|service| service.properties.is_empty()) {
            if let Some(stored) = self.stored.get(&stamp(service)) {
                service.properties.clone_from(stored);
            }
        }
    }
}

fn bare(listed: &[Service]) -> impl Iterator<Item = &Service> {
    listed.iter().filter(|service| service.properties.is_empty())
}

fn stamp(service: &Service) -> (String, String) {
    (service.service_id.clone(), service.mod_timestamp.clone())
}

/// Whether the store has to be asked about a service's instances.
pub(super) fn are_suspect(instances: &[Described]) -> bool {
    instances.iter().any(|instance| instance.properties.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `id changed property` by lines; no property is `-`.
    fn list(lines: &[&str]) -> Vec<Service> {
        let service = |line: &&str| {
            let words: Vec<&str> = line.split(' ').collect();
            let properties = (words[2] != "-").then(|| ("p".to_owned(), words[2].to_owned()));
            Service {
                service_id: words[0].to_owned(),
                mod_timestamp: words[1].to_owned(),
                properties: properties.into_iter().collect(),
                ..Service::default()
            }
        };
        lines.iter().map(service).collect()
    }

    #[test]
    fn whatever_shows_no_properties_is_asked_about_once_until_it_changes() {
        let now = Instant::now();
        let mut stored = StoredProperties::default();
        assert!(!stored.doubts(&list(&["a 1 x"]), now));
        assert!(stored.doubts(&list(&["a 1 x", "b 1 -"]), now));
        stored.learn(&list(&["a 1 x", "b 1 -"]), now);
        assert!(!stored.doubts(&list(&["a 1 x", "b 1 -"]), now), "b has none");
        assert!(!stored.doubts(&list(&["a 1 -", "b 1 -"]), now), "what a has is known");
        assert!(stored.doubts(&list(&["a 2 -", "b 1 -"]), now), "a has been written since");
        assert!(stored.doubts(&list(&["b 1 -"]), now + TRUSTED_FOR));
    }

    #[test]
    fn the_store_is_right_about_what_vanished() {
        let mut stored = StoredProperties::default();
        stored.learn(&list(&["a 1 x", "b 1 -"]), Instant::now());
        let mut poisoned = list(&["a 1 -", "b 1 -", "c 1 y"]);
        stored.restore(&mut poisoned);
        assert_eq!(poisoned, list(&["a 1 x", "b 1 -", "c 1 y"]));
        let mut changed = list(&["a 2 z"]);
        stored.restore(&mut changed);
        assert_eq!(changed, list(&["a 2 z"]));
    }

    #[test]
    fn one_bare_instance_is_enough() {
        let instance = |properties: &[(&str, &str)]| Described {
            properties: properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..Described::default()
        };
        assert!(!are_suspect(&[]) && !are_suspect(&[instance(&[("a", "b")])]));
        assert!(are_suspect(&[instance(&[("a", "b")]), instance(&[])]));
    }
}
