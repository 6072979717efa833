//! What each node of a gateway makes of its upstreams: its own view, which no other node shares.

use std::collections::BTreeMap;

/// One node's view of some upstreams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeHealth {
    /// The configured address that was asked.
    pub address: String,
    /// What it answered, or why it did not, in its own or the network's words.
    pub view: Result<NodeView, String>,
}

/// What a node answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeView {
    /// What the node calls itself; none where it knows none of the upstreams.
    pub node_id: Option<String>,
    /// Their targets by the upstreams' names. One that is not here is not known to the node.
    pub upstreams: BTreeMap<String, Vec<TargetHealth>>,
}

/// One target as a node's balancer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetHealth {
    /// Its address, as the node writes it.
    pub target: String,
    /// Its weight in the node's balancer.
    pub weight: u64,
    /// Kong's word: `HEALTHY`, `UNHEALTHY`, `HEALTHCHECKS_OFF` (also for weight 0) or `DNS_ERROR`.
    pub health: String,
    /// Why its name has no address, where it has none.
    pub dns: Option<String>,
}
