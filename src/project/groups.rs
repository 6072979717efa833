//! Instance groups, and which instances are sent traffic.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use causeway_gateways::TargetAddress;

use super::{Reason, Skipped};
use crate::config::{Group, MatchEntry};
use crate::model::{Address, Instance, Snapshot};

/// The group that is always there; unless its entry says otherwise it holds every instance.
pub const DEFAULT_GROUP: &str = "default";

/// The instances that may be targets, in the gateway's form of their addresses.
#[derive(Debug)]
pub(super) struct Candidates<'a> {
    pub(super) targets: BTreeMap<TargetAddress, &'a Instance>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) all_unhealthy: bool,
}

/// Sorts a snapshot's instances into those that are sent traffic and those that are not.
///
/// When no enabled, unisolated instance is healthy, all of them count as healthy: traffic to doubtful instances beats none,
/// and a registry that lost touch with its clients must not switch a service off.
/// `port` says at which port an instance is a target; of two at one address the first by its registered one stays.
pub(super) fn candidates(snapshot: &Snapshot, port: impl Fn(&Instance) -> u16) -> Candidates<'_> {
    let all_unhealthy = !snapshot.instances.values().any(Instance::usable)
        && snapshot.instances.values().any(Instance::wanted);
    let mut candidates = Candidates { targets: BTreeMap::new(), skipped: Vec::new(), all_unhealthy };
    for (address, instance) in &snapshot.instances {
        let target =
            kept_out(instance, all_unhealthy).map_or_else(|| target_address(instance, port(instance)), Err);
        if let Err(reason) = target.and_then(|target| candidates.add(target, instance)) {
            candidates.skipped.push(Skipped { address: address.clone(), reason });
        }
    }
    candidates
}

impl<'a> Candidates<'a> {
    fn add(&mut self, target: TargetAddress, instance: &'a Instance) -> Result<(), Reason> {
        match self.targets.entry(target) {
            Entry::Vacant(free) => {
                free.insert(instance);
                Ok(())
            }
            Entry::Occupied(taken) => Err(Reason::SameTarget(taken.get().address.clone())),
        }
    }
}

fn kept_out(instance: &Instance, all_unhealthy: bool) -> Option<Reason> {
    match instance {
        Instance { enabled: false, .. } => Some(Reason::Disabled),
        Instance { isolated: true, .. } => Some(Reason::Isolated),
        Instance { healthy: false, .. } if !all_unhealthy => Some(Reason::Unhealthy),
        _ => None,
    }
}

fn target_address(instance: &Instance, port: u16) -> Result<TargetAddress, Reason> {
    if port == 0 {
        return Err(Reason::NoPort);
    }
    TargetAddress::new(&instance.address.host, port)
        .map_err(|error| Reason::InvalidAddress(error.to_string()))
}

/// One group of a service: a name, which instances are in it, and maybe an upstream that its user made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter<'a> {
    pub(super) name: &'a str,
    condition: Condition<'a>,
    pub(super) upstream_name: Option<&'a str>,
}

/// Which instances are in a group.
#[derive(Clone, Copy, Debug)]
enum Condition<'a> {
    All,
    /// Those of a configured group.
    Configured(&'a Group),
    /// Those with the group's name as the value of this key.
    ValueOf(&'a str),
}

impl<'a> Filter<'a> {
    /// The group of a value of the `group_by` key.
    pub(super) fn of_value(key: &'a str, value: &'a str) -> Self {
        Self { name: value, condition: Condition::ValueOf(key), upstream_name: None }
    }

    /// The value that an instance must have for a metadata key to be in the group.
    pub(super) fn value_of(&self, key: &str) -> Option<&'a str> {
        match self.condition {
            Condition::All => None,
            Condition::Configured(group) => group.metadata.get(key).map(String::as_str),
            Condition::ValueOf(by) => (by == key).then_some(self.name),
        }
    }

    /// Whether an instance is in the group.
    pub(super) fn holds(&self, instance: &Instance) -> bool {
        match self.condition {
            Condition::All => true,
            Condition::Configured(group) => group.holds(&instance.metadata),
            Condition::ValueOf(key) => instance.metadata.get(key).is_some_and(|value| value == self.name),
        }
    }
}

/// A group's members that are left out for their health only.
pub(super) fn unhealthy(filter: Filter<'_>, snapshot: &Snapshot, all_unhealthy: bool) -> BTreeSet<Address> {
    let out = snapshot.instances.values().filter(|instance| filter.holds(instance));
    let out = out.filter(|instance| kept_out(instance, all_unhealthy) == Some(Reason::Unhealthy));
    out.map(|instance| instance.address.clone()).collect()
}

/// The entry's configured groups, `default` first and always there.
pub(super) fn filters(entry: &MatchEntry) -> Vec<Filter<'_>> {
    let configured = |group: &'static str| entry.groups.iter().find(|g| g.name == group).map(filter);
    let all = Filter { name: DEFAULT_GROUP, condition: Condition::All, upstream_name: None };
    let others = entry.groups.iter().filter(|g| g.name != DEFAULT_GROUP).map(filter);
    std::iter::once(configured(DEFAULT_GROUP).unwrap_or(all)).chain(others).collect()
}

fn filter(group: &Group) -> Filter<'_> {
    Filter {
        name: &group.name,
        condition: Condition::Configured(group),
        upstream_name: group.upstream_name.as_deref(),
    }
}
