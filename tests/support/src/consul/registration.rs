//! One instance as it is put into the catalogue.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A node without an agent, so that no anti-entropy takes away what is put there by the catalogue's API.
pub const NODE: &str = "causeway-tests";

/// One instance. Each time it is registered, all of it is replaced but its checks.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// The node that it is on.
    pub node: String,
    /// That node's address.
    pub node_address: String,
    /// Unique on its node.
    pub id: String,
    /// The service's name.
    pub service: String,
    /// Host; empty means the node's.
    pub address: String,
    /// Port.
    pub port: u16,
    /// Weights while its checks pass, and while one of them warns.
    pub weights: (u32, u32),
    /// Tags.
    pub tags: Vec<String>,
    /// Keys of letters, digits, `-` and `_`.
    pub meta: BTreeMap<String, String>,
    /// `passing`, `warning` or `critical`, by check.
    pub checks: BTreeMap<String, String>,
}

impl Registration {
    /// An instance without checks, which counts as passing.
    pub fn new(service: &str, address: &str, port: u16) -> Self {
        Self {
            node: NODE.to_owned(),
            node_address: "127.0.0.1".to_owned(),
            id: format!("{service}-{address}-{port}"),
            service: service.to_owned(),
            address: address.to_owned(),
            port,
            weights: (1, 1),
            tags: Vec::new(),
            meta: BTreeMap::new(),
            checks: BTreeMap::new(),
        }
    }

    /// The same with a check of its own in this state.
    #[must_use]
    pub fn check(mut self, status: &str) -> Self {
        self.checks.insert(format!("service:{}", self.id), status.to_owned());
        self
    }

    /// The id of the check that Consul's maintenance mode adds.
    pub fn maintenance_check(&self) -> String {
        format!("_service_maintenance:{}", self.id)
    }

    /// The body of `/v1/catalog/register`. The node is left as it is, since a change of it wakes every watch on it.
    pub(super) fn body(&self) -> Value {
        let checks = self.checks.iter().map(|(id, status)| {
            json!({ "Node": self.node, "CheckID": id, "Name": id, "Status": status, "ServiceID": self.id })
        });
        json!({
            "Node": self.node,
            "Address": self.node_address,
            "SkipNodeUpdate": true,
            "Service": self.service(),
            "Checks": checks.collect::<Vec<_>>(),
        })
    }

    /// One operation of `/v1/txn`. The node must be there.
    pub(super) fn operation(&self) -> Value {
        json!({ "Service": { "Verb": "set", "Node": self.node, "Service": self.service() } })
    }

    fn service(&self) -> Value {
        json!({
            "ID": self.id,
            "Service": self.service,
            "Address": self.address,
            "Port": self.port,
            "Tags": self.tags,
            "Meta": self.meta,
            "Weights": { "Passing": self.weights.0, "Warning": self.weights.1 },
        })
    }
}
