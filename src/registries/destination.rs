//! Registries that are written to: what a copy is, how it is kept alive, and what may come of a write.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use causeway_gateways::Retry;
use tokio_util::sync::CancellationToken;

use super::{Capabilities, consul, eureka, nacos, polaris, servicecenter, zookeeper};
use crate::config::{self, RegistryKind};
use crate::model::{Instance, ServiceKey};
use crate::sync::Mark;

/// A copy of an instance as it is to stand in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceCopy {
    /// Its service, in the words of the registry that it is written to.
    pub key: ServiceKey,
    /// Whose it is. The mark stands in the metadata of `instance` too.
    pub mark: Mark,
    /// What it is to show.
    pub instance: Instance,
    /// Other tasks of the same deployment that give the instance up. Their copies at its address don't keep it from being put, and
    /// each task removes its own when this one stands.
    pub in_place_of: BTreeSet<String>,
}

impl InstanceCopy {
    /// A copy that takes nobody's place.
    pub fn new(key: ServiceKey, mark: Mark, instance: Instance) -> Self {
        Self { key, mark, instance, in_place_of: BTreeSet::new() }
    }

    /// Whether an entry at its address keeps it from being put: a native one, or a copy of somebody who does not give way.
    pub fn is_hindered_by(&self, entry: &Instance) -> bool {
        let mut gives_way = self.succeeded();
        !self.mark.owns(&self.key, entry) && !gives_way.any(|mark| mark.owns(&self.key, entry))
    }

    /// The marks of the copies whose place it takes.
    pub fn succeeded(&self) -> impl Iterator<Item = Mark> {
        self.in_place_of.iter().map(|task| Mark { task: task.clone(), ..self.mark.clone() })
    }
}

/// What the tests of all that writes copies start from.
#[cfg(test)]
impl InstanceCopy {
    /// A marked copy at `10.0.0.1:80`, of the deployment `prod` and its task `move`.
    pub(crate) fn example(namespace: &str, service: &str) -> Self {
        Self::example_of("move", namespace, service)
    }

    /// As [`InstanceCopy::example`], of another task.
    pub(crate) fn example_of(task: &str, namespace: &str, service: &str) -> Self {
        let mark = Mark { origin: "elsewhere".into(), owner: "prod".into(), task: task.into() };
        let instance = Instance::new(crate::model::Address::new("10.0.0.1", 80));
        Self::new(ServiceKey::new(namespace, service), mark, instance).with(|_| {})
    }

    /// The same copy, put while this other task gives the instance up.
    pub(crate) fn in_place_of(mut self, task: &str) -> Self {
        self.in_place_of.insert(task.to_owned());
        self
    }

    /// The same copy of another instance, which bears the mark whatever becomes of it.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Instance)) -> Self {
        change(&mut self.instance);
        self.mark.stamp(&mut self.instance.metadata);
        self
    }
}

/// How copies of one type of registry live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Until they are removed.
    Permanent,
    /// For as long as they are renewed.
    Lease {
        /// The time between two renewals of a copy.
        renew_every: Duration,
        /// After so long without one the registry takes it for dead.
        expires_after: Duration,
    },
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The copy is to stand like this: it is made, or changed in place.
    Put(Arc<InstanceCopy>),
    /// The copy that stands like this is to go.
    Remove(Arc<InstanceCopy>),
}

impl Change {
    /// A copy is to stand like this.
    pub fn put(copy: impl Into<Arc<InstanceCopy>>) -> Self {
        Self::Put(copy.into())
    }

    /// The copy that stands like this is to go.
    pub fn remove(copy: impl Into<Arc<InstanceCopy>>) -> Self {
        Self::Remove(copy.into())
    }

    /// The copy that it is about.
    pub fn copy(&self) -> &Arc<InstanceCopy> {
        match self {
            Self::Put(copy) | Self::Remove(copy) => copy,
        }
    }
}

/// What came of a write that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It stands, or is gone, as was asked.
    Done,
    /// Somebody else's entry is where it would stand: a native one, or a copy of another task, owner or tool. Nothing was written.
    Taken,
}

/// What came of a renewal that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// It lives on.
    Alive,
    /// The registry doesn't know it any more, so it has to be put again.
    Lost,
}

