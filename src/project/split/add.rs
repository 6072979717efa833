//! A split's place in what is desired for a service.

use std::collections::BTreeMap;

use causeway_gateways::{Conflict, Desired, ObjectKey, Target, TargetAddress};

use super::{SPLIT, Split, SplitNote};
use crate::model::{Instance, ServiceKey, Weight};
use crate::project::groups::{Filter, filters};
use crate::project::{Projection, conflict, marks, named_by_us, naming, targets};

/// Adds the configured split's upstream to what is desired, with the groups' members and what they weigh. Each target is
/// marked with its group, so that it is known to which it belonged when it is shown no more.
///
/// # Errors
/// When the name of its upstream is another group's.
pub(in crate::project) fn add(
    request: &Projection<'_>,
    key: &ServiceKey,
    candidates: &BTreeMap<TargetAddress, &Instance>,
    desired: &mut Desired,
    conflicts: &mut Vec<Conflict>,
) -> Result<Option<Split>, SplitNote> {
    let Some(shares) = &request.entry.split else { return Ok(None) };
    let name = naming::upstream_name(&request.task.source, key, SPLIT);
    if desired.upstreams.contains_key(&name) {
        return Err(SplitNote::NameTaken { upstream: name });
    }
    let mut split = Split::new(name.clone(), shares);
    for group in groups(request, shares) {
        for (target, instance) in candidates.iter().filter(|(_, instance)| group.holds(instance)) {
            split.add(group.name, target, instance.weight == Weight::ZERO);
        }
    }
    split.weigh();
    let all: Vec<&Instance> =
        candidates.iter().filter(|(it, _)| split.weights.contains_key(*it)).map(|(_, it)| *it).collect();
    let targets = marked(request, key, candidates, &split);
    let (upstream, told) = named_by_us(request, marks(request, key, Some(SPLIT)), targets, &all);
    conflicts.extend(conflict(ObjectKey::Upstream(name.clone()), &told));
    desired.upstreams.insert(name, upstream);
    Ok(Some(split))
}

/// The groups that have shares: configured ones, or those of values.
fn groups<'a>(request: &Projection<'a>, shares: &'a BTreeMap<String, f64>) -> Vec<Filter<'a>> {
    let configured = filters(request.entry);
    let by_key = request.entry.group_by.as_ref().map(|by| by.key.as_str());
    let group = |name: &'a String| {
        let group = configured.iter().find(|group| group.name == name).copied();
        group.or_else(|| by_key.map(|key| Filter::of_value(key, name)))
    };
    shares.keys().filter_map(group).collect()
}

fn marked(
    request: &Projection<'_>,
    key: &ServiceKey,
    candidates: &BTreeMap<TargetAddress, &Instance>,
    split: &Split,
) -> BTreeMap<TargetAddress, Target> {
    let mut all = BTreeMap::new();
    for (group, share) in &split.portions {
        let members = candidates.iter().filter(|(target, _)| share.members.contains(*target)).collect();
        all.extend(targets(&members, &marks(request, key, Some(group))));
    }
    for (address, target) in &mut all {
        target.weight = split.weights.get(address).copied().unwrap_or_default();
    }
    all
}
