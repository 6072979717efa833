//! What is counted and measured, beside the code that bumps it. All names are OpenMetrics: seconds, `_total`.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// A task by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TaskLabel {
    /// Its name.
    pub task: String,
}

/// A task's change of one kind of object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ChangeLabels {
    /// The task's name.
    pub task: String,
    /// `upstream`, `target`, `service`, `route`, or `copy` of an instance in a registry.
    pub kind: &'static str,
    /// `create`, `patch` or `delete`; of copies `put` or `delete`.
    pub operation: &'static str,
    /// `ok` or `failed`; of copies also `taken`, where somebody else's entry was met.
    pub result: &'static str,
}

/// A conflict that lasts. Bounded by the conflicts there are; it goes with the conflict.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ConflictLabels {
    /// The task's name.
    pub task: String,
    /// The object that somebody else holds.
    pub object: String,
}

/// A registry by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RegistryLabel {
    /// Its name.
    pub registry: String,
}

/// A gateway by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct GatewayLabel {
    /// Its name.
    pub gateway: String,
}

/// A gateway's audits by result.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AuditLabels {
    /// The gateway's name.
    pub gateway: String,
    /// `ok` or `failed`.
    pub result: &'static str,
}

/// A gateway's requests by method and class of answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// The gateway's name.
    pub gateway: String,
    /// The HTTP method.
    pub method: &'static str,
    /// `2xx` to `5xx`, or `none` where no whole answer came.
    pub class: &'static str,
}

type TaskHistogram = Family<TaskLabel, Histogram, fn() -> Histogram>;

/// The program's metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Turns done, by task.
    pub turns: Family<TaskLabel, Counter>,
    /// Writes, by task, kind, operation and result.
    pub changes: Family<ChangeLabels, Counter>,
    /// From a change's arrival to its last write, by task.
    pub propagation: TaskHistogram,
    /// Conflicts that stand, one series each.
    pub conflicts: Family<ConflictLabels, Gauge>,
    /// Removals that wait.
    pub held: Family<TaskLabel, Gauge>,
    /// Changes that the task's settings keep back.
    pub withheld: Family<TaskLabel, Gauge>,
    /// Services that fail.
    pub failing: Family<TaskLabel, Gauge>,
    /// Services that are due and wait for a worker.
    pub queued: Family<TaskLabel, Gauge>,
    /// 1 while the breaker of a registry is open.
    pub breaker_open: Family<RegistryLabel, Gauge>,
    /// 1 while everything of a registry can be read.
    pub registry_known: Family<RegistryLabel, Gauge>,
    /// Copies in a registry that are kept alive.
    pub copies: Family<RegistryLabel, Gauge>,
    /// 1 while copies in a registry can be renewed.
    pub renewing: Family<RegistryLabel, Gauge>,
    /// 1 while a gateway's last reading or write succeeded.
    pub gateway_up: Family<GatewayLabel, Gauge>,
    /// Full readings of a gateway.
    pub audits: Family<AuditLabels, Counter>,
    /// Requests to a gateway, as its client counted them.
    pub gateway_requests: Family<RequestLabels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 16));
        Self {
            turns: Family::default(),
            changes: Family::default(),
            propagation: Family::new_with_constructor(seconds),
            conflicts: Family::default(),
            held: Family::default(),
            withheld: Family::default(),
            failing: Family::default(),
            queued: Family::default(),
            breaker_open: Family::default(),
            registry_known: Family::default(),
            copies: Family::default(),
            renewing: Family::default(),
            gateway_up: Family::default(),
            audits: Family::default(),
            gateway_requests: Family::default(),
        }
    }
}

impl Metrics {
    /// Puts every metric into a registry of the metrics library, which encodes them.
    pub fn register(&self, into: &mut Registry) {
        let into = into.sub_registry_with_prefix("causeway");
        into.register("turns", "Reconciles of one service", self.turns.clone());
        into.register("changes", "Writes to destinations", self.changes.clone());
        into.register_with_unit(
            "propagation",
            "From a change's arrival from the registry to its last write",
            Unit::Seconds,
            self.propagation.clone(),
        );
        into.register(
            "conflict",
            "Something that cannot be as wanted, such as a name that somebody else holds",
            self.conflicts.clone(),
        );
        into.register("held", "Removals that wait", self.held.clone());
        into.register("withheld", "Changes that a task's settings keep back", self.withheld.clone());
        into.register("failing", "Services whose last reconcile failed", self.failing.clone());
        into.register("queued", "Services that are due", self.queued.clone());
        into.register("breaker_open", "Whether the breaker of a registry is open", self.breaker_open.clone());
        into.register("registry_known", "Whether all of a registry can be read", self.registry_known.clone());
        into.register("copies", "Copies in a registry that are kept alive", self.copies.clone());
        into.register("renewing", "Whether copies in a registry can be renewed", self.renewing.clone());
        into.register("gateway_up", "Whether a gateway answers and accepts us", self.gateway_up.clone());
        into.register("audits", "Full readings of a gateway", self.audits.clone());
        into.register("gateway_requests", "Requests to a gateway", self.gateway_requests.clone());
    }
}
