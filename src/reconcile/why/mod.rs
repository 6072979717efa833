//! Why one service stands as it does: the chain from its registration to what each node of the gateway makes of it, as data.
//!
//! ```text
//!  registered ─▶ matched ─▶ groups ─▶ wanted ┐
//!                                            ├─ objects: present, missing, differs, held, … each with its reason
//!  World, plan, what the flow remembers ─────┘        └─▶ nodes: each one's own view of the upstreams
//! ```
//!
//! The same data is told by a running Causeway (`GET /api/v1/why`), which knows what is held and failing since when, and by a reading
//! made for the question. `causeway why` prints either.

mod chain;
mod copies;
mod objects;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::copies::ServiceView;

/// The answer to `why` for one name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// The deployment's name in its marks.
    pub owner: String,
    /// [`crate::config::Config::fingerprint`] of the configuration it goes by.
    pub config: String,
    /// One chain for each task that reads a registry that shows the service, or for which something of it stands.
    pub services: Vec<Chain>,
    /// One for each direction of each task between two registries that is concerned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<CopyChain>,
    /// What cannot be read at all, and tasks that don't run.
    pub problems: Vec<String>,
}

/// One service in one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chain {
    /// The namespace.
    pub namespace: String,
    /// The service's name in it.
    pub service: String,
    /// The task.
    pub task: String,
    /// `observe`, `fill` or `own`.
    pub policy: String,
    /// Whether the task ever removes anything.
    pub delete: bool,
    /// What the registry shows.
    pub registered: Registered,
    /// Which entry carries it, or what keeps it out.
    pub matched: Matched,
    /// The instance groups in order; empty when it is not matched or was not read.
    pub groups: Vec<GroupView>,
    /// The split of the traffic between groups, when there is one.
    pub split: Option<SplitView>,
    /// What should be known of groups and split, as status has it.
    pub notes: Vec<String>,
    /// Instances that no group holds, with the reason.
    pub left_out: Vec<LeftOut>,
    /// No instance is healthy, so all count as healthy.
    pub all_unhealthy: bool,
    /// The gateway, and what it holds of this service.
    pub gateway: GatewayView,
    /// Why the last turn of a running Causeway failed.
    pub failing: Option<String>,
}

/// One service in one direction of a task between two registries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CopyChain {
    /// The task.
    pub task: String,
    /// `observe` or `own`.
    pub policy: String,
    /// Whether the task ever removes anything.
    pub delete: bool,
    /// Its name in the registry that is read, as `namespace/service`; none where it has no name there.
    pub service: Option<String>,
    /// What the registry that is read shows.
    pub registered: Registered,
    /// Which entry carries it, or what keeps it out.
    pub matched: Matched,
    /// The registry that is written.
    pub destination: String,
    /// Its name there, as `namespace/service`; none where it is not carried.
    pub name: Option<String>,
    /// Why it has no name there.
    pub unnamed: Option<String>,
    /// Why the destination cannot be read at present.
    pub unknown: Option<String>,
    /// How each address stands.
    pub stands: ServiceView,
    /// Why the last turn of a running Causeway failed.
    pub failing: Option<String>,
}

/// What a registry shows of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registered {
    /// The registry's name.
    pub registry: String,
    /// `unread` while it has not been shown completely, `absent` from the complete list of names, else `listed`.
    pub state: String,
    /// Its instances by address.
    pub instances: Vec<InstanceView>,
    /// Why it cannot be read at present; the above is then its last state.
    pub unknown: Option<String>,
}

/// One instance as registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceView {
    /// Host and port.
    pub address: String,
    /// The ratio to the registry's default weight.
    pub weight: f64,
    /// The registry holds it for healthy.
    pub healthy: bool,
    /// It is switched on.
    pub enabled: bool,
    /// An operator took it out of traffic.
    pub isolated: bool,
    /// As registered.
    pub metadata: BTreeMap<String, String>,
}

/// What a task's `match` and `exclude` say about a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Matched {
    /// The entry that carries it.
    pub entry: Option<Rule>,
    /// Without an entry: the excludes that keep it out, each with its place; none when no entry selects it at all.
    pub kept_out_by: Vec<Rule>,
}

/// An entry of `match`, or an exclude.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Where it stands: `match[0]`, `match[0].exclude`, or `exclude` for the task's and the defaults'.
    pub place: String,
    /// Its namespace pattern.
    pub namespace: String,
    /// Its service pattern.
    pub service: String,
}

/// One instance group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupView {
    /// Its name.
    pub name: String,
    /// Its upstream.
    pub upstream: String,
    /// The metadata that the configuration asks of its members.
    pub asks: BTreeMap<String, String>,
    /// Its targets.
    pub members: Vec<String>,
    /// Instances that could be targets and are not in this group, with the reason.
    pub others: Vec<LeftOut>,
    /// An earlier group has an upstream of this name, so this group is left out.
    pub name_taken: bool,
}

