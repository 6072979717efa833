//! What is going on, as data: the admin API answers it, and `causeway` commands print it.

use std::borrow::Cow;
use std::iter::Sum;

use causeway_gateways::{Withheld, Write};
use serde::{Deserialize, Serialize};

use super::progress::PassProgress;
use crate::config;
use crate::guard::{Held, Time};
use crate::model::ServiceKey;

/// Everything, at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Causeway's version.
    pub version: Cow<'static, str>,
    /// This deployment's name in its marks.
    pub owner: String,
    /// Seconds since the start.
    pub uptime_seconds: u64,
    /// The registries in use.
    pub registries: Vec<RegistryStatus>,
    /// The gateways in use.
    pub gateways: Vec<GatewayStatus>,
    /// The tasks, in the order of the configuration.
    pub tasks: Vec<TaskStatus>,
}

/// One registry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RegistryStatus {
    /// Its configured name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// `reading` until everything was tried once, then `known`, or `unknown` while a part of it cannot be read.
    pub state: Cow<'static, str>,
    /// What cannot be read, and why.
    pub unknown: Vec<UnknownStatus>,
    /// Services known by name.
    pub services: usize,
    /// Services read completely.
    pub read: usize,
    /// The guard's breaker.
    pub breaker: BreakerView,
    /// What the guard does not protect at present, for people.
    pub unprotected: Vec<String>,
    /// Tasks that are not configured any more, and have left copies in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<String>,
}

/// A part of a registry that cannot be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnknownStatus {
    /// The part: `registry`, `namespace N` or `service N/S`.
    pub scope: String,
    /// The registry's or the network's words.
    pub reason: String,
    /// For how long, in seconds.
    pub for_seconds: u64,
}

/// The breaker of one registry.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct BreakerView {
    /// While it is open nothing missing or unhealthy is removed.
    pub open: bool,
    /// For how long, in seconds.
    pub for_seconds: u64,
    /// Instances lost against the services' levels.
    pub loss: usize,
    /// The sum of the services' levels.
    pub level: usize,
    /// Some of the services that lose.
    pub losing: Vec<String>,
}

/// One gateway.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GatewayStatus {
    /// Its configured name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// `reading` until it was read once, then `ready`, or `failing`.
    pub state: Cow<'static, str>,
    /// Why it fails: the gateway's or the network's words.
    pub error: Option<String>,
    /// Its nodes, where each holds everything on its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeStatus>,
    /// Upstreams, targets, services and routes that bear this deployment's mark.
    pub ours: Counts,
    /// Objects under our mark whose task is not configured any more.
    pub leftovers: Vec<String>,
}

/// One node of a gateway.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its address.
    pub address: String,
    /// `ready` when it holds what it should, or `failing`.
    pub state: Cow<'static, str>,
    /// Why it does not, in its own or the network's words.
    pub error: Option<String>,
}

/// Numbers of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Upstreams.
    pub upstreams: usize,
    /// Targets.
    pub targets: usize,
    /// Services.
    pub services: usize,
    /// Routes.
    pub routes: usize,
}

/// One task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskStatus {
    /// Its name.
    pub name: String,
    /// The registry that it reads.
    pub source: String,
    /// Where it writes.
    pub destination: String,
    /// How far it may go: `observe`, `fill` or `own`.
    pub policy: Cow<'static, str>,
    /// `starting`, `running`, `disabled`, or `refused` with the reason in `error`.
    pub state: Cow<'static, str>,
    /// Why it does not run, or what fails at present.
    pub error: Option<String>,
    /// Services that an entry of the task fits.
    pub services: usize,
    /// Services whose first turn is done.
    pub done: usize,
    /// Writes carried out since the start.
    pub changes: u64,
    /// Services that fail, with the reason.
    pub failing: Vec<Problem>,
    /// Names, addresses and requests that somebody else holds, and what instances contradict each other in.
    pub conflicts: Vec<Problem>,
    /// Upstreams to be filled that do not exist yet, and what else cannot be carried.
    pub waiting: Vec<Problem>,
    /// Removals that wait.
    pub held: Vec<HeldStatus>,
    /// Changes that the task's settings keep back; `causeway plan` names each.
    pub withheld: WithheldCounts,
    /// What is no failure and yet should be known of groups and splits: values without a group, shares that others take.
    pub notes: Vec<Problem>,
    /// Of a task between two registries: each direction by itself. What stands above is of all of them together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directions: Vec<DirectionStatus>,
}

