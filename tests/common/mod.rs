//! A registry and a gateway in memory, for stories told on virtual time.

pub mod gateway;
pub mod registry;

use std::sync::Arc;

use causeway::config::{self, Config};
use causeway::reconcile::Adapters;
use causeway::registries::Source;
use causeway_gateways::Gateway;

/// Puts one registry and one gateway in the place of all configured ones.
pub struct InMemory {
    pub registry: registry::ModelRegistry,
    pub gateway: Arc<gateway::ModelGateway>,
}

impl Adapters for InMemory {
    fn source(&self, _registry: &config::Registry) -> Result<Arc<dyn Source>, String> {
        Ok(Arc::new(self.registry.clone()))
    }

    fn gateway(&self, _gateway: &config::Gateway, _owner: &str) -> Result<Arc<dyn Gateway>, String> {
        Ok(Arc::clone(&self.gateway) as Arc<dyn Gateway>)
    }
}

/// A configuration from its text.
pub fn config(text: &str) -> Config {
    config::parse(text, "test.yaml", &|_| None).unwrap_or_else(|mistakes| panic!("{mistakes}")).config
}
