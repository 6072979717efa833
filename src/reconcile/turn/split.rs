//! What of a service's split and of its groups of values depends on what stands.

use std::collections::{BTreeMap, BTreeSet};

use causeway_gateways::{Desired, LiveTarget, Mark, Marks, ObjectKey, TargetAddress, Upstream, tags};

use super::{HeldTarget, Inputs, held, instance_address, keep};
use crate::config::MatchEntry;
use crate::model::Address;
use crate::project::split::{Split, Standing};
use crate::project::{Incumbents, Projected, naming};
use crate::registries::Reading;

/// The groups that have upstreams already, and those in which the guard keeps something that is not shown: such a group
/// stays, though no instance shows its value.
pub(super) fn incumbents(inputs: &Inputs<'_>, reading: &Reading, entry: &MatchEntry) -> Incumbents {
    let mut incumbents = Incumbents::default();
    if entry.group_by.is_none() {
        return incumbents;
    }
    let (key, source, none) = (inputs.key, &inputs.task.source, BTreeSet::new());
    let mark = Mark::new(inputs.owner, &inputs.task.name);
    for object in inputs.world.made_for(&tags::selector(source, &key.namespace, &key.service)) {
        let ObjectKey::Upstream(name) = object else { continue };
        let parts = naming::parse_upstream_name(&name);
        let parts = parts.filter(|parts| parts.source == *source && parts.key == *key);
        let Some(group) = parts.and_then(|parts| parts.group) else { continue };
        let is_kept = |(target, live): (&TargetAddress, &LiveTarget)| {
            let address = instance_address(target, live);
            mark.owns(&live.tags) && held(inputs, reading, &none, &address, true, entry.hold).is_some()
        };
        if standing(inputs, &name).any(is_kept) {
            incumbents.kept.insert(group.clone());
        }
        incumbents.standing.insert(group);
    }
    incumbents
}

fn standing<'a>(
    inputs: &Inputs<'a>,
    upstream: &str,
) -> impl Iterator<Item = (&'a TargetAddress, &'a LiveTarget)> + use<'a> {
    let live = inputs.world.upstream(upstream).and_then(|live| live.targets.as_ref());
    live.into_iter().flatten()
}

/// Brings the split together with what stands: what must not go yet counts in its group and shares its weight, and what
/// changes is put in order.
pub(super) fn settle(
    inputs: &Inputs<'_>,
    reading: &Reading,
    entry: &MatchEntry,
    projected: &mut Projected,
    desired: &mut Desired,
) -> Vec<HeldTarget> {
    let Some(split) = &mut projected.split else { return Vec::new() };
    let Some(upstream) = desired.upstreams.get_mut(&split.upstream) else { return Vec::new() };
    let mark = Mark::new(inputs.owner, &inputs.task.name);
    let stands = |live: &LiveTarget| {
        let foreign = !mark.owns(&live.tags);
        let group = Marks::read(&live.tags).group.filter(|_| !foreign);
        Standing { weight: live.weight, group, foreign }
    };
    let all: BTreeMap<TargetAddress, Standing> =
        standing(inputs, &split.upstream).map(|(target, live)| (target.clone(), stands(live))).collect();
    let unhealthy = projected.groups.iter().flat_map(|group| &group.unhealthy).cloned().collect();
    let kept = keep_in(split, upstream, &all, inputs, reading, (entry, &unhealthy));
    split.weigh();
    for (address, target) in &mut upstream.targets {
        target.weight = split.weights.get(address).copied().unwrap_or_default();
    }
    upstream.sequence = split.order(&all);
    kept
}

/// Keeps in the split what stands there and must not go yet. What the split has no group for any more goes: that is intent.
fn keep_in(
    split: &mut Split,
    upstream: &mut Upstream,
    all: &BTreeMap<TargetAddress, Standing>,
    inputs: &Inputs<'_>,
    reading: &Reading,
    (entry, unhealthy): (&MatchEntry, &BTreeSet<Address>),
) -> Vec<HeldTarget> {
    let last = split.weights.is_empty();
    let mut kept = Vec::new();
    for (target, live) in standing(inputs, &split.upstream) {
        let stands = &all[target];
        let has_group = stands.group.as_ref().is_some_and(|group| split.portions.contains_key(group));
        if !has_group || split.weights.contains_key(target) {
            continue;
        }
        let held = held(inputs, reading, unhealthy, &instance_address(target, live), last, entry.hold);
        if held.is_some() || !inputs.task.delete {
            split.keep(target, stands);
            keep(upstream, target, live);
        }
        let upstream = split.upstream.clone();
        kept.extend(held.map(|held| HeldTarget { upstream, target: target.clone(), held }));
    }
    kept
}
