//! What a gateway holds of one service against what is wanted, object by object. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use causeway_gateways::{Fields, LiveUpstream, Mark, Marks, ObjectKey, Tags, TargetAddress, World, Write};
use serde_json::Value;
use tokio::time::Instant;

use super::{ObjectView, State};
use crate::guard::{Held, Time};
use crate::reconcile::turn::Turn;

/// What the objects of a service are told from.
pub(super) struct Scene<'a> {
    pub(super) turn: &'a Turn,
    pub(super) world: &'a World,
    pub(super) mark: &'a Mark,
    /// The tags of the registered service.
    pub(super) selector: &'a Tags,
    pub(super) clock: Clock<'a>,
}

/// The times that only a running Causeway knows.
pub(super) struct Clock<'a> {
    /// Now, for the guard and for everybody else.
    pub(super) now: (Time, Instant),
    /// Since when what retires has been unused.
    pub(super) retiring: &'a BTreeMap<ObjectKey, Instant>,
    /// How long an upstream is kept from then on.
    pub(super) retire_after: Duration,
}

impl Scene<'_> {
    /// Everything that is wanted, that stands for the service or that the plan names: an upstream, then its targets.
    pub(super) fn objects(&self) -> Vec<ObjectView> {
        let mut keys: Vec<ObjectKey> = self.keys().into_iter().collect();
        keys.sort_by(|a, b| place(a).cmp(&place(b)));
        keys.iter().map(|key| self.object(key)).collect()
    }

    /// The upstreams among what stands.
    pub(super) fn upstreams(&self) -> BTreeSet<String> {
        let names = self.keys().into_iter().filter_map(|key| match key {
            ObjectKey::Upstream(name) => Some(name),
            _ => None,
        });
        names.filter(|name| self.world.upstream(name).is_some()).collect()
    }

    fn keys(&self) -> BTreeSet<ObjectKey> {
        let (desired, plan) = (&self.turn.desired, &self.turn.plan);
        let mut keys = self.world.made_for(self.selector);
        keys.extend(desired.upstreams.keys().cloned().map(ObjectKey::Upstream));
        keys.extend(desired.services.keys().cloned().map(ObjectKey::Service));
        keys.extend(desired.routes.keys().cloned().map(ObjectKey::Route));
        keys.extend(plan.changes.iter().map(|change| change.key.clone()));
        keys.extend(plan.withheld.iter().map(|it| it.change.key.clone()));
        keys.extend(plan.conflicts.iter().map(|it| it.key.clone()));
        keys.extend(plan.waiting.iter().map(|it| it.key.clone()));
        keys.extend(plan.retiring.iter().map(|it| it.key.clone()));
        keys.extend(plan.kept.iter().map(|it| it.key.clone()));
        let upstreams: Vec<String> = keys.iter().filter_map(upstream_of).map(str::to_owned).collect();
        for name in upstreams {
            let wanted = desired.upstreams.get(&name).into_iter().flat_map(|it| it.targets.keys());
            let stand = self.world.upstream(&name).into_iter().flat_map(|it| self.of_interest(it));
            let targets = wanted.chain(stand).map(|address| ObjectKey::Target(name.clone(), address.clone()));
            keys.extend(targets);
        }
        keys
    }

    /// All targets of an upstream of ours; of somebody else's only those that bear our mark.
    fn of_interest<'b>(&'b self, upstream: &'b LiveUpstream) -> impl Iterator<Item = &'b TargetAddress> {
        let ours = self.mark.owns(&upstream.object.tags);
        let targets = upstream.targets.iter().flatten();
        targets.filter(move |(_, it)| ours || self.mark.owns(&it.tags)).map(|(address, _)| address)
    }

    fn object(&self, key: &ObjectKey) -> ObjectView {
        let (name, upstream) = match key {
            ObjectKey::Target(upstream, address) => (address.to_string(), Some(upstream.clone())),
            ObjectKey::Upstream(name) | ObjectKey::Service(name) | ObjectKey::Route(name) => {
                (name.clone(), None)
            }
        };
        let mut view = ObjectView {
            kind: key.kind().as_str().to_owned(),
            name,
            upstream,
            state: State::Present,
            reason: None,
            withheld_by: None,
            stands: self.stands(key).unwrap_or_default(),
            wanted: BTreeMap::new(),
            for_seconds: None,
            until_seconds: None,
        };
        let told = self.hindered(&mut view, key)
            || self.held(&mut view, key)
            || self.changed(&mut view, key)
            || self.going(&mut view, key);
        if !told {
            self.settled(&mut view, key);
        }
        view
    }

    /// A conflict, or somebody's turn to do something.
    fn hindered(&self, view: &mut ObjectView, key: &ObjectKey) -> bool {
        let plan = &self.turn.plan;
        let conflict =
            plan.conflicts.iter().find(|it| it.key == *key).map(|it| (State::Conflict, &it.reason));
        let waiting = plan.waiting.iter().find(|it| it.key == *key).map(|it| (State::Waiting, &it.reason));
        tell(view, conflict.or(waiting))
    }

    fn held(&self, view: &mut ObjectView, key: &ObjectKey) -> bool {
        let ObjectKey::Target(upstream, target) = key else { return false };
        let mut held = self.turn.held.iter().filter(|it| it.upstream == *upstream && it.target == *target);
        let Some(Held { reason, since, until }) = held.next().map(|it| &it.held) else { return false };
        let (now, _) = self.clock.now;
        view.for_seconds = Some(now.since(*since).as_secs());
        view.until_seconds = until.map(|until| until.since(now).as_secs());
        tell(view, Some((State::Held, &reason.to_string())))
    }

    fn changed(&self, view: &mut ObjectView, key: &ObjectKey) -> bool {
        let plan = &self.turn.plan;
        let planned = plan.changes.iter().map(|change| (change, None));
        let mut all = planned.chain(plan.withheld.iter().map(|it| (&it.change, Some(it.by))));
        let Some((change, by)) = all.find(|(change, _)| change.key == *key) else { return false };
        view.withheld_by = by.map(str::to_owned);
        let state = match &change.write {
            Write::Create(fields) => {
                view.wanted = without_tags(fields);
                State::Missing
            }
            Write::Patch { fields, before, .. } => {
                view.stands.extend(before.clone());
                view.wanted = fields.clone().into_iter().collect();
                State::Differs
            }
            Write::Delete { .. } => State::Unwanted,
        };
        tell(view, Some((state, &change.reason)))
    }

    fn going(&self, view: &mut ObjectView, key: &ObjectKey) -> bool {
        let plan = &self.turn.plan;
        if let Some(retiring) = plan.retiring.iter().find(|it| it.key == *key) {
            let (_, now) = self.clock.now;
            if let Some(since) = self.clock.retiring.get(key) {
                let waited = now.saturating_duration_since(*since);
                view.for_seconds = Some(waited.as_secs());
                view.until_seconds = Some(self.clock.retire_after.saturating_sub(waited).as_secs());
            }
            let used = if retiring.unused { "" } else { "; what leads to it goes first" };
            return tell(view, Some((State::Retiring, &format!("{}{used}", retiring.reason))));
        }
        tell(view, plan.kept.iter().find(|it| it.key == *key).map(|it| (State::Kept, &it.reason)))
    }

    /// What the plan says nothing about: as wanted, somebody else's, or hindered by what it belongs to.
    fn settled(&self, view: &mut ObjectView, key: &ObjectKey) {
        let upstream = upstream_of(key).map(|name| ObjectKey::Upstream(name.to_owned()));
        if upstream_of(key).is_some_and(|name| self.turn.plan.unread.contains(name)) {
            view.state = State::Unread;
        } else if self.stands(key).is_none() {
            view.state = State::Blocked;
            let what =
                upstream.map_or_else(|| "what it leads to".to_owned(), |upstream| upstream.to_string());
            view.reason = Some(format!("{what} is not ours or not there yet"));
        } else if let Some(owner) = self.foreign(key) {
            view.state = State::Foreign;
            view.reason = Some(owner);
        } else if !self.wants(key) {
            let kept = self.turn.plan.kept.iter().any(|kept| Some(&kept.key) == upstream.as_ref());
            (view.state, view.reason) = match kept {
                true => (State::Kept, Some("it stays with its upstream".to_owned())),
                false => (State::Retiring, Some("it goes with its upstream".to_owned())),
            };
        }
    }

    fn wants(&self, key: &ObjectKey) -> bool {
        let desired = &self.turn.desired;
        match key {
            ObjectKey::Upstream(name) => desired.upstreams.contains_key(name),
            ObjectKey::Target(upstream, address) => {
                desired.upstreams.get(upstream).is_some_and(|it| it.targets.contains_key(address))
            }
            ObjectKey::Service(name) => desired.services.contains_key(name),
            ObjectKey::Route(name) => desired.routes.contains_key(name),
        }
    }

    /// Whose an object is that does not bear our mark.
    fn foreign(&self, key: &ObjectKey) -> Option<String> {
        let tags = self.tags(key).filter(|tags| !self.mark.owns(tags))?;
        let marks = Marks::read(tags);
        let use_of_it = match (self.wants(key), key) {
            (false, _) => "",
            (true, ObjectKey::Upstream(_)) => "; it is filled with our targets and otherwise left alone",
            (true, _) => "; it counts as present and stays as it is",
        };
        Some(match (marks.owner, marks.task) {
            (Some(owner), Some(task)) => {
                format!("it belongs to task {task} of deployment {owner}{use_of_it}")
            }
            (Some(owner), None) => format!("it belongs to deployment {owner}{use_of_it}"),
            _ => format!("it bears no mark of Causeway{use_of_it}"),
        })
    }

    fn tags(&self, key: &ObjectKey) -> Option<&Tags> {
        match key {
            ObjectKey::Upstream(name) => self.world.upstream(name).map(|it| &*it.object.tags),
            ObjectKey::Target(upstream, address) => {
                self.world.upstream(upstream)?.targets.as_ref()?.get(address).map(|it| &*it.tags)
            }
            ObjectKey::Service(name) => self.world.service(name).map(|it| &*it.tags),
            ObjectKey::Route(name) => self.world.route(name).map(|it| &*it.tags),
        }
    }

    /// The fields by which an object is known; none when it does not stand.
    fn stands(&self, key: &ObjectKey) -> Option<BTreeMap<String, Value>> {
        let one = |name: &str, value: Value| BTreeMap::from([(name.to_owned(), value)]);
        match key {
            ObjectKey::Upstream(name) => self.world.upstream(name).map(|_| BTreeMap::new()),
            ObjectKey::Target(upstream, address) => {
                let target = self.world.upstream(upstream)?.targets.as_ref()?.get(address)?;
                Some(one("weight", target.weight.into()))
            }
            ObjectKey::Service(name) => {
                self.world.service(name).map(|it| one("host", it.leads_to.clone().into()))
            }
            ObjectKey::Route(name) => {
                self.world.route(name).map(|it| one("service", it.leads_to.clone().into()))
            }
        }
    }
}

fn tell(view: &mut ObjectView, told: Option<(State, &String)>) -> bool {
    let Some((state, reason)) = told else { return false };
    view.state = state;
    view.reason = Some(reason.clone());
    true
}

fn without_tags(fields: &Fields) -> BTreeMap<String, Value> {
    let fields = fields.iter().filter(|(name, _)| *name != "tags");
    fields.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Upstreams, each before its targets, then services, then routes.
fn place(key: &ObjectKey) -> (u8, &str, Option<&TargetAddress>) {
    match key {
        ObjectKey::Upstream(name) => (0, name, None),
        ObjectKey::Target(upstream, address) => (0, upstream, Some(address)),
        ObjectKey::Service(name) => (1, name, None),
        ObjectKey::Route(name) => (2, name, None),
    }
}

fn upstream_of(key: &ObjectKey) -> Option<&str> {
    match key {
        ObjectKey::Upstream(name) | ObjectKey::Target(name, _) => Some(name),
        ObjectKey::Service(_) | ObjectKey::Route(_) => None,
    }
}
