//! Finds what was made for a registered service, and who uses what, without a walk over everything.

use std::collections::{BTreeMap, BTreeSet};

use super::{LiveObject, LiveUpstream};
use crate::matching::Matching;
use crate::{ObjectKey, Tags, tags};

/// Kept in step with the maps of a world by whoever changes those.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// By the tag of the service: how often each object bears it (an upstream also once for each target that
    /// does).
    tagged: BTreeMap<String, BTreeMap<ObjectKey, usize>>,
    /// The services that lead to an upstream, the routes that lead to a service.
    users: BTreeMap<ObjectKey, BTreeSet<String>>,
    /// Routes by what [`Matching::handles`] says of them.
    routes: BTreeMap<String, BTreeSet<String>>,
}

impl Index {
    /// Everything that bears the service's tag of `selector`. A selector without one finds nothing.
    pub(super) fn tagged(&self, selector: &Tags) -> impl Iterator<Item = &ObjectKey> {
        let tag = selector.iter().find(|tag| tag.starts_with(tags::SERVICE));
        tag.and_then(|tag| self.tagged.get(tag)).into_iter().flatten().map(|(key, _)| key)
    }

    pub(super) fn users<'a>(&'a self, of: &ObjectKey) -> impl Iterator<Item = &'a str> + use<'a> {
        self.users.get(of).into_iter().flatten().map(String::as_str)
    }

    /// The names of the routes that may meet one with these handles.
    pub(super) fn routes(&self, handles: &BTreeSet<String>) -> BTreeSet<&str> {
        let found = handles.iter().filter_map(|handle| self.routes.get(handle));
        found.flatten().map(String::as_str).collect()
    }

    pub(super) fn add_upstream(&mut self, name: &str, upstream: &LiveUpstream) {
        self.add_object(&ObjectKey::Upstream(name.to_owned()), &upstream.object);
        for target in upstream.targets.iter().flat_map(BTreeMap::values) {
            self.add_target(name, &target.tags);
        }
    }

    pub(super) fn remove_upstream(&mut self, name: &str, upstream: &LiveUpstream) {
        self.remove_object(&ObjectKey::Upstream(name.to_owned()), &upstream.object);
        for target in upstream.targets.iter().flat_map(BTreeMap::values) {
            self.remove_target(name, &target.tags);
        }
    }

    pub(super) fn add_target(&mut self, upstream: &str, tags: &Tags) {
        self.add(&ObjectKey::Upstream(upstream.to_owned()), tags);
    }

    pub(super) fn remove_target(&mut self, upstream: &str, tags: &Tags) {
        self.remove(&ObjectKey::Upstream(upstream.to_owned()), tags);
    }

    pub(super) fn add_object(&mut self, key: &ObjectKey, object: &LiveObject) {
        self.add(key, &object.tags);
        if let Some((used, user)) = usage(key, object) {
            self.users.entry(used).or_default().insert(user.to_owned());
        }
        for (handle, route) in handles(key, object) {
            self.routes.entry(handle).or_default().insert(route.to_owned());
        }
    }

    pub(super) fn remove_object(&mut self, key: &ObjectKey, object: &LiveObject) {
        self.remove(key, &object.tags);
        if let Some((used, user)) = usage(key, object) {
            take_out(&mut self.users, &used, user);
        }
        for (handle, route) in handles(key, object) {
            take_out(&mut self.routes, &handle, route);
        }
    }

    fn add(&mut self, key: &ObjectKey, tags: &Tags) {
        for tag in tags.iter().filter(|tag| tag.starts_with(tags::SERVICE)) {
            let bearers = match self.tagged.get_mut(tag) {
                Some(bearers) => bearers,
                None => self.tagged.entry(tag.clone()).or_default(),
            };
            *bearers.entry(key.clone()).or_default() += 1;
        }
    }

    fn remove(&mut self, key: &ObjectKey, tags: &Tags) {
        for tag in tags.iter().filter(|tag| tag.starts_with(tags::SERVICE)) {
            let Some(bearers) = self.tagged.get_mut(tag) else { continue };
            if let Some(times) = bearers.get_mut(key) {
                *times -= 1;
                if *times == 0 {
                    bearers.remove(key);
                }
            }
            if bearers.is_empty() {
                self.tagged.remove(tag);
            }
        }
    }
}

fn take_out<K: Ord>(names: &mut BTreeMap<K, BTreeSet<String>>, under: &K, name: &str) {
    let Some(found) = names.get_mut(under) else { return };
    found.remove(name);
    if found.is_empty() {
        names.remove(under);
    }
}

/// What a route is found by, beside its name.
fn handles<'a>(key: &'a ObjectKey, object: &LiveObject) -> impl Iterator<Item = (String, &'a str)> + use<'a> {
    let route = match key {
        ObjectKey::Route(name) => Matching::of(&object.fields).map(|matching| (matching, name.as_str())),
        _ => None,
    };
    route
        .into_iter()
        .flat_map(|(matching, name)| matching.handles().into_iter().map(move |handle| (handle, name)))
}

/// What an object uses, and the name by which it does.
fn usage<'a>(key: &'a ObjectKey, object: &LiveObject) -> Option<(ObjectKey, &'a str)> {
    let used = object.leads_to.clone()?;
    match key {
        ObjectKey::Service(name) => Some((ObjectKey::Upstream(used), name)),
        ObjectKey::Route(name) => Some((ObjectKey::Service(used), name)),
        ObjectKey::Upstream(_) | ObjectKey::Target(..) => None,
    }
}
