//! What has to change so that the gateway holds what is wanted for one registered service. Pure.
//!
//! ```text
//!  wanted:      absent ─▶ create · ours ─▶ patch what is ours · fillable ─▶ targets only · anybody else's ─▶ conflict
//!  not wanted:  ours, unused, permitted ─▶ delete · not yet permitted ─▶ retiring · in use ─▶ kept
//! ```
//!
//! What the task's limits forbid is withheld: told as the change that it would be, and never made. `policy: fill` looks at upstreams
//! and their targets only.

mod fields;
mod retire;
mod route;
mod standing;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::tags::Marks;
use crate::{
    Change, Conflict, Context, Desired, Existence, Fields, Kept, LiveObject, LiveTarget, LiveUpstream,
    ObjectKey, Plan, Policy, Service, Tags, Target, TargetAddress, Upkeep, Upstream, Waiting, Withheld,
    World, Write, order,
};
pub(crate) use fields::satisfied;
use fields::{Differences, list};
pub(crate) use standing::Standing;
use standing::UNMARKED;

/// The setting that leaves a target's weight to people.
const WEIGHT_IS_THEIRS: &str = "fields: { weight: create-only }";

/// The difference between what is wanted for one registered service and what stands, as a plan.
///
/// What does not bear the mark of `context` is never changed or deleted. Equal inputs give equal plans, and
/// after a plan has been applied and recorded, the next one is empty.
pub fn diff(desired: &Desired, world: &World, context: &Context) -> Plan {
    let mut diff = Diff {
        desired,
        world,
        context,
        plan: Plan::default(),
        blocked: BTreeSet::new(),
        yielding: BTreeSet::new(),
    };
    for (name, upstream) in &desired.upstreams {
        diff.upstream(name, upstream);
    }
    if !diff.fills() {
        for (name, service) in &desired.services {
            diff.service(name, service);
        }
        for (name, route) in &desired.routes {
            diff.route(name, route);
        }
    }
    diff.retire();
    let mut plan = diff.plan;
    order::sort(&mut plan, desired);
    plan
}

struct Diff<'a> {
    desired: &'a Desired,
    world: &'a World,
    context: &'a Context,
    plan: Plan,
    /// What is wanted here but not ours to make: nothing of ours is led there.
    blocked: BTreeSet<ObjectKey>,
    /// Routes that are wanted, and go because another one matches the same requests.
    yielding: BTreeSet<ObjectKey>,
}

