//! The compiled configuration: what the rest of the program reads.
//!
//! ```text
//! Config ── registries, gateways   by name; inline endpoints have become entries of these
//!        ── tasks ── matches       names resolved, defaults merged in, patterns compiled, durations parsed
//! ```
//!
//! Everything is a plain value with `PartialEq`, so that a reload is a comparison of two of them.

mod copying;
mod ends;
mod kong;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use sha2::{Digest as _, Sha256};

pub use copying::{Copying, Directions, OnStop, Rename};
pub use ends::{Gateway, GatewayKind, Lease, Registry, RegistryKind, SourceProtect, Tls, ZookeeperLayout};
pub use kong::{FieldType, FromMetadata, KongTemplates, RouteTemplate, Setting};

use super::{pattern::Pattern, secret::Secret};

/// A whole configuration that has been checked: every name in it resolves.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// This deployment's name in the marks that it writes.
    pub owner: String,
    /// Where health, metrics, API and page are served.
    pub admin: Admin,
    /// Registries by their names, those written inline in a task included.
    pub registries: BTreeMap<String, Registry>,
    /// Gateways by their names, those written inline in a task included.
    pub gateways: BTreeMap<String, Gateway>,
    /// Tasks in the order of the document; their names are unique.
    pub tasks: Vec<Task>,
    /// Whether changes are carried as they happen (`methods`, type `watch`).
    pub watch: bool,
    /// Time between two full readings of source and destination (`methods`, type `pull`); none when
    /// that method is off.
    pub audit_interval: Option<Duration>,
    /// Whether and how often registries and gateways are probed for the status.
    pub health_check: HealthCheck,
    /// Periodic reports.
    pub report: Report,
}

impl Config {
    /// The task of this name.
    #[must_use]
    pub fn task(&self, name: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.name == name)
    }

    /// A short text that differs when anything does that registries, gateways and tasks go by; secrets and the admin
    /// server are left out. Only for comparison by one and the same version.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let Self { owner, registries, gateways, tasks, watch, audit_interval, .. } = self;
        let text = format!("{:?}", (owner, registries, gateways, tasks, watch, audit_interval));
        let digest = Sha256::digest(text);
        digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The admin server.
#[derive(Debug, Clone, PartialEq)]
pub struct Admin {
    /// The address to listen on; `127.0.0.1:8690` when nothing is said.
    pub listen: SocketAddr,
    /// What clients must present; always there when `listen` isn't a loopback address.
    pub token: Option<Secret>,
}

/// Whose rules a document follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Causeway's own (`version: 1`).
    Native,
    /// polaris-sync's `tasks` with `methods`.
    PolarisSync,
    /// MSE Sync's `clusters` with `tasks`.
    MseSync,
}

/// How far a task may go at its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Plan only, write nothing.
    Observe,
    /// Write targets of upstreams that exist, and nothing else.
    Fill,
    /// Create, change and remove.
    Own,
}

/// Whether a field is put right when it stands otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Upkeep {
    /// Whenever it differs.
    #[default]
    Kept,
    /// Never: it is set at creation, and a person's from then on.
    CreateOnly,
}

/// Whether a task's destination flows back into its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One flow.
    Unidirectional,
    /// Two flows; both ends are registries.
    Bidirectional,
}

/// The end of a task that is written to, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destination {
    /// An entry of [`Config::gateways`].
    Gateway(String),
    /// An entry of [`Config::registries`].
    Registry(String),
}

impl Destination {
    /// The name, whichever it is.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Gateway(name) | Self::Registry(name) => name,
        }
    }
}

/// One configured flow.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its name, unique; it stands in the marks.
    pub name: String,
    /// Whether it runs.
    pub enable: bool,
    /// How far it may go.
    pub policy: Policy,
    /// False: never remove anything.
    pub delete: bool,
    /// Whose a target's weight is after its creation.
    pub weight: Upkeep,
    /// The registry that is read, an entry of [`Config::registries`].
    pub source: String,
    /// Where it writes.
    pub destination: Destination,
    /// One way or both ways.
    pub mode: Mode,
    /// Entries in order: the first that fits a service wins.
    pub matches: Vec<MatchEntry>,
    /// Final excludes: those of the defaults and of the task together.
    pub excludes: Vec<Selector>,
    /// How long what has vanished is held, where the match entry that fits says nothing else.
    pub hold: Duration,
    /// Whose rules the task follows.
    pub dialect: Dialect,
    /// What it goes by where both ends are registries.
    pub copying: Copying,
}

impl Policy {
    /// The word of the configuration and of status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Fill => "fill",
            Self::Own => "own",
        }
    }
}

impl Task {
    /// A task of which only its name and its ends are known yet: it may do everything, and matches nothing.
    pub(crate) fn bare(
        name: String,
        source: String,
        destination: Destination,
        hold: Duration,
        dialect: Dialect,
    ) -> Self {
        Self {
            name,
            enable: true,
            policy: Policy::Own,
            delete: true,
            weight: Upkeep::default(),
            source,
            destination,
            mode: Mode::Unidirectional,
            matches: Vec::new(),
            excludes: Vec::new(),
            hold,
            dialect,
            copying: Copying::default(),
        }
    }

