//! What a gateway holds, as last read and as changed by our own writes since.

mod index;
mod merge;
mod share;
#[cfg(test)]
mod tests;

pub use merge::KnownTargets;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::matching::Matching;
use crate::order::Verb;
use crate::{Change, Effect, Fields, ObjectKey, Tags, TargetAddress};
use index::Index;
pub(crate) use share::Shared;

/// The objects of a gateway that a plan has to know: ours, and whatever else stands under names that we want
/// or uses what is ours.
///
/// Kept by [`World::record`] after each write and by [`World::merge`] after each reading.
#[derive(Clone, Debug, Default)]
pub struct World {
    upstreams: BTreeMap<String, LiveUpstream>,
    services: BTreeMap<String, LiveObject>,
    routes: BTreeMap<String, LiveObject>,
    /// Names of the plugins on services and routes: they would go with them.
    plugins: BTreeMap<ObjectKey, BTreeSet<String>>,
    index: Index,
    shared: Shared,
    /// When each object was last written by us, on the clock of `version`; a target counts as its upstream.
    written: BTreeMap<ObjectKey, u64>,
    version: u64,
    /// When the last whole reading began, on the same clock.
    read_whole: u64,
}

/// A service, a route or an upstream's own fields, as they stand. A target too, where a gateway answers a
/// write of one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveObject {
    /// The id that Kong reads back.
    pub id: String,
    /// All its tags.
    pub tags: Arc<Tags>,
    /// A service's `host`; the name of a route's service (its id where the name is unknown).
    pub leads_to: Option<String>,
    /// All other fields but name and times, with Kong's defaults. Shared, since most objects differ in
    /// nothing else.
    pub fields: Arc<Fields>,
}

/// An upstream and its targets, as they stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveUpstream {
    /// The upstream itself.
    pub object: LiveObject,
    /// Its targets by normalised address; `None` while they have not been listed.
    pub targets: Option<BTreeMap<TargetAddress, LiveTarget>>,
}

/// A target, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveTarget {
    /// The id that Kong reads back; targets are addressed by it.
    pub id: String,
    /// 0 to 65535.
    pub weight: u32,
    /// All its tags. Shared, since those of one upstream mostly bear the same.
    pub tags: Arc<Tags>,
}

impl LiveObject {
    /// A target as the answer to a write gives it: `weight` is among its fields.
    pub fn of_target(target: &LiveTarget) -> Self {
        let fields = Fields::from_iter([("weight".to_owned(), Value::from(target.weight))]);
        Self { id: target.id.clone(), tags: target.tags.clone(), leads_to: None, fields: Arc::new(fields) }
    }

    /// The reverse of [`LiveObject::of_target`]. Kong's default weight is 100.
    pub fn as_target(&self) -> LiveTarget {
        let weight = self.fields.get("weight").and_then(Value::as_u64).and_then(|w| u32::try_from(w).ok());
        LiveTarget { id: self.id.clone(), weight: weight.unwrap_or(100), tags: self.tags.clone() }
    }
}

impl LiveUpstream {
    /// Its tags, then those of its targets; ones that neighbours share are given once.
    pub fn all_tags(&self) -> impl Iterator<Item = &Tags> {
        let targets = self.targets.iter().flatten().map(|(_, target)| &target.tags);
        let mut last: Option<&Arc<Tags>> = None;
        std::iter::once(&self.object.tags).chain(targets).filter_map(move |tags| {
            let same = last.replace(tags).is_some_and(|last| Arc::ptr_eq(last, tags));
            (!same).then_some(&**tags)
        })
    }

    /// Targets mostly bear what their upstream does, or what the others do.
    fn share_tags(&mut self) {
        let mut known = BTreeSet::from([self.object.tags.clone()]);
        for target in self.targets.iter_mut().flat_map(BTreeMap::values_mut) {
            match known.get(&target.tags) {
                Some(tags) => target.tags = tags.clone(),
                None => {
                    known.insert(target.tags.clone());
                }
            }
        }
    }
}

impl World {
    /// An upstream by name.
    pub fn upstream(&self, name: &str) -> Option<&LiveUpstream> {
        self.upstreams.get(name)
    }

