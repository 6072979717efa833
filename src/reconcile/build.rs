//! From configured ends to what speaks with them.

use std::sync::Arc;

use causeway_gateways::{Gateway, KongFile, KongGateway, KongSettings, Token};

use crate::config::{self, GatewayKind};
use crate::registries::{self, Destination, Source};

/// Makes the adapters of configured registries and gateways; tests put others in their place.
pub trait Adapters: Send + Sync {
    /// The adapter of a registry.
    ///
    /// # Errors
    /// Its type is not built yet, or its settings cannot be used: a CA file that cannot be read, say.
    fn source(&self, registry: &config::Registry) -> Result<Arc<dyn Source>, String>;

    /// The adapter of a registry that is written to.
    ///
    /// # Errors
    /// As for one that is read; or its type can't be written to.
    fn destination(&self, registry: &config::Registry) -> Result<Arc<dyn Destination>, String> {
        registries::destination::build(registry)
    }

    /// The client of a gateway, for the deployment of this owner.
    ///
    /// # Errors
    /// As for a registry.
    fn gateway(&self, gateway: &config::Gateway, owner: &str) -> Result<Arc<dyn Gateway>, String>;
}

/// The adapters that are built.
#[derive(Debug, Default)]
pub struct Built;

impl Adapters for Built {
    fn source(&self, registry: &config::Registry) -> Result<Arc<dyn Source>, String> {
        registries::build(registry)
    }

    fn gateway(&self, gateway: &config::Gateway, owner: &str) -> Result<Arc<dyn Gateway>, String> {
        match gateway.kind {
            GatewayKind::Kong => KongGateway::new(kong(gateway, owner))
                .map(|kong| Arc::new(kong) as _)
                .map_err(|error| error.to_string()),
            GatewayKind::KongFile => {
                let path = gateway.path.as_ref().ok_or("its `path` is missing")?;
                Ok(Arc::new(KongFile::new(path, gateway.base.clone(), owner)))
            }
        }
    }
}

fn kong(gateway: &config::Gateway, owner: &str) -> KongSettings {
    KongSettings {
        addresses: gateway.addresses.clone(),
        token: gateway.token.as_ref().map(|token| Token::new(token.expose())),
        workspace: gateway.workspace.clone(),
        ca_file: gateway.ca_file.clone(),
        insecure_skip_verify: gateway.insecure_skip_verify,
        concurrency: gateway.concurrency,
        connect_timeout: gateway.connect_timeout,
        timeout: gateway.timeout,
        owner: owner.to_owned(),
        base: gateway.base.clone(),
        ..KongSettings::default()
    }
}