    /// The entry that carries this service: the first that fits, unless an exclude of the task does.
    #[must_use]
    pub fn entry_for(&self, namespace: &str, service: &str) -> Option<&MatchEntry> {
        if self.excluded_by(namespace, service).is_some() {
            return None;
        }
        self.matches.iter().find(|entry| entry.fits(namespace, service))
    }

    /// The namespaces that can hold a service that an entry fits; `None` when a pattern may fit any.
    #[must_use]
    pub fn namespaces(&self) -> Option<BTreeSet<String>> {
        self.matches.iter().map(|entry| entry.select.namespace.exact().map(str::to_owned)).collect()
    }

    /// The exclude of the defaults or the task that keeps this service out.
    #[must_use]
    pub fn excluded_by(&self, namespace: &str, service: &str) -> Option<&Selector> {
        self.excludes.iter().find(|selector| selector.fits(namespace, service))
    }
}

/// A pattern for each part of a service's key; both must match.
#[derive(Debug, Clone, PartialEq)]
pub struct Selector {
    /// For the namespace.
    pub namespace: Pattern,
    /// For the service's name.
    pub service: Pattern,
}

impl Selector {
    /// Whether both patterns match, each against the whole of its part.
    #[must_use]
    pub fn fits(&self, namespace: &str, service: &str) -> bool {
        self.namespace.matches(namespace) && self.service.matches(service)
    }

    /// The one service that this can fit, when neither part is a pattern.
    #[must_use]
    pub fn exact(&self) -> Option<(&str, &str)> {
        Some((self.namespace.exact()?, self.service.exact()?))
    }
}

/// One entry of a task's `match`, with the defaults merged in.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchEntry {
    /// What it selects.
    pub select: Selector,
    /// Its own excludes: they make this entry not fit, so that a later one may.
    pub exclude: Vec<Selector>,
    /// The configured instance groups in order, without the `default` group that is always there. (A
    /// polaris-sync document may give `default` a filter of its own; only then it stands here.)
    pub groups: Vec<Group>,
    /// Settings for Kong's entities.
    pub kong: KongTemplates,
    /// The routes to make; none when Kong's users make them.
    pub route: Option<RouteTemplate>,
    /// How long what has vanished is held.
    pub hold: Duration,
    /// Besides, a group for each value of a metadata key.
    pub group_by: Option<GroupBy>,
    /// The shares of traffic that groups have in the upstream `split`, by group; not negative, and at least one above
    /// 0. Each names a configured group, or a value of `group_by`.
    pub split: Option<BTreeMap<String, f64>>,
}

impl MatchEntry {
    /// An entry that says no more than what it selects.
    pub(crate) fn of(select: Selector, hold: Duration) -> Self {
        Self {
            select,
            exclude: Vec::new(),
            groups: Vec::new(),
            kong: KongTemplates::default(),
            route: None,
            hold,
            group_by: None,
            split: None,
        }
    }

    /// Whether this entry selects the service and none of its own excludes does.
    #[must_use]
    pub fn fits(&self, namespace: &str, service: &str) -> bool {
        self.select.fits(namespace, service)
            && !self.exclude.iter().any(|selector| selector.fits(namespace, service))
    }
}

/// A named filter over one service's instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name, unique in its entry.
    pub name: String,
    /// Pairs that an instance must all have.
    pub metadata: BTreeMap<String, String>,
    /// An upstream that the user made and that is to be filled, in place of one of our own.
    pub upstream_name: Option<String>,
}

impl Group {
    /// Whether an instance with this metadata is in the group.
    #[must_use]
    pub fn holds(&self, metadata: &BTreeMap<String, String>) -> bool {
        self.metadata.iter().all(|(key, value)| metadata.get(key) == Some(value))
    }

    /// Whether an instance with this metadata is carried between two registries by an entry with these groups: they together say which
    /// are, and all are where there is none.
    #[must_use]
    pub fn carry(groups: &[Self], metadata: &BTreeMap<String, String>) -> bool {
        groups.is_empty() || groups.iter().any(|group| group.holds(metadata))
    }
}

/// A group for each value of a metadata key, as values appear and go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupBy {
    /// The key.
    pub key: String,
    /// How many groups there may be beside `default`, configured ones counted.
    pub max_groups: usize,
}

/// The probing of registries and gateways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// Whether it is done.
    pub enable: bool,
    /// Time between two probes.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// The periodic reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Time between two reports.
    pub interval: Duration,
    /// Where they go.
    pub targets: Vec<ReportTarget>,
}

/// One place that reports go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportTarget {
    /// Its type.
    pub kind: ReportKind,
    /// Whether it is used.
    pub enable: bool,
}

/// The types of report target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportKind {
    /// The log.
    File,
}