    /// A service by name.
    pub fn service(&self, name: &str) -> Option<&LiveObject> {
        self.services.get(name)
    }

    /// A route by name.
    pub fn route(&self, name: &str) -> Option<&LiveObject> {
        self.routes.get(name)
    }

    /// An upstream, a service or a route; no target, whose fields are kept another way.
    pub fn object(&self, key: &ObjectKey) -> Option<&LiveObject> {
        match key {
            ObjectKey::Upstream(name) => self.upstream(name).map(|upstream| &upstream.object),
            ObjectKey::Service(name) => self.service(name),
            ObjectKey::Route(name) => self.route(name),
            ObjectKey::Target(..) => None,
        }
    }

    /// The tags of every object, targets included; equal ones that stand beside each other once.
    pub fn all_tags(&self) -> impl Iterator<Item = &Tags> {
        let of_upstreams = self.upstreams.values().flat_map(LiveUpstream::all_tags);
        let others = self.services.values().chain(self.routes.values()).map(|object| &*object.tags);
        of_upstreams.chain(others)
    }

    /// Every upstream, by name.
    pub fn upstreams(&self) -> &BTreeMap<String, LiveUpstream> {
        &self.upstreams
    }

    /// Every service, by name (its id where it has none).
    pub fn services(&self) -> &BTreeMap<String, LiveObject> {
        &self.services
    }

    /// Every route, by name (its id where it has none).
    pub fn routes(&self) -> &BTreeMap<String, LiveObject> {
        &self.routes
    }

    /// Names of the plugins on a service or route.
    pub fn plugins_on(&self, key: &ObjectKey) -> Option<&BTreeSet<String>> {
        self.plugins.get(key)
    }

