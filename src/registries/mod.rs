//! Registries as sources: one folder a type, one view a configured registry, shared by all tasks.
//!
//! ```text
//!  adapter (file, nacos, …) ──names, snapshots, failures──▶ View ──wakes──▶ tasks
//!                                                            │
//!                                                            └─ the registry's guard sees each snapshot once, in order
//! ```

mod capabilities;
pub mod consul;
pub mod destination;
pub mod eureka;
pub mod file;
mod http;
mod metadata;
pub mod nacos;
mod namespace;
mod on_demand;
pub mod polaris;
mod polling;
mod put_off;
mod server;
pub mod servicecenter;
mod tls;
mod troubles;
mod view;
pub mod whole;
pub mod zookeeper;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::config::{self, RegistryKind};
use crate::model::ServiceKey;

pub use capabilities::{Capabilities, MetadataKeys, Weights};
pub use destination::{Change, Destination, InstanceCopy, Life, Renewed, WriteError, Written};
pub use put_off::PutOff;
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
        Beginning::of_anything()
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

impl Beginning {
    /// What is known where any name may be wanted.
    pub fn of_anything() -> BTreeSet<Self> {
        BTreeSet::from([Self::Part(String::new())])
    }
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
/// Its settings cannot be used.
pub fn build(registry: &config::Registry) -> Result<Arc<dyn Source>, String> {
    let name = &registry.name;
    match registry.kind {
        RegistryKind::File => {
            let path =
                registry.path.as_ref().ok_or_else(|| format!("the registry {name} names no `path`"))?;
            Ok(Arc::new(file::FileRegistry::new(path, registry.namespaces.iter().cloned())))
        }
        RegistryKind::Eureka => usable(name, eureka::Eureka::new(eureka::EurekaSettings::from(registry))),
        RegistryKind::Nacos => usable(name, nacos::Nacos::new(nacos::NacosSettings::from(registry))),
        RegistryKind::Consul => usable(name, consul::Consul::new(consul::ConsulSettings::from(registry))),
        RegistryKind::Zookeeper => {
            usable(name, zookeeper::Zookeeper::new(&zookeeper::ZookeeperSettings::from(registry)))
        }
        RegistryKind::Polaris => {
            usable(name, polaris::Polaris::new(polaris::PolarisSettings::from(registry)))
        }
        RegistryKind::ServiceCenter => {
            let settings = servicecenter::ServiceCenterSettings::from(registry);
            usable(name, servicecenter::ServiceCenter::new(settings))
        }
    }
}

fn usable<S: Source>(name: &str, source: Result<S, impl Display>) -> Result<Arc<dyn Source>, String> {
    match source {
        Ok(source) => Ok(Arc::new(source)),
        Err(error) => Err(format!("the registry {name} can't be used: {error}")),
    }
}
