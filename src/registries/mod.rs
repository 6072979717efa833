//! Registries as sources: one folder a type, one view a configured registry, shared by all tasks.
//!
//! ```text
//!  adapter (file, nacos, …) ──names, snapshots, failures──▶ View ──wakes──▶ tasks
//!                                                            │
//!                                                            └─ the registry's guard sees each snapshot once, in order
//! ```

mod capabilities;
pub mod consul;
pub mod eureka;
pub mod file;
mod http;
mod marks;
mod metadata;
pub mod nacos;
pub mod polaris;
mod server;
mod tls;
mod view;
pub mod zookeeper;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::config::{self, RegistryKind};
use crate::model::ServiceKey;

pub use capabilities::{Capabilities, MetadataKeys, Weights};
pub use view::{Progress, Reading, Unknown, View, ViewEvent};

/// What the running tasks want to see of one registry.
pub trait Interest: Send + Sync + 'static {
    /// The namespaces that can hold a wanted service; `None` when a pattern may fit any.
    fn namespaces(&self) -> Option<BTreeSet<String>>;

    /// Whether a task wants this service's instances.
    fn wants(&self, key: &ServiceKey) -> bool;

    /// What the names of all wanted services begin with, whatever their namespaces, for registries that can list only a part
    /// at a time (Nacos a group, where the credentials allow no more). Anything, unless it is known better.
    fn beginnings(&self) -> BTreeSet<Beginning> {
        BTreeSet::from([Beginning::Part(String::new())])
    }
}

/// What is known of a wanted name beforehand.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Beginning {
    /// All of it.
    Whole(String),
    /// Its first characters, up to the first wildcard.
    Part(String),
}

/// A registry that can be watched.
///
/// An adapter tells its [`View`] whatever it has read *completely*, and what it could not read. It never gives up: a failure is
/// told as unknown and tried again with backoff, until `stop`.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// What this type of registry can do.
    fn capabilities(&self) -> &'static Capabilities;

    /// Watches what `interest` wants until `stop`; on return no connection is left.
    async fn watch(&self, interest: Arc<dyn Interest>, view: Arc<View>, stop: CancellationToken);
}

/// The adapter for a configured registry.
///
/// # Errors
/// Its type is not built yet, or its settings cannot be used.
pub fn build(registry: &config::Registry) -> Result<Arc<dyn Source>, String> {
    let name = &registry.name;
    match registry.kind {
        RegistryKind::File => {
            let path =
                registry.path.as_ref().ok_or_else(|| format!("the registry {name} names no `path`"))?;
            Ok(Arc::new(file::FileRegistry::new(path, registry.namespaces.iter().cloned())))
        }
        RegistryKind::Eureka => {
            let eureka = eureka::Eureka::new(eureka::EurekaSettings::from(registry));
            Ok(Arc::new(eureka.map_err(|error| format!("the registry {name} can't be used: {error}"))?))
        }
        RegistryKind::Nacos => {
            let nacos = nacos::Nacos::new(nacos::NacosSettings::from(registry));
            Ok(Arc::new(nacos.map_err(|error| format!("the registry {name} can't be used: {error}"))?))
        }
        RegistryKind::Consul => {
            let consul = consul::Consul::new(consul::ConsulSettings::from(registry));
            Ok(Arc::new(consul.map_err(|error| format!("the registry {name} can't be used: {error}"))?))
        }
        RegistryKind::Zookeeper => {
            let zookeeper = zookeeper::Zookeeper::new(&zookeeper::ZookeeperSettings::from(registry));
            Ok(Arc::new(zookeeper.map_err(|error| format!("the registry {name} can't be used: {error}"))?))
        }
        RegistryKind::Polaris => {
            let polaris = polaris::Polaris::new(polaris::PolarisSettings::from(registry));
            Ok(Arc::new(polaris.map_err(|error| format!("the registry {name} can't be used: {error}"))?))
        }
        kind => Err(format!(
            "the registry {name} is of the type `{}`, which this version does not read yet",
            kind.as_str()
        )),
    }
}