impl Diff<'_> {
    fn upstream(&mut self, name: &str, want: &Upstream) {
        let key = ObjectKey::Upstream(name.to_owned());
        if want.sequence.is_some() {
            self.plan.one_at_a_time.insert(name.to_owned());
        }
        let existence = if self.fills() { &Existence::Filled } else { &want.existence };
        match (self.world.upstream(name), existence) {
            (None, Existence::Filled) => {
                self.blocked.insert(key.clone());
                let reason =
                    "it does not exist yet; its targets are put in as soon as its user has made it".into();
                self.plan.waiting.push(Waiting { key, reason });
            }
            (None, Existence::Owned { .. }) => {
                self.create(key, want.fields.clone(), &want.tags, purpose(&want.tags));
                self.targets(name, want, Some(&BTreeMap::new()), true);
            }
            (Some(live), Existence::Filled) => self.targets(name, want, live.targets.as_ref(), false),
            (Some(live), Existence::Owned { fillable }) => {
                self.standing_upstream(key, name, want, live, fillable)
            }
        }
    }

    fn standing_upstream(
        &mut self,
        key: ObjectKey,
        name: &str,
        want: &Upstream,
        live: &LiveUpstream,
        fillable: &Tags,
    ) {
        match self.context.standing(&live.object.tags) {
            Standing::Ours => {
                self.patch(key, &live.object, &want.tags, Differences::of(&want.fields, &live.object.fields));
                self.targets(name, want, live.targets.as_ref(), true);
            }
            Standing::Unmarked if !fillable.is_disjoint(&live.object.tags) => {
                self.targets(name, want, live.targets.as_ref(), false);
            }
            Standing::Unmarked => self.conflict(key, UNMARKED.to_owned()),
            Standing::Foreign(reason) => self.conflict(key, reason),
        }
    }

    /// `owned`: the upstream is ours, so a target with our mark and no service's name was made for this one.
    fn targets(
        &mut self,
        name: &str,
        want: &Upstream,
        live: Option<&BTreeMap<TargetAddress, LiveTarget>>,
        owned: bool,
    ) {
        let Some(live) = live else {
            self.plan.unread.insert(name.to_owned());
            return;
        };
        for (address, target) in &want.targets {
            let key = ObjectKey::Target(name.to_owned(), address.clone());
            match live.get(address) {
                Some(stands) => self.standing_target(key, target, stands),
                None => {
                    let fields = Fields::from_iter([("weight".to_owned(), Value::from(target.weight))]);
                    self.create(
                        key,
                        fields,
                        &target.tags,
                        format!("registered with weight {}", target.weight),
                    );
                }
            }
        }
        for (address, stands) in live.iter().filter(|(address, _)| !want.targets.contains_key(*address)) {
            let ours = owned && matches!(self.context.standing(&stands.tags), Standing::Ours);
            if ours || self.context.made(&stands.tags) {
                let key = ObjectKey::Target(name.to_owned(), address.clone());
                self.delete(key, &stands.id, "no longer among the instances that belong here".into());
            }
        }
    }

    fn standing_target(&mut self, key: ObjectKey, want: &Target, live: &LiveTarget) {
        match self.context.standing(&live.tags) {
            Standing::Ours => {
                let object = LiveObject::of_target(live);
                let mut weight = Differences::default();
                if want.weight != live.weight {
                    weight.note("weight", want.weight.into(), live.weight.into());
                }
                if self.context.limits.weight == Upkeep::CreateOnly {
                    self.withhold(key.clone(), &object, std::mem::take(&mut weight), WEIGHT_IS_THEIRS);
                }
                self.patch(key, &object, &want.tags, weight);
            }
            Standing::Unmarked if want.weight != live.weight => {
                let (has, wanted) = (live.weight, want.weight);
                let reason = format!(
                    "made by hand with weight {has}; it counts as present and keeps that, though {wanted} is wanted"
                );
                self.plan.kept.push(Kept { key, reason });
            }
            Standing::Unmarked => {}
            Standing::Foreign(reason) => self.plan.conflicts.push(Conflict { key, reason }),
        }
    }

    fn service(&mut self, name: &str, want: &Service) {
        let key = ObjectKey::Service(name.to_owned());
        let upstream = ObjectKey::Upstream(want.host.clone());
        self.dependent(
            key,
            self.world.service(name),
            ("host", &upstream, &want.host),
            &want.tags,
            &want.fields,
        );
    }

    /// A service, which leads to an upstream by its `host`, or a route, which leads to a service.
    fn dependent(
        &mut self,
        key: ObjectKey,
        live: Option<&LiveObject>,
        (link, leads_to, value): (&str, &ObjectKey, &str),
        tags: &Tags,
        fields: &Fields,
    ) {
        let standing = live.map(|live| (live, self.context.standing(&live.tags)));
        if let Some((_, Standing::Foreign(reason))) = standing {
            return self.conflict(key, reason);
        }
        if let Some((_, Standing::Unmarked)) = standing {
            return self.conflict(key, UNMARKED.to_owned());
        }
        let blocked = self.blocked.contains(leads_to);
        if blocked && live.is_none_or(|live| live.leads_to.as_deref() != Some(value)) {
            let reason = format!("it would lead to {leads_to}, which is not ours or not there yet");
            self.plan.waiting.push(Waiting { key: key.clone(), reason });
        }
        let link = (!blocked).then_some(link);
        match live {
            Some(live) => {
                let mut found = Differences::of(fields, &live.fields);
                if let Some(link) = link.filter(|_| live.leads_to.as_deref() != Some(value)) {
                    found.note(link, value.into(), live.leads_to.clone().into());
                }
                self.patch(key, live, tags, found);
            }
            None if blocked => {
                self.blocked.insert(key);
            }
            None => {
                let mut fields = fields.clone();
                fields.extend(link.map(|link| (link.to_owned(), value.into())));
                self.create(key, fields, tags, purpose(tags));
            }
        }
    }

    /// Whether only targets are this task's to write.
    fn fills(&self) -> bool {
        self.context.limits.policy == Policy::Fill
    }

    /// Puts a change into the plan, as one to be made or as one that is withheld.
    fn put(&mut self, change: Change) {
        match self.context.limits.withholds(&change) {
            Some(by) => self.plan.withheld.push(Withheld { change, by }),
            None => self.plan.changes.push(change),
        }
    }

    fn create(&mut self, key: ObjectKey, mut fields: Fields, tags: &Tags, reason: String) {
        fields.insert("tags".into(), list(tags));
        self.put(Change { key, write: Write::Create(fields), reason });
    }

    fn patch(&mut self, key: ObjectKey, live: &LiveObject, tags: &Tags, mut found: Differences) {
        found.note_tags(tags, &live.tags);
        if !found.fields.is_empty() {
            self.put(found.into_change(key, live));
        }
    }

    /// Tells of differences that a setting of the task leaves to people.
    fn withhold(&mut self, key: ObjectKey, live: &LiveObject, found: Differences, by: &'static str) {
        if !found.fields.is_empty() {
            self.plan.withheld.push(Withheld { change: found.into_change(key, live), by });
        }
    }

    fn delete(&mut self, key: ObjectKey, id: &str, reason: String) {
        self.put(Change { key, write: Write::Delete { id: id.to_owned() }, reason });
    }

    fn conflict(&mut self, key: ObjectKey, reason: String) {
        self.blocked.insert(key.clone());
        self.plan.conflicts.push(Conflict { key, reason });
    }
}

/// What an object is for, from the marks that it is to carry.
fn purpose(tags: &Tags) -> String {
    let marks = Marks::read(tags);
    match (marks.service, marks.group) {
        (Some(service), Some(group)) => format!("for group {group} of service {service}"),
        (Some(service), None) => format!("for service {service}"),
        _ => "wanted, and its name is free".to_owned(),
    }
}
