//! What bears our marks for this service and is no longer wanted. Nothing in use is taken away.

use std::collections::BTreeSet;

use super::Diff;
use super::standing::Standing;
use crate::{Change, Kept, LiveUpstream, ObjectKey, Retiring, Write};

/// Why most things go.
const UNWANTED: &str = "no longer wanted by any entry of the task";

impl Diff<'_> {
    /// Routes first, then services, then upstreams: what uses a thing is looked at before the thing.
    pub(super) fn retire(&mut self) {
        let found = self.world.made_for(&self.context.selector);
        let unwanted: BTreeSet<ObjectKey> = found.into_iter().filter(|key| !self.wants(key)).collect();
        for key in unwanted.iter().rev() {
            match key {
                ObjectKey::Route(name) => self.retire_route(key, name),
                ObjectKey::Service(name) => self.retire_service(key, name),
                ObjectKey::Upstream(_) | ObjectKey::Target(..) => {}
            }
        }
        let stays = self
            .plan
            .kept
            .iter()
            .map(|kept| &kept.key)
            .find(|key| matches!(key, ObjectKey::Service(_)))
            .cloned();
        for key in &unwanted {
            if let ObjectKey::Upstream(name) = key {
                self.retire_upstream(key, name, stays.as_ref());
            }
        }
        self.plan.retiring.sort();
        self.plan.kept.sort();
    }

    fn wants(&self, key: &ObjectKey) -> bool {
        match key {
            ObjectKey::Upstream(name) => self.desired.upstreams.contains_key(name),
            ObjectKey::Service(name) => self.desired.services.contains_key(name),
            ObjectKey::Route(name) => self.desired.routes.contains_key(name) && !self.yielding.contains(key),
            ObjectKey::Target(..) => false,
        }
    }

    fn retire_route(&mut self, key: &ObjectKey, name: &str) {
        let Some(live) = self.world.route(name).filter(|live| self.context.made(&live.tags)) else { return };
        match self.plugins(key) {
            Some(plugins) => self.keep(key, format!("no longer wanted, but it has {plugins}")),
            None => self.go(key, &live.id, true),
        }
    }

    fn retire_service(&mut self, key: &ObjectKey, name: &str) {
        let Some(live) = self.world.service(name).filter(|live| self.context.made(&live.tags)) else {
            return;
        };
        if let Some((route, _)) = self.desired.routes.iter().find(|(_, route)| route.service == name) {
            return self.keep(key, format!("route {route} is to lead to it"));
        }
        let going = |route: &&str| self.leaves(&ObjectKey::Route((*route).to_owned()), "service", name);
        let stays = |route: &&str| !going(route) && !self.is_retiring(&ObjectKey::Route((*route).to_owned()));
        if let Some(route) = self.world.routes_leading_to(name).find(stays) {
            return self.keep(key, format!("no longer wanted, but route {route} leads to it"));
        }
        if let Some(plugins) = self.plugins(key) {
            return self.keep(key, format!("no longer wanted, but it has {plugins}"));
        }
        let unused = self.world.routes_leading_to(name).all(|route| going(&route));
        self.go(key, &live.id, unused);
    }

    fn retire_upstream(&mut self, key: &ObjectKey, name: &str, stays: Option<&ObjectKey>) {
        let Some(live) = self.world.upstream(name) else { return };
        if live.targets.is_none() {
            self.plan.unread.insert(name.to_owned());
            return;
        }
        if self.fills() || !self.context.made(&live.object.tags) {
            return self.retire_targets(key, name, live);
        }
        if let Some(service) = stays {
            return self.keep(key, format!("no longer wanted, but {service} stays, and may use it"));
        }
        if let Some((service, _)) = self.desired.services.iter().find(|(_, service)| service.host == name) {
            return self.keep(key, format!("service {service} is to lead to it"));
        }
        let leaving = |service: &&str| self.leaves(&ObjectKey::Service((*service).to_owned()), "host", name);
        let lasting = |service: &&str| {
            !leaving(service) && !self.is_retiring(&ObjectKey::Service((*service).to_owned()))
        };
        if let Some(service) = self.world.services_leading_to(name).find(lasting) {
            return self.keep(key, format!("no longer wanted, but service {service} leads to it"));
        }
        if let Some(address) = self.foreign_target(live) {
            return self
                .keep(key, format!("no longer wanted, but somebody else put target {address} into it"));
        }
        // Not before it has left: should the write that leads it elsewhere fail for long, no time has run.
        let unused = self.world.services_leading_to(name).next().is_none();
        self.go(key, &live.object.id, unused);
    }

    /// Takes our targets out of an upstream that is somebody else's, or that the policy leaves alone.
    fn retire_targets(&mut self, key: &ObjectKey, name: &str, live: &LiveUpstream) {
        let ours = live.targets.iter().flatten().filter(|(_, target)| self.context.made(&target.tags));
        let deletions: Vec<Change> = ours
            .map(|(address, it)| {
                let key = ObjectKey::Target(name.to_owned(), address.clone());
                deletion(key, &it.id, "this upstream is no longer to be filled")
            })
            .collect();
        let waits = |change: &Change| !self.context.retire.contains(key) && self.may(change);
        if deletions.iter().any(waits) {
            let reason = "our targets in it are no longer wanted; the upstream itself stays".into();
            self.plan.retiring.push(Retiring { key: key.clone(), reason, unused: true });
            return;
        }
        deletions.into_iter().for_each(|change| self.put(change));
    }

    fn may(&self, change: &Change) -> bool {
        self.context.limits.withholds(change).is_none()
    }

    fn foreign_target(&self, live: &LiveUpstream) -> Option<String> {
        let ours = |tags| matches!(self.context.standing(tags), Standing::Ours);
        live.targets
            .iter()
            .flatten()
            .find(|(_, target)| !ours(&target.tags))
            .map(|(address, _)| address.to_string())
    }

    fn go(&mut self, key: &ObjectKey, id: &str, unused: bool) {
        let yields = self.yielding.contains(key);
        let reason = if yields { "another one matches the same requests" } else { UNWANTED };
        let change = deletion(key.clone(), id, reason);
        if !self.may(&change) || (unused && self.context.retire.contains(key)) {
            self.put(change);
        } else {
            self.plan.retiring.push(Retiring { key: change.key, reason: change.reason, unused });
        }
    }

    fn keep(&mut self, key: &ObjectKey, reason: String) {
        self.plan.kept.push(Kept { key: key.clone(), reason });
    }

    fn plugins(&self, key: &ObjectKey) -> Option<String> {
        let plugins = self.world.plugins_on(key).filter(|plugins| !plugins.is_empty())?;
        Some(format!("the plugins {}", plugins.iter().map(String::as_str).collect::<Vec<_>>().join(", ")))
    }

    fn is_retiring(&self, key: &ObjectKey) -> bool {
        self.plan.retiring.iter().any(|retiring| retiring.key == *key)
    }

    /// Whether this plan deletes a service or route, or leads it elsewhere by its field `link`; or would, if it
    /// might: what uses a thing is withheld with it.
    fn leaves(&self, user: &ObjectKey, link: &str, used: &str) -> bool {
        let withheld = self.plan.withheld.iter().map(|withheld| &withheld.change);
        let all = self.plan.changes.iter().chain(withheld);
        all.filter(|change| change.key == *user).any(|change| match &change.write {
            Write::Delete { .. } => true,
            Write::Patch { fields, .. } => fields.get(link).is_some_and(|leads_to| leads_to != used),
            Write::Create(_) => false,
        })
    }
}

fn deletion(key: ObjectKey, id: &str, reason: &str) -> Change {
    Change { key, write: Write::Delete { id: id.to_owned() }, reason: reason.to_owned() }
}
