//! A native document as it is written. These types are the schema: their comments are its descriptions, and
//! the check walks along it before serde fills them. So serde itself may be lenient here.

mod copying;
mod endpoint;
mod kong;
mod route;
mod schema;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use copying::{Copying, OnStop};
pub(crate) use endpoint::{
    Gateway, KongApi, Lease, Registry, Server, ServiceCenter, SourceProtect, Tls, Zookeeper, ZookeeperLayout,
};
pub(crate) use kong::{Kong, SERVICE as SERVICE_FIELDS, UPSTREAM as UPSTREAM_FIELDS};
pub(crate) use route::{Route, Values};
pub(crate) use schema::NATIVE_SCHEMA;

use super::{
    formats::{Glob, Length, Listen, Period, Text, WholeRegex},
    secret::Secret,
};

/// A configuration of Causeway.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[serde(default)]
pub(crate) struct Document {
    /// This deployment's name in the marks that it writes. Two deployments on one gateway need two names.
    #[schemars(length(min = 1))]
    pub(crate) owner: String,
    /// Where health, metrics, API and page are served.
    pub(crate) admin: Admin,
    /// The registries that tasks name.
    pub(crate) registries: Vec<Registry>,
    /// The gateways that tasks name.
    pub(crate) gateways: Vec<Gateway>,
    /// What holds for every task and match entry that says nothing else.
    pub(crate) defaults: Shared,
    /// The flows.
    pub(crate) tasks: Vec<Task>,
    /// What makes a task work; when given, only what is listed here. Default: watch, and pull each 60s.
    pub(crate) methods: Option<Vec<Method>>,
    /// The probing of registries and gateways for the status.
    pub(crate) health_check: HealthCheck,
    /// Periodic reports.
    pub(crate) report: Report,
}

impl Default for Document {
    fn default() -> Self {
        Self {
            owner: "causeway".to_owned(),
            admin: Admin::default(),
            registries: Vec::new(),
            gateways: Vec::new(),
            defaults: Shared::default(),
            tasks: Vec::new(),
            methods: None,
            health_check: HealthCheck::default(),
            report: Report::default(),
        }
    }
}

/// The admin server.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Admin {
    /// The address to listen on. Default: 127.0.0.1:8690.
    pub(crate) listen: Option<Text<Listen>>,
    /// What clients must present. Required when the address is not a loopback one.
    pub(crate) token: Option<Secret>,
}

/// What may stand in `defaults`, in a task and in a match entry; the nearest wins.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Shared {
    /// Services to leave out. Those of `defaults` and the task unite and are final; those of a match entry
    /// make only this entry not fit.
    #[serde(default)]
    pub(crate) exclude: Vec<Selection>,
    /// The guard's settings.
    pub(crate) protect: Option<Protect>,
    /// Settings for Kong's entities.
    pub(crate) kong: Option<Kong>,
    /// The routes that Kong gets; each key of it may stand elsewhere too. Default: none.
    pub(crate) route: Option<Route>,
    /// A metadata key: each of its values that an instance has is a group besides. Empty: none here.
    pub(crate) group_by: Option<String>,
    /// How many groups a service has at most, beside `default`, when there is a `group_by`. Default: 16.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) max_groups: Option<u16>,
    /// One more upstream, `split`, in which groups have these shares of the traffic. Empty: none here.
    pub(crate) split: Option<BTreeMap<String, Share>>,
}

/// A share of the traffic, in proportion to the other shares of its split.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Share(#[schemars(range(min = 0, max = 1_000_000))] pub(crate) f64);

/// The guard's settings that may differ by task and match entry.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Protect {
    /// How long what has vanished is held. Default: 60s for Nacos, Polaris and ZooKeeper, 90s for Consul,
    /// 150s for Eureka and service-center, 0s for a file.
    pub(crate) hold: Option<Text<Length>>,
}

/// Services, by namespace and name.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Selection {
    /// Default: every namespace.
    pub(crate) namespace: Option<Text<Glob>>,
    /// Default: every service.
    pub(crate) service: Option<Text<Glob>>,
    /// In place of `service`: a regular expression that must match the whole name.
    pub(crate) service_pattern: Option<Text<WholeRegex>>,
}

