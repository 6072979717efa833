//! One service's turn, pure: from what is read to a plan, with what the guard holds kept in it.

mod split;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use causeway_gateways::{
    Context, Desired, Limits, LiveTarget, Mark, Marks, ObjectKey, Plan, Policy, Target, TargetAddress,
    Upkeep, Upstream, World, Write, diff,
};

use crate::config::{self, RegistryKind};
use crate::guard::{Guard, Held, Time, Verdict};
use crate::model::{Address, ServiceKey};
use crate::project::{self, Note, Projected, Projection};
use crate::registries::Reading;

/// What a turn is decided on.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// This deployment's name in its marks.
    pub owner: &'a str,
    /// The task.
    pub task: &'a config::Task,
    /// The type of its source.
    pub kind: RegistryKind,
    /// The service.
    pub key: &'a ServiceKey,
    /// What the registry last showed of it; `None` while it was never read.
    pub reading: Option<&'a Reading>,
    /// What stands in the gateway.
    pub world: &'a World,
    /// The source's guard.
    pub guard: &'a Guard,
    /// Now.
    pub now: Time,
    /// What may be retired now.
    pub retire: &'a BTreeSet<ObjectKey>,
}

/// What is to be done for one service, and what waits.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// The changes, conflicts and what else the diff found.
    pub plan: Plan,
    /// Targets that stand and are not shown, and that the guard keeps.
    pub held: Vec<HeldTarget>,
    /// What should stand, with what the guard keeps in it as it stands.
    pub desired: Desired,
    /// How the service was projected; none when it is not matched or was not read.
    pub projected: Option<Projected>,
    /// It is matched, and its scope has not been read completely yet: nothing can be said.
    pub unread: bool,
}

/// A removal that waits.
#[derive(Clone, Debug)]
pub struct HeldTarget {
    /// The upstream that keeps it.
    pub upstream: String,
    /// The target.
    pub target: TargetAddress,
    /// Why, since when and until when.
    pub held: Held,
}

impl Turn {
    /// The plan without what takes something away. Where targets are written one at a time, what comes after a deletion
    /// waits for it, since any beginning of such a sequence is sound, and nothing else.
    pub fn additions(&self) -> Plan {
        let mut plan = self.plan.clone();
        let mut waiting = BTreeSet::new();
        plan.changes.retain(|change| {
            let sequence = self.plan.sequence_of(change);
            let deletes = matches!(change.write, Write::Delete { .. });
            waiting.extend(sequence.filter(|_| deletes).map(str::to_owned));
            !deletes && sequence.is_none_or(|upstream| !waiting.contains(upstream))
        });
        plan
    }

    /// What the service's user should know of its groups and its split.
    pub fn notes(&self) -> Vec<Note> {
        self.projected.as_ref().map(Projected::notes).unwrap_or_default()
    }

    /// Whether the plan takes something away.
    pub fn removes(&self) -> bool {
        self.plan.changes.iter().any(|change| matches!(change.write, Write::Delete { .. }))
    }

    /// The earliest time at which something held may go by itself.
    pub fn held_until(&self) -> Option<Time> {
        self.held.iter().filter_map(|target| target.held.until).min()
    }
}

/// Decides one service's turn.
pub fn turn(inputs: &Inputs<'_>) -> Turn {
    let entry = inputs.task.entry_for(&inputs.key.namespace, &inputs.key.service);
    let Some(entry) = entry else {
        return Turn { plan: plan(inputs, &Desired::default()), ..Turn::default() };
    };
    let Some(reading) = inputs.reading else { return Turn { unread: true, ..Turn::default() } };
    let incumbents = &split::incumbents(inputs, reading, entry);
    let request =
        Projection { owner: inputs.owner, task: inputs.task, source_kind: inputs.kind, entry, incumbents };
    let mut projected = project::project(&request, &reading.snapshot);
    let mut desired = projected.desired.clone();
    let mut held = keep_held(inputs, reading, &projected, &mut desired, entry.hold);
    held.extend(split::settle(inputs, reading, entry, &mut projected, &mut desired));
    let gone = !reading.listed && reading.snapshot.instances.is_empty() && held.is_empty();
    if gone {
        desired = Desired::default();
    }
    let mut plan = plan(inputs, &desired);
    if !gone {
        plan.conflicts.extend(projected.conflicts.iter().cloned());
    }
    Turn { plan, held, desired, projected: Some(projected), unread: false }
}