/// One direction of a task between two registries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DirectionStatus {
    /// The registry that is read.
    pub from: String,
    /// The registry that is written.
    pub to: String,
    /// Services that are carried.
    pub services: usize,
    /// Services whose first turn is done.
    pub done: usize,
    /// Copies that stand.
    pub copies: usize,
    /// Writes carried out since the start.
    pub changes: u64,
    /// Why it waits: what of the two registries can't be read at present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
}

impl Status {
    /// Everything can be read, and nothing fails or is in conflict. What is held or waits is no trouble by itself.
    pub fn is_well(&self) -> bool {
        let well =
            |task: &TaskStatus| task.error.is_none() && task.failing.is_empty() && task.conflicts.is_empty();
        self.registries.iter().all(|registry| registry.unknown.is_empty())
            && self.gateways.iter().all(|gateway| gateway.error.is_none())
            && self.tasks.iter().all(well)
    }
}

impl HeldStatus {
    /// Of what the guard keeps.
    pub(super) fn of(
        service: &ServiceKey,
        upstream: Option<String>,
        address: String,
        held: &Held,
        now: Time,
    ) -> Self {
        Self {
            service: service.to_string(),
            upstream,
            address,
            reason: held.reason.to_string(),
            for_seconds: now.since(held.since).as_secs(),
            until_seconds: held.until.map(|until| until.since(now).as_secs()),
        }
    }
}

impl TaskStatus {
    /// A task of which nothing more is known than its configuration.
    pub(super) fn of(task: &config::Task, state: &'static str) -> Self {
        Self {
            name: task.name.clone(),
            source: task.source.clone(),
            destination: task.destination.name().to_owned(),
            policy: task.policy.as_str().into(),
            state: state.into(),
            error: None,
            services: 0,
            done: 0,
            changes: 0,
            failing: Vec::new(),
            conflicts: Vec::new(),
            waiting: Vec::new(),
            held: Vec::new(),
            withheld: WithheldCounts::default(),
            notes: Vec::new(),
            directions: Vec::new(),
        }
    }

    /// With how far its first pass has come.
    pub(super) fn at(mut self, progress: PassProgress) -> Self {
        self.services += progress.all;
        self.done += progress.done;
        self.changes += progress.changes;
        if !progress.complete {
            self.state = "starting".into();
        }
        self
    }
}

/// How many changes the settings of a task keep back: its policy, `delete: false`, `fields`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithheldCounts {
    /// Objects that would be created.
    pub create: usize,
    /// Objects that would be changed.
    pub patch: usize,
    /// Objects that would be removed.
    pub delete: usize,
}

impl WithheldCounts {
    /// All of them.
    pub fn total(&self) -> usize {
        self.create + self.patch + self.delete
    }
}

impl<'a> FromIterator<&'a Withheld> for WithheldCounts {
    fn from_iter<T: IntoIterator<Item = &'a Withheld>>(all: T) -> Self {
        let mut counts = Self::default();
        for withheld in all {
            match withheld.change.write {
                Write::Create(_) => counts.create += 1,
                Write::Patch { .. } => counts.patch += 1,
                Write::Delete { .. } => counts.delete += 1,
            }
        }
        counts
    }
}

impl Sum for WithheldCounts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            create: sum.create + one.create,
            patch: sum.patch + one.patch,
            delete: sum.delete + one.delete,
        })
    }
}

/// Something about one object or service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// The service in the registry.
    pub service: String,
    /// The object it is about.
    pub object: String,
    /// Why, for people.
    pub reason: String,
}

/// A removal that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldStatus {
    /// The service in the registry.
    pub service: String,
    /// The upstream that keeps the target; none where a copy is kept in a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// The target's or the copy's address.
    pub address: String,
    /// Why, for people.
    pub reason: String,
    /// Missing for how long, in seconds.
    pub for_seconds: u64,
    /// It goes in this many seconds, unless it comes back; none while that depends on something else.
    pub until_seconds: Option<u64>,
}