/// One configured flow from a source to a destination.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Task {
    /// Its name. It stands in the marks of what the task writes.
    #[schemars(length(min = 1))]
    pub(crate) name: String,
    /// Whether it runs. Default: true.
    pub(crate) enable: Option<bool>,
    /// How far it may go. Default: own.
    #[serde(default)]
    pub(crate) policy: Policy,
    /// `false`: never remove anything. Default: true.
    pub(crate) delete: Option<bool>,
    /// Fields that are a person's after Causeway has set them once.
    #[serde(default)]
    pub(crate) fields: Fields,
    /// The registry to read: a name, or written inline.
    pub(crate) source: Source,
    /// Where to write: the name of a gateway or registry, or one written inline.
    pub(crate) destination: Destination,
    /// One way or both ways. Default: unidirectional.
    #[serde(default)]
    pub(crate) mode: Mode,
    /// What to carry: the first entry that fits a service wins.
    #[schemars(length(min = 1))]
    pub(crate) r#match: Vec<MatchEntry>,
    #[serde(flatten)]
    pub(crate) copying: Copying,
    #[serde(flatten)]
    pub(crate) shared: Shared,
}

/// The end of a task that is read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Source {
    Name(String),
    Inline(Box<Registry>),
}

/// The end of a task that is written to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Destination {
    Name(String),
    Registry(Box<Registry>),
    Gateway(Box<Gateway>),
}

/// How far a task may go at its destination.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Policy {
    /// Plan only, write nothing.
    Observe,
    /// Write targets of upstreams that exist, and nothing else.
    Fill,
    /// Create, change and remove.
    #[default]
    Own,
}

/// Whose the fields are that Causeway sets in any case.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Fields {
    /// The weight of a gateway's targets. Default: kept, as registered.
    pub(crate) weight: Option<Upkeep>,
}

/// Whether a field is put right when it stands otherwise.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Upkeep {
    /// Whenever it differs.
    Kept,
    /// Never: it is set at creation, and a person's from then on.
    CreateOnly,
}

/// Whether a task's destination flows back into its source.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// From source to destination.
    #[default]
    Unidirectional,
    /// Both ways; both ends are registries.
    Bidirectional,
}

/// Services to carry, and how.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct MatchEntry {
    #[serde(flatten)]
    pub(crate) select: Selection,
    /// Instance groups beside `default`, which holds every instance and is always there.
    #[serde(default)]
    pub(crate) groups: Vec<Group>,
    #[serde(flatten)]
    pub(crate) shared: Shared,
}

/// A named filter over one service's instances.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Group {
    /// Its name. `default` and `split` are reserved.
    #[schemars(length(min = 1))]
    pub(crate) name: String,
    /// Pairs that an instance must all have.
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
    /// An upstream of the user's own to fill, in place of one that Causeway makes.
    #[serde(rename = "upstreamName")]
    #[schemars(length(min = 1))]
    pub(crate) upstream_name: Option<String>,
}

/// One way in which changes are noticed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Method {
    /// Which one.
    pub(crate) r#type: MethodKind,
    /// Whether it is on. Default: true.
    pub(crate) enable: Option<bool>,
    /// Of `pull`: the time between two full readings. Default: 60s.
    pub(crate) interval: Option<Text<Period>>,
}

/// The ways in which changes are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MethodKind {
    /// As they happen.
    Watch,
    /// By reading everything at intervals.
    Pull,
}

/// The probing of registries and gateways.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct HealthCheck {
    /// Whether it is done. Default: true.
    pub(crate) enable: Option<bool>,
    /// Time between two probes. Default: 10s.
    pub(crate) interval: Option<Text<Period>>,
    /// How long an answer may take. Default: 5s.
    pub(crate) timeout: Option<Text<Period>>,
}

/// Periodic reports.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Report {
    /// Time between two reports. Default: 1m.
    pub(crate) interval: Option<Text<Period>>,
    /// Where they go.
    #[serde(default)]
    pub(crate) targets: Vec<ReportTarget>,
}

/// A place that reports go to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct ReportTarget {
    /// Its type.
    pub(crate) r#type: ReportKind,
    /// Whether it is used. Default: true.
    pub(crate) enable: Option<bool>,
}

/// The types of report target.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReportKind {
    /// The log.
    File,
}