fn plan(inputs: &Inputs<'_>, desired: &Desired) -> Plan {
    let context = Context {
        limits: limits(inputs.task),
        retire: inputs.retire.clone(),
        ..context(inputs.owner, inputs.task, inputs.key)
    };
    diff(desired, inputs.world, &context)
}

/// For whom a plan for one service of a task is made.
pub(super) fn context(owner: &str, task: &config::Task, key: &ServiceKey) -> Context {
    Context::new(Mark::new(owner, &task.name), &task.source, &key.namespace, &key.service)
}

/// What a task may do, in the gateways' terms.
fn limits(task: &config::Task) -> Limits {
    let policy = match task.policy {
        config::Policy::Observe => Policy::Observe,
        config::Policy::Fill => Policy::Fill,
        config::Policy::Own => Policy::Own,
    };
    let weight = match task.weight {
        config::Upkeep::Kept => Upkeep::Kept,
        config::Upkeep::CreateOnly => Upkeep::CreateOnly,
    };
    Limits { policy, delete: task.delete, weight }
}

/// Puts what stands, is not shown and must not go yet back into what is desired, as it stands.
fn keep_held(
    inputs: &Inputs<'_>,
    reading: &Reading,
    projected: &Projected,
    desired: &mut Desired,
    hold: Duration,
) -> Vec<HeldTarget> {
    let mark = Mark::new(inputs.owner, &inputs.task.name);
    let mut kept = Vec::new();
    for group in projected.groups.iter().filter(|group| !group.name_taken) {
        let Some(upstream) = desired.upstreams.get_mut(&group.upstream) else { continue };
        let standing = inputs.world.upstream(&group.upstream).and_then(|live| live.targets.as_ref());
        let ours = standing.into_iter().flatten().filter(|(_, live)| mark.owns(&live.tags));
        let unwanted: BTreeMap<_, _> =
            ours.filter(|(target, _)| !upstream.targets.contains_key(*target)).collect();
        let last = upstream.targets.is_empty();
        for (target, live) in unwanted {
            let address = instance_address(target, live);
            if let Some(held) = held(inputs, reading, &group.unhealthy, &address, last, hold) {
                keep(upstream, target, live);
                kept.push(HeldTarget { upstream: group.upstream.clone(), target: target.clone(), held });
            }
        }
    }
    kept
}

fn keep(upstream: &mut Upstream, target: &TargetAddress, live: &LiveTarget) {
    let as_it_stands = Target { weight: live.weight, tags: live.tags.clone() };
    upstream.targets.insert(target.clone(), as_it_stands);
}

/// Whether a standing target that is not wanted has to stay. What the snapshot shows and is meant to go never is;
/// `unhealthy` are those that it shows and that only their health keeps out.
fn held(
    inputs: &Inputs<'_>,
    reading: &Reading,
    unhealthy: &BTreeSet<Address>,
    address: &Address,
    last_of_upstream: bool,
    hold: Duration,
) -> Option<Held> {
    let shown = reading.snapshot.instances.contains_key(address);
    if shown && !unhealthy.contains(address) {
        return None;
    }
    match inputs.guard.verdict_with_hold(inputs.now, inputs.key, address, last_of_upstream, hold) {
        Verdict::Remove => None,
        Verdict::Held(held) => Some(held),
    }
}

/// Where the instance of a standing target is registered: its tag says so where the target stands at another port.
pub(super) fn instance_address(target: &TargetAddress, live: &LiveTarget) -> Address {
    let (host, port) = target.parts();
    Address::new(host, Marks::read(&live.tags).port.unwrap_or(port))
}
