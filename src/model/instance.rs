use std::collections::BTreeMap;

use super::{Address, Weight, marks};

/// Key-value pairs that an instance was registered with.
pub type Metadata = BTreeMap<String, String>;

/// One registered instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Where it listens.
    pub address: Address,
    /// Its share of traffic.
    pub weight: Weight,
    /// The registry holds it for healthy.
    pub healthy: bool,
    /// It is switched on (Nacos `enabled`); what a registry without such a switch holds is enabled.
    pub enabled: bool,
    /// It is taken out of traffic by an operator (Polaris `isolate`, Eureka `OUT_OF_SERVICE`).
    pub isolated: bool,
    /// Its metadata as registered.
    pub metadata: Metadata,
    /// The registry's further fields in their standard names, where it has them: `protocol`, `version`, `zone`, `cluster`, `id`, ….
    pub attributes: Metadata,
}

impl Instance {
    /// A healthy, enabled instance of default weight without metadata.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            weight: Weight::DEFAULT,
            healthy: true,
            enabled: true,
            isolated: false,
            metadata: Metadata::new(),
            attributes: Metadata::new(),
        }
    }

    /// It is a copy, by its metadata or by its id.
    pub fn is_copy(&self) -> bool {
        marks::is_copy(&self.metadata) || self.attributes.get("id").is_some_and(|id| marks::is_copy_id(id))
    }

    /// Healthy, enabled and not isolated: fit to be sent traffic.
    pub fn usable(&self) -> bool {
        self.healthy && self.wanted()
    }

    /// Enabled and not isolated: its operators want it in traffic, whatever its health.
    pub fn wanted(&self) -> bool {
        self.enabled && !self.isolated
    }
}
