//! From a direction of a task between two registries to the chain of one of its services.

use std::collections::BTreeSet;

use super::chain::{matched, registered};
use super::{CopyChain, Matched, Registered};
use crate::model::ServiceKey;
use crate::reconcile::copies::{CopyFlow, CopyState, ServiceView};
use crate::sync::Direction;

impl CopyFlow {
    /// The chains of every service that goes by this name at either end.
    pub fn why(&self, name: &str) -> Vec<CopyChain> {
        let (mut keys, mut chains) = (BTreeSet::new(), Vec::new());
        for source in self.source.view().services().into_iter().filter(|key| key.is_named(name)) {
            match self.way.entry(&source).and_then(|_| self.way.there(&source).ok()) {
                Some(key) if self.source_of(&key).as_ref() == Some(&source) => drop(keys.insert(key)),
                _ => chains.push(self.not_carried(source)),
            }
        }
        let known = self.all_keys().into_iter().chain(self.statuses().into_keys());
        keys.extend(known.filter(|key| key.is_named(name)));
        chains.extend(keys.into_iter().map(|key| self.chain(key)));
        chains
    }

    fn source_of(&self, key: &ServiceKey) -> Option<ServiceKey> {
        self.look(key).source.or_else(|| self.way.back(key).ok())
    }

    /// Of a service that may have copies.
    fn chain(&self, key: ServiceKey) -> CopyChain {
        let stands = self.explain(&key);
        let status = self.statuses().remove(&key).unwrap_or_default();
        CopyChain {
            unknown: self.destination.unknown(&key),
            failing: status.error,
            name: Some(key.to_string()),
            ..self.bare(self.source_of(&key), stands)
        }
    }

    /// Of a service that the registry shows, and that has no name at the destination or is none of the task's.
    fn not_carried(&self, source: ServiceKey) -> CopyChain {
        let unnamed = self.way.entry(&source).map(|_| match self.way.there(&source) {
            Err(reason) => reason.to_string(),
            Ok(key) => {
                let of = self.source_of(&key).map(|of| format!("`{of}`")).unwrap_or_default();
                format!("the name `{key}` is that of {of} at the destination")
            }
        });
        let stands = ServiceView {
            source: Some(source.to_string()),
            unread: false,
            waiting: None,
            copies: Vec::new(),
        };
        CopyChain { unnamed, ..self.bare(Some(source), stands) }
    }

    fn bare(&self, source: Option<ServiceKey>, stands: ServiceView) -> CopyChain {
        let task = self.way.task();
        let nothing = || Registered {
            registry: self.way.read().to_owned(),
            state: "absent".to_owned(),
            instances: Vec::new(),
            unknown: None,
        };
        CopyChain {
            task: task.name.clone(),
            policy: task.policy.as_str().to_owned(),
            delete: task.delete,
            registered: source.as_ref().map_or_else(nothing, |key| registered(&self.source, key)),
            matched: source.as_ref().map_or_else(Matched::default, |key| self.matched(key)),
            service: source.map(|key| key.to_string()),
            destination: self.way.written().to_owned(),
            name: None,
            unnamed: None,
            unknown: None,
            stands,
            failing: None,
        }
    }

    /// Entries are in the words of the task's source, both ways.
    fn matched(&self, source: &ServiceKey) -> Matched {
        let task = self.way.task();
        match self.way.direction() {
            Direction::There => matched(task, source),
            Direction::Back => self.way.there(source).map(|key| matched(task, &key)).unwrap_or_default(),
        }
    }
}

impl CopyChain {
    pub(super) fn is_well(&self) -> bool {
        let carried = self.matched.entry.is_some();
        self.registered.is_readable()
            && self.unknown.is_none()
            && self.failing.is_none()
            && !(carried && self.unnamed.is_some())
            && !self.stands.unread
            && self.stands.waiting.is_none()
            && self.stands.those(CopyState::Conflict).next().is_none()
    }
}