/// Two rounds of a watch that asks for 500 services a second, for each service: a write may come just after its service's turn.
const TURN: Duration = Duration::from_millis(4);

/// Why a write or a renewal failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteError {
    /// What was asked, and the server's own words.
    pub message: String,
    /// When to try again.
    pub retry: Retry,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for WriteError {}

/// A registry that copies are written to.
///
/// Each write looks first, as closely to it as the registry allows, and never touches an entry that isn't a copy with the mark
/// that it brings; only where an address holds one entry, a copy takes the place of one that its task gives up. What stands is read through the registry's [`super::Source`], not here.
#[async_trait]
pub trait Destination: Send + Sync + 'static {
    /// What this type of registry can hold.
    fn capabilities(&self) -> &'static Capabilities;

    /// How copies live in it.
    fn life(&self) -> Life;

    /// What its readers are shown of a copy that was put: weights rounded, keys escaped, fields left out that it can't hold.
    /// A copy that stands so needs no write. Pure.
    fn as_shown(&self, copy: &InstanceCopy) -> Instance;

    /// Whether a standing copy, as its source shows it, differs from this. What the registry adds by itself is no difference.
    fn differs(&self, copy: &InstanceCopy, standing: &Instance) -> bool {
        self.as_shown(copy) != *standing
    }

    /// For how long after a write what is watched of it may still be what stood before, where so many services are watched: several
    /// registries are asked for one service after the other, 500 a second.
    fn shows_within(&self, services: usize) -> Duration {
        Duration::from_secs(5) + TURN.saturating_mul(u32::try_from(services).unwrap_or(u32::MAX))
    }

    /// Whether an address of a service holds one entry only, so that a copy stands in another one's place and not beside it.
    fn holds_one(&self) -> bool {
        false
    }

    /// How many services may be written at the same time.
    fn width(&self) -> usize;

    /// Carries out changes to one service, an outcome for each in their order. Puts come before removals.
    async fn write(&self, key: &ServiceKey, changes: &[Change]) -> Vec<Result<Written, WriteError>>;

    /// Renews copies as their source shows them, whoever wrote them, an outcome for each in their order. Where copies need no
    /// renewal all are alive.
    async fn renew(&self, copies: &[InstanceCopy]) -> Vec<Result<Renewed, WriteError>>;

    /// Looks after what it holds beside writes and renewals (a session, say) until `stop`; on return no connection is left, and
    /// copies that live on leases or by themselves stay.
    async fn tend(&self, stop: CancellationToken);
}

/// The adapter for a configured registry that is written to.
///
/// # Errors
/// Its settings cannot be used, or its type can't be written to.
pub fn build(registry: &config::Registry) -> Result<Arc<dyn Destination>, String> {
    let (kind, name) = (registry.kind.as_str(), &registry.name);
    match registry.kind {
        RegistryKind::Consul => {
            usable(name, consul::ConsulDestination::new(&consul::ConsulSettings::from(registry)))
        }
        RegistryKind::Eureka => {
            usable(name, eureka::EurekaDestination::new(eureka::EurekaSettings::from(registry)))
        }
        RegistryKind::Nacos => {
            usable(name, nacos::NacosDestination::new(nacos::NacosSettings::from(registry)))
        }
        RegistryKind::Polaris => {
            usable(name, polaris::PolarisDestination::new(polaris::PolarisSettings::from(registry)))
        }
        RegistryKind::ServiceCenter => {
            let settings = servicecenter::ServiceCenterSettings::from(registry);
            usable(name, servicecenter::ServiceCenterDestination::new(&settings))
        }
        RegistryKind::Zookeeper => {
            usable(name, zookeeper::ZookeeperDestination::new(&zookeeper::ZookeeperSettings::from(registry)))
        }
        _ => Err(format!("the registry {name} can't be written to: `{kind}` is a source only")),
    }
}

fn usable<D: Destination>(
    name: &str,
    destination: Result<D, impl fmt::Display>,
) -> Result<Arc<dyn Destination>, String> {
    match destination {
        Ok(destination) => Ok(Arc::new(destination)),
        Err(error) => Err(format!("the registry {name} can't be written to: {error}")),
    }
}
