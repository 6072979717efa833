//! Brings a reading together with what our own writes have made of the gateway since it began.

use std::collections::{BTreeMap, BTreeSet};

use super::World;
use crate::{ObjectKey, ReadScope, Tags};

/// The ids of targets under a tag, each with its upstream's name.
pub type KnownTargets = BTreeMap<String, String>;

impl World {
    /// A moment on the clock of our writes. Take one before a reading begins and give it to [`World::merge`].
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The ids of all targets that bear `tag`, for [`ReadScope::Audit`].
    pub fn targets_with(&self, tag: &str) -> KnownTargets {
        let all = self
            .upstreams
            .iter()
            .flat_map(|(name, u)| u.targets.iter().flatten().map(move |(_, t)| (name, t)));
        all.filter(|(_, target)| target.tags.contains(tag))
            .map(|(name, target)| (target.id.clone(), name.clone()))
            .collect()
    }

    /// Takes over a reading of `scope`. What was written after `since` stays as those writes left it, since
    /// the reading may be older; so do, in an audit, the targets of upstreams that it found unchanged.
    pub fn merge(&mut self, scope: &ReadScope, mut reading: World, since: u64) {
        let gone = self.known_in(scope).into_iter().filter(|key| !reading.holds(key));
        let gone: Vec<ObjectKey> = gone.filter(|key| !self.written_after(key, since)).collect();
        for key in &gone {
            self.remove(key);
        }
        if !matches!(scope, ReadScope::Names { .. }) {
            self.plugins = std::mem::take(&mut reading.plugins);
        }
        self.merge_upstreams(scope, &mut reading, since);
        self.merge_users(&mut reading, since);
        if matches!(scope, ReadScope::All(_) | ReadScope::Audit { .. }) {
            // No reading that began before the last whole one is still under way.
            let whole = std::mem::replace(&mut self.read_whole, since);
            self.written.retain(|_, written| *written > whole);
            self.shared.tidy();
        }
    }

    fn merge_users(&mut self, reading: &mut World, since: u64) {
        for (name, service) in std::mem::take(&mut reading.services) {
            if !self.written_after(&ObjectKey::Service(name.clone()), since)
                && self.services.get(&name) != Some(&service)
            {
                self.insert_service(&name, service);
            }
        }
        for (name, route) in std::mem::take(&mut reading.routes) {
            if !self.written_after(&ObjectKey::Route(name.clone()), since)
                && self.routes.get(&name) != Some(&route)
            {
                self.insert_route(&name, route);
            }
        }
    }

    fn merge_upstreams(&mut self, scope: &ReadScope, reading: &mut World, since: u64) {
        for (name, mut upstream) in std::mem::take(&mut reading.upstreams) {
            if self.written_after(&ObjectKey::Upstream(name.clone()), since) {
                continue;
            }
            let before = self.upstreams.get(&name);
            if keeps_targets(scope, &name, &upstream.object.tags) && upstream.targets.is_none() {
                let same = before.filter(|before| before.object.id == upstream.object.id);
                upstream.targets = same.and_then(|before| before.targets.clone());
            }
            if before != Some(&upstream) {
                self.insert_upstream(&name, upstream);
            }
        }
    }

    fn written_after(&self, key: &ObjectKey, since: u64) -> bool {
        self.written.get(key).is_some_and(|written| *written > since)
    }

    fn holds(&self, key: &ObjectKey) -> bool {
        match key {
            ObjectKey::Upstream(name) => self.upstreams.contains_key(name),
            ObjectKey::Service(name) => self.services.contains_key(name),
            ObjectKey::Route(name) => self.routes.contains_key(name),
            ObjectKey::Target(..) => false,
        }
    }

    /// What is known of what `scope` reads.
    fn known_in(&self, scope: &ReadScope) -> BTreeSet<ObjectKey> {
        let upstreams = self.upstreams.keys().cloned().map(ObjectKey::Upstream);
        let services = self.services.keys().cloned().map(ObjectKey::Service);
        let routes = self.routes.keys().cloned().map(ObjectKey::Route);
        match scope {
            ReadScope::All(_) | ReadScope::Audit { .. } => upstreams.chain(services).chain(routes).collect(),
            ReadScope::Uses { upstreams: names } => {
                names.iter().cloned().map(ObjectKey::Upstream).chain(services).chain(routes).collect()
            }
            ReadScope::Names { upstreams, services, routes } => {
                let upstreams = upstreams.iter().cloned().map(ObjectKey::Upstream);
                let services = services.iter().cloned().map(ObjectKey::Service);
                upstreams.chain(services).chain(routes.iter().cloned().map(ObjectKey::Route)).collect()
            }
        }
    }
}

/// Whether targets that were not listed are to be taken for unchanged.
fn keeps_targets(scope: &ReadScope, name: &str, tags: &Tags) -> bool {
    matches!(scope, ReadScope::Audit { listed, .. } if listed.wants(name, tags))
}