    /// Names of the services whose `host` is this upstream.
    pub fn services_leading_to<'a>(&'a self, upstream: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.index.users(&ObjectKey::Upstream(upstream.to_owned()))
    }

    /// Names of the routes that lead to this service.
    pub fn routes_leading_to<'a>(&'a self, service: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.index.users(&ObjectKey::Service(service.to_owned()))
    }

    /// The routes that match requests which `matching` does too, and neither by more than the other; by name.
    pub(crate) fn routes_meeting<'a>(
        &'a self,
        matching: &'a Matching,
    ) -> impl Iterator<Item = (&'a str, &'a LiveObject)> {
        let found = self.index.routes(&matching.handles()).into_iter();
        let found = found.filter_map(|name| Some((name, self.routes.get(name)?)));
        found.filter(|(_, route)| Matching::of(&route.fields).is_some_and(|it| it.meets(matching)))
    }

    /// Upstreams, services and routes that bear all of `selector`, and upstreams with a target that does.
    ///
    /// O(log n + what is found), since everything is indexed by the service's tag.
    pub fn made_for(&self, selector: &Tags) -> BTreeSet<ObjectKey> {
        let found = self.index.tagged(selector);
        found.filter(|key| self.bears(key, selector)).cloned().collect()
    }

    fn bears(&self, key: &ObjectKey, selector: &Tags) -> bool {
        let by = |object: &LiveObject| selector.is_subset(&object.tags);
        match key {
            ObjectKey::Upstream(name) => self.upstreams.get(name).is_some_and(|upstream| {
                by(&upstream.object)
                    || upstream.targets.iter().flatten().any(|(_, t)| selector.is_subset(&t.tags))
            }),
            ObjectKey::Service(name) => self.services.get(name).is_some_and(by),
            ObjectKey::Route(name) => self.routes.get(name).is_some_and(by),
            ObjectKey::Target(..) => false,
        }
    }

    /// Puts an upstream in, with its targets, in place of what was known under its name.
    pub fn insert_upstream(&mut self, name: &str, mut upstream: LiveUpstream) {
        upstream.object.fields = self.shared.share(upstream.object.fields);
        upstream.share_tags();
        self.remove(&ObjectKey::Upstream(name.to_owned()));
        self.index.add_upstream(name, &upstream);
        self.upstreams.insert(name.to_owned(), upstream);
    }

    /// Puts a service in, in place of what was known under its name.
    pub fn insert_service(&mut self, name: &str, mut service: LiveObject) {
        service.fields = self.shared.share(service.fields);
        let key = ObjectKey::Service(name.to_owned());
        if let Some(before) = self.services.insert(name.to_owned(), service) {
            self.index.remove_object(&key, &before);
        }
        self.index.add_object(&key, &self.services[name]);
    }

    /// Puts a route in, in place of what was known under its name.
    pub fn insert_route(&mut self, name: &str, mut route: LiveObject) {
        route.fields = self.shared.share(route.fields);
        let key = ObjectKey::Route(name.to_owned());
        if let Some(before) = self.routes.insert(name.to_owned(), route) {
            self.index.remove_object(&key, &before);
        }
        self.index.add_object(&key, &self.routes[name]);
    }

    /// Notes a plugin on a service or route.
    pub fn insert_plugin(&mut self, on: ObjectKey, plugin: &str) {
        self.plugins.entry(on).or_default().insert(plugin.to_owned());
    }

    /// Takes over what a gateway answered to a change.
    pub fn record(&mut self, change: &Change, effect: &Effect) {
        self.version += 1;
        self.written.insert(granule(&change.key), self.version);
        match effect {
            Effect::Deleted => self.remove(&change.key),
            Effect::Written(object) => self.write(&change.key, object, change.write.verb()),
        }
    }

    fn write(&mut self, key: &ObjectKey, object: &LiveObject, verb: Verb) {
        match key {
            ObjectKey::Upstream(name) => {
                let known = self.upstreams.get(name).and_then(|upstream| upstream.targets.clone());
                // One that was just created has no targets, even if a reading has seen it before we were answered.
                let targets = known.or_else(|| (verb == Verb::Create).then(BTreeMap::new));
                self.insert_upstream(name, LiveUpstream { object: object.clone(), targets });
            }
            ObjectKey::Target(upstream, address) => self.write_target(upstream, address, object.as_target()),
            ObjectKey::Service(name) => self.insert_service(name, object.clone()),
            ObjectKey::Route(name) => self.insert_route(name, object.clone()),
        }
    }

    fn write_target(&mut self, upstream: &str, address: &TargetAddress, mut target: LiveTarget) {
        // Not listed yet: a single target would pass for all of them.
        let Some(targets) = self.upstreams.get_mut(upstream).and_then(|u| u.targets.as_mut()) else { return };
        if let Some(first) = targets.values().next().filter(|first| first.tags == target.tags) {
            target.tags = first.tags.clone();
        }
        self.index.add_target(upstream, &target.tags);
        if let Some(before) = targets.insert(address.clone(), target) {
            self.index.remove_target(upstream, &before.tags);
        }
    }

    /// Forgets one object, and with an upstream its targets.
    pub fn remove(&mut self, key: &ObjectKey) {
        match key {
            ObjectKey::Upstream(name) => {
                if let Some(before) = self.upstreams.remove(name) {
                    self.index.remove_upstream(name, &before);
                }
            }
            ObjectKey::Target(upstream, address) => {
                let targets = self.upstreams.get_mut(upstream).and_then(|u| u.targets.as_mut());
                if let Some(before) = targets.and_then(|targets| targets.remove(address)) {
                    self.index.remove_target(upstream, &before.tags);
                }
            }
            ObjectKey::Service(name) => {
                if let Some(before) = self.services.remove(name) {
                    self.index.remove_object(key, &before);
                }
                self.plugins.remove(key);
            }
            ObjectKey::Route(name) => {
                if let Some(before) = self.routes.remove(name) {
                    self.index.remove_object(key, &before);
                }
                self.plugins.remove(key);
            }
        }
    }
}

impl PartialEq for World {
    /// Whether the same stands there; when it was written does not matter.
    fn eq(&self, other: &Self) -> bool {
        (&self.upstreams, &self.services, &self.routes, &self.plugins)
            == (&other.upstreams, &other.services, &other.routes, &other.plugins)
    }
}

/// What a write makes newer than a reading: the object, or for a target its whole upstream, whose list is
/// read at once.
fn granule(key: &ObjectKey) -> ObjectKey {
    match key {
        ObjectKey::Target(upstream, _) => ObjectKey::Upstream(upstream.clone()),
        other => other.clone(),
    }
}
