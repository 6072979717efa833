//! The copy from which all is read, loaded once a second.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{Instance, Key, Namespace, Service, text};

/// Only what changed so recently is loaded (`cache.diffTime`).
const WINDOW: Duration = Duration::from_secs(5);

/// A service's instances by their ids.
type Instances = BTreeMap<String, Arc<Instance>>;

/// What the server shows.
#[derive(Debug)]
pub(crate) struct Cache {
    ghosts: bool,
    pub(crate) namespaces: BTreeMap<String, Arc<Namespace>>,
    pub(crate) services: BTreeMap<Key, Arc<Service>>,
    instances: BTreeMap<Key, Instances>,
    /// The ports that a service's instances were seen at, with their protocols.
    ports: BTreeMap<Key, BTreeSet<(String, String)>>,
}

impl Cache {
    pub(super) fn new(ghosts: bool) -> Self {
        Self {
            ghosts,
            namespaces: BTreeMap::new(),
            services: BTreeMap::new(),
            instances: BTreeMap::new(),
            ports: BTreeMap::new(),
        }
    }

    pub(super) fn restart(
        &mut self,
        namespaces: &BTreeMap<String, Arc<Namespace>>,
        services: &BTreeMap<Key, Arc<Service>>,
        instances: &BTreeMap<String, Arc<Instance>>,
    ) {
        *self = Self::new(self.ghosts);
        self.take_names(namespaces, services);
        instances.iter().filter(|(_, instance)| !instance.deleted).for_each(|(id, i)| self.show(id, i));
    }

    /// Loads what changed lately. A deletion does not count as a change of the instance, so that of one that had not changed
    /// for a while is never loaded. What is deleted and can't be loaded any more is forgotten.
    pub(super) fn load(
        &mut self,
        at: Duration,
        namespaces: &BTreeMap<String, Arc<Namespace>>,
        services: &BTreeMap<Key, Arc<Service>>,
        instances: &mut BTreeMap<String, Arc<Instance>>,
    ) {
        self.take_names(namespaces, services);
        let since = at.saturating_sub(WINDOW);
        for (id, instance) in &*instances {
            if instance.deleted && (!self.ghosts || instance.changed >= since) {
                self.hide(id, &instance.key);
            } else if !instance.deleted && instance.changed >= since {
                self.show(id, instance);
            }
        }
        instances.retain(|_, instance| !instance.deleted || (self.ghosts && instance.changed >= since));
    }

    fn take_names(
        &mut self,
        namespaces: &BTreeMap<String, Arc<Namespace>>,
        services: &BTreeMap<Key, Arc<Service>>,
    ) {
        self.namespaces.clone_from(namespaces);
        self.services.clone_from(services);
        self.ports.retain(|key, _| services.contains_key(key));
    }

    fn show(&mut self, id: &str, instance: &Arc<Instance>) {
        let (port, protocol) = (&instance.row["port"], text(&instance.row, "protocol"));
        if port.as_u64() != Some(0) {
            let ports = self.ports.entry(instance.key.clone()).or_default();
            ports.insert((port.to_string(), protocol.to_owned()));
        }
        let instances = self.instances.entry(instance.key.clone()).or_default();
        instances.insert(id.to_owned(), Arc::clone(instance));
    }

    fn hide(&mut self, id: &str, key: &Key) {
        if let Some(instances) = self.instances.get_mut(key) {
            instances.remove(id);
        }
    }

    /// A service's instances.
    pub(crate) fn of(&self, key: &Key) -> impl Iterator<Item = &Instance> {
        self.instances.get(key).into_iter().flat_map(BTreeMap::values).map(Arc::as_ref)
    }

    /// Every instance, those of deleted services included.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values().flat_map(BTreeMap::values).map(Arc::as_ref)
    }

    /// A service's ports as it shows them: its own, or else those of its instances.
    pub(crate) fn ports(&self, key: &Key) -> Option<String> {
        let ports: Vec<&str> = self.ports.get(key)?.iter().map(|(port, _)| port.as_str()).collect();
        Some(ports.join(","))
    }

    /// How many instances a service has, and how many of them are healthy.
    pub(crate) fn counts(&self, key: &Key) -> (usize, usize) {
        self.of(key)
            .fold((0, 0), |(all, healthy), instance| (all + 1, healthy + usize::from(instance.is_healthy())))
    }
}
