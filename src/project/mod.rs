//! From what a registry shows to what a gateway should hold. Pure.
//!
//! ```text
//!  Task ──matcher──▶ entry ┐
//!                          ├─ groups ─▶ one upstream a group, one target an instance ┐
//!  Snapshot ───────────────┘  group_by  (usable ones; weights in Kong's integers)    ├─▶ Desired
//!                             split ───▶ one more upstream: weights by shares ────────┤
//!                                        naming, tags ───────────────────────────────┤
//!                                        template: fields, also from metadata ───────┤
//!                                        route: routes, and services of groups ──────┘
//! ```

mod group_by;
mod groups;
pub mod matcher;
pub mod naming;
mod note;
mod route;
pub mod split;
mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use causeway_gateways::tags::{self, Mark};
use causeway_gateways::{
    Conflict, Desired, Existence, ObjectKey, Service, Tags, Target, TargetAddress, Upstream,
};

use crate::config::{Dialect, MatchEntry, RegistryKind, Task};
use crate::model::{Address, Instance, ServiceKey, Snapshot};

pub use group_by::{Incumbents, ValueNote};
pub use groups::DEFAULT_GROUP;
pub use note::Note;
use split::Split;

/// Kong's default weight, and the largest that it takes.
const DEFAULT_WEIGHT: u32 = 100;
const MAX_WEIGHT: u32 = 65_535;

/// On whose behalf a service is projected.
#[derive(Clone, Copy, Debug)]
pub struct Projection<'a> {
    /// This deployment's name in its marks.
    pub owner: &'a str,
    /// The task; its name, source and dialect are used.
    pub task: &'a Task,
    /// The type of the task's source.
    pub source_kind: RegistryKind,
    /// The entry of the task that carries the service.
    pub entry: &'a MatchEntry,
    /// The groups of values that stand already; of no account without `group_by`.
    pub incumbents: &'a Incumbents,
}

/// What one service should be in a gateway, and how that came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Projected {
    /// What should stand there. A service without instances keeps its objects.
    pub desired: Desired,
    /// The instances that are no targets, by address.
    pub skipped: Vec<Skipped>,
    /// The instance groups in order, `default` first.
    pub groups: Vec<GroupSummary>,
    /// No enabled, unisolated instance is healthy, so all of them count as healthy.
    pub all_unhealthy: bool,
    /// What the instances and the templates contradict each other in.
    pub conflicts: Vec<Conflict>,
    /// The split, when one is configured and its upstream's name is free.
    pub split: Option<Split>,
    /// What is to be known of the groups; [`Projected::notes`] has what is to be known of the split too.
    group_notes: Vec<Note>,
}

impl Projected {
    /// What the service's user should know of its groups and its split.
    pub fn notes(&self) -> Vec<Note> {
        let mut notes = self.group_notes.clone();
        notes.extend(self.split.iter().flat_map(Split::notes).map(Note::Split));
        notes
    }
}

/// An instance that is no target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Where it listens, as the registry says.
    pub address: Address,
    /// Why it is left out.
    pub reason: Reason,
}

/// Why an instance is no target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is switched off.
    Disabled,
    /// An operator took it out of traffic.
    Isolated,
    /// The registry holds it for unhealthy, and others are healthy.
    Unhealthy,
    /// The registry gives no port.
    NoPort,
    /// The gateway would refuse its address; in whose words.
    InvalidAddress(String),
    /// Its target would be that of another instance, which is registered at this address.
    SameTarget(Address),
}

impl Reason {
    /// Whether the registration is at fault, so that somebody should be told; the others are ordinary states.
    pub fn is_mistake(&self) -> bool {
        matches!(self, Self::NoPort | Self::InvalidAddress(_) | Self::SameTarget(_))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("it is disabled"),
            Self::Isolated => f.write_str("it is isolated"),
            Self::Unhealthy => f.write_str("it is unhealthy while others are healthy"),
            Self::NoPort => f.write_str("it is registered without a port"),
            Self::InvalidAddress(error) => f.write_str(error),
            Self::SameTarget(other) => write!(f, "instance {other} has the same host and port in Kong"),
        }
    }
}

/// One instance group of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSummary {
    /// Its name.
    pub name: String,
    /// Its upstream.
    pub upstream: String,
    /// Its targets.
    pub targets: BTreeSet<TargetAddress>,
    /// Where the instances of those targets are registered.
    pub members: BTreeSet<Address>,
    /// Its members that are left out for their health only.
    pub unhealthy: BTreeSet<Address>,
    /// An earlier group of the service has an upstream of this name, so this group is left out.
    pub name_taken: bool,
}

/// One instance group on its way into what is desired.
struct Group<'a> {
    filter: groups::Filter<'a>,
    summary: GroupSummary,
    /// Its instances that are sent traffic.
    members: Vec<&'a Instance>,
}