/// A split of the traffic between groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitView {
    /// Its upstream.
    pub upstream: String,
    /// The slots of Kong's wheel.
    pub wheel: u64,
    /// What each group with a configured share gets.
    pub shares: Vec<ShareView>,
}

/// What one group of a split gets. Shares are parts of the whole, 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShareView {
    /// The group.
    pub group: String,
    /// As configured.
    pub configured: f64,
    /// By its weights.
    pub given: f64,
    /// How many targets it has in the split.
    pub targets: usize,
    /// What they weigh, each weight once.
    pub weights: BTreeSet<u32>,
}

/// An instance that is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Host and port.
    pub address: String,
    /// Why, for people.
    pub reason: String,
}

/// A gateway, and what it holds of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GatewayView {
    /// Its configured name.
    pub name: String,
    /// Why it cannot be read, in its own or the network's words.
    pub error: Option<String>,
    /// Everything that is wanted there, and everything that stands there for the service: an upstream, then its targets.
    pub objects: Vec<ObjectView>,
    /// Each node's own view of our upstreams.
    pub nodes: Vec<NodeView>,
}

/// How an object stands against what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Present,
    /// Wanted, and not there.
    Missing,
    /// There, and some of its fields are not as they should be.
    Differs,
    /// No longer shown by the registry; the guard keeps it.
    Held,
    /// Somebody else's stands there.
    Conflict,
    /// Somebody else has to do something first.
    Waiting,
    /// Wanted, but what it belongs to is in conflict or waits.
    Blocked,
    /// No longer wanted; it goes when it has been unused for long enough.
    Retiring,
    /// Otherwise than wanted, and left so because somebody else made or uses it.
    Kept,
    /// No longer wanted; it goes at once.
    Unwanted,
    /// Somebody else's, beside ours.
    Foreign,
    /// Its upstream's targets could not be listed.
    Unread,
}

/// One object of a gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectView {
    /// `upstream`, `target`, `service` or `route`.
    pub kind: String,
    /// Its name, or a target's address.
    pub name: String,
    /// A target's upstream.
    pub upstream: Option<String>,
    /// How it stands.
    pub state: State,
    /// Why, for people.
    pub reason: Option<String>,
    /// The task's setting that keeps it so: `policy: observe`.
    pub withheld_by: Option<String>,
    /// What stands of what we write: a target's weight, a service's host, the service of a route.
    pub stands: BTreeMap<String, Value>,
    /// What is wanted where it does not stand so.
    pub wanted: BTreeMap<String, Value>,
    /// For how long it has been held or retiring, in seconds.
    pub for_seconds: Option<u64>,
    /// In how many seconds it goes, if nothing else happens.
    pub until_seconds: Option<u64>,
}

/// One node's own view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeView {
    /// The configured address that was asked.
    pub address: String,
    /// What it calls itself.
    pub node_id: Option<String>,
    /// Why it could not be asked.
    pub error: Option<String>,
    /// Each upstream that should stand or does.
    pub upstreams: Vec<UpstreamHealth>,
}

/// One upstream as a node sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpstreamHealth {
    /// Its name.
    pub upstream: String,
    /// Whether the node knows it.
    pub known: bool,
    /// Its targets.
    pub targets: Vec<TargetHealth>,
}

/// One target as a node sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetHealth {
    /// Its address.
    pub target: String,
    /// Its weight in the node's balancer.
    pub weight: u64,
    /// The node's word: `HEALTHY`, `UNHEALTHY`, `HEALTHCHECKS_OFF`, `DNS_ERROR`.
    pub health: String,
    /// Why its name has no address.
    pub dns: Option<String>,
}

impl Why {
    /// Nothing that was asked for is failing, in conflict or unreadable.
    pub fn is_well(&self) -> bool {
        let all_well = self.services.iter().all(Chain::is_well) && self.copies.iter().all(CopyChain::is_well);
        self.problems.is_empty() && !self.is_nobodys() && all_well
    }

    /// No task knows a service of the name.
    pub fn is_nobodys(&self) -> bool {
        self.services.is_empty() && self.copies.is_empty()
    }
}

impl Chain {
    fn is_well(&self) -> bool {
        let troubled = |object: &ObjectView| matches!(object.state, State::Conflict | State::Unread);
        let gateway = &self.gateway;
        self.registered.is_readable()
            && self.failing.is_none()
            && gateway.error.is_none()
            && gateway.nodes.iter().all(|node| node.error.is_none())
            && !gateway.objects.iter().any(troubled)
    }
}

impl Registered {
    fn is_readable(&self) -> bool {
        self.unknown.is_none() && self.state != "unread"
    }
}