/// Projects one service.
pub fn project(request: &Projection<'_>, snapshot: &Snapshot) -> Projected {
    let template = &request.entry.kong.service;
    let candidates = groups::candidates(snapshot, |instance| template::target_port(template, instance));
    let (values, notes) = group_by::values(request.entry, snapshot, request.incumbents);
    let mut group_notes: Vec<Note> = notes.into_iter().map(Note::Value).collect();
    let (mut desired, mut groups, mut conflicts) = (Desired::default(), Vec::new(), Vec::new());
    for filter in groups::filters(request.entry).into_iter().chain(values) {
        let (name, upstream, told) = upstream(request, &snapshot.key, filter, &candidates.targets);
        let members: Vec<&Instance> =
            candidates.targets.values().copied().filter(|it| filter.holds(it)).collect();
        let summary = GroupSummary {
            name: filter.name.to_owned(),
            upstream: name.clone(),
            targets: upstream.targets.keys().cloned().collect(),
            members: members.iter().map(|instance| instance.address.clone()).collect(),
            unhealthy: groups::unhealthy(filter, snapshot, candidates.all_unhealthy),
            name_taken: desired.upstreams.contains_key(&name),
        };
        groups.push(Group { filter, summary, members });
        conflicts.extend(conflict(ObjectKey::Upstream(name.clone()), &told));
        desired.upstreams.entry(name).or_insert(upstream);
    }
    let split = split::add(request, &snapshot.key, &candidates.targets, &mut desired, &mut conflicts);
    let split = split.map_err(|note| group_notes.push(Note::Split(note))).ok().flatten();
    let host = split.as_ref().map(|split| split.upstream.as_str());
    let (name, service, told) = service(request, &snapshot.key, &groups, host);
    conflicts.extend(conflict(ObjectKey::Service(name.clone()), &told));
    desired.services.insert(name, service);
    route::add(request, &snapshot.key, &groups, &mut desired, &mut conflicts);
    Projected {
        desired,
        skipped: candidates.skipped,
        groups: groups.into_iter().map(|group| group.summary).collect(),
        all_unhealthy: candidates.all_unhealthy,
        conflicts,
        split,
        group_notes,
    }
}

/// What is told of one object, if anything is.
fn conflict(key: ObjectKey, told: &[String]) -> Option<Conflict> {
    (!told.is_empty()).then(|| Conflict { key, reason: told.join("; ") })
}

/// An upstream with its name, and what is to be told about its fields.
fn upstream(
    request: &Projection<'_>,
    key: &ServiceKey,
    filter: groups::Filter<'_>,
    candidates: &BTreeMap<TargetAddress, &Instance>,
) -> (String, Upstream, Vec<String>) {
    let tags = marks(request, key, Some(filter.name));
    let members: BTreeMap<_, _> = candidates.iter().filter(|(_, instance)| filter.holds(instance)).collect();
    let targets = targets(&members, &tags);
    let derived = naming::upstream_name(&request.task.source, key, filter.name);
    let name = filter.upstream_name.map_or(derived, str::to_owned);
    if filter.upstream_name.is_some() {
        let upstream = Upstream { existence: Existence::Filled, targets, ..Upstream::default() };
        return (name, upstream, Vec::new());
    }
    let members: Vec<&Instance> = members.into_values().copied().collect();
    let (upstream, told) = named_by_us(request, tags, targets, &members);
    (name, upstream, told)
}

/// An upstream under a derived name, and what is to be told about its fields.
fn named_by_us(
    request: &Projection<'_>,
    tags: Tags,
    targets: BTreeMap<TargetAddress, Target>,
    members: &[&Instance],
) -> (Upstream, Vec<String>) {
    let filled = template::of_upstream(&request.entry.kong.upstream, members);
    let upstream = Upstream {
        existence: Existence::Owned { fillable: fillable(request.task, request.source_kind) },
        tags: with_template(tags, request.entry),
        fields: filled.fields,
        targets,
        sequence: None,
    };
    (upstream, filled.told)
}

fn targets(members: &BTreeMap<&TargetAddress, &&Instance>, tags: &Tags) -> BTreeMap<TargetAddress, Target> {
    let shared = Arc::new(tags.clone());
    let tags_of = |address: &TargetAddress, instance: &Instance| match template::port_tag(address, instance) {
        Some(port) => Arc::new(tags.iter().cloned().chain([port]).collect()),
        None => shared.clone(),
    };
    let target = |address: &TargetAddress, instance: &Instance| Target {
        weight: instance.weight.scaled(DEFAULT_WEIGHT, MAX_WEIGHT),
        tags: tags_of(address, instance),
    };
    members.iter().map(|(address, instance)| ((*address).clone(), target(address, instance))).collect()
}

/// The service with its name, and what is to be told about its fields. It leads to `host`, or to the first group.
fn service(
    request: &Projection<'_>,
    key: &ServiceKey,
    groups: &[Group<'_>],
    host: Option<&str>,
) -> (String, Service, Vec<String>) {
    let default = groups.first();
    let host = host.or(default.map(|group| group.summary.upstream.as_str())).unwrap_or_default().to_owned();
    let members = default.map(|group| group.members.as_slice()).unwrap_or_default();
    let filled = template::of_service(&request.entry.kong.service, members);
    let tags = with_template(marks(request, key, None), request.entry);
    let service = Service { host, tags, fields: filled.fields };
    (naming::service_name(&request.task.source, key), service, filled.told)
}

/// The tags that say whose an object is and what it was made for; of one instance group when one is given.
fn marks(request: &Projection<'_>, key: &ServiceKey, group: Option<&str>) -> Tags {
    let mut tags = tags::selector(&request.task.source, &key.namespace, &key.service);
    tags.extend(Mark::new(request.owner, &request.task.name).tags().iter().cloned());
    tags.extend(group.map(tags::group_tag));
    tags
}

/// The tags by which an upstream that somebody made under a derived name is there to be filled: polaris-sync's users tag
/// theirs with the type of the source.
pub fn fillable(task: &Task, source_kind: RegistryKind) -> Tags {
    match task.dialect {
        Dialect::PolarisSync => filler(source_kind),
        Dialect::Native | Dialect::MseSync => Tags::new(),
    }
}

/// The tag that marks an upstream as one for polaris-sync to fill: all targets in it that bear no mark are that tool's.
pub fn filler(source_kind: RegistryKind) -> Tags {
    Tags::from([source_kind.as_str().to_uppercase()])
}

fn with_template(mut tags: Tags, entry: &MatchEntry) -> Tags {
    tags.extend(entry.kong.tags.iter().cloned());
    tags
}
