//! A Nacos that copies are written to.
//!
//! ```text
//!  write ─ look (all clusters, over HTTP) ─ standing (pure: shown, and written lately) ─▶ taken | equal | POST | DELETE
//!  renew ─ healthy: a light beat · unhealthy: the same registration again, since a beat would make it well
//! ```
//!
//! Copies are ephemeral instances registered over HTTP, which belong to no connection: any process may beat, change and remove
//! them, and they outlive the one that wrote them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use causeway_gateways::Retry;
use futures::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::address::Server;
use super::form::{Lease, as_shown, host};
use super::info::Host;
use super::names::{Namespace, ServiceName};
use super::recent::{Recent, Standing};
use super::settings::{NacosSettings, Shared};
use super::{CAPABILITIES, NacosError};
use crate::model::{Instance, ServiceKey};
use crate::registries::on_demand::OnDemand;
use crate::registries::tls::Trust;
use crate::registries::{
    Capabilities, Change, Destination, InstanceCopy, Life, Renewed, WriteError, Written,
};

/// Requests that change something under way at once.
const WRITING: usize = 16;
/// Services that are written at once.
const WIDTH: usize = 16;

/// A Nacos as a destination.
pub struct NacosDestination {
    settings: NacosSettings,
    servers: Vec<Server>,
    trust: Trust,
    client: OnDemand<Shared>,
    slots: Semaphore,
    recent: Mutex<Recent>,
    /// The namespaces that are known to be there, or that can't be created by us.
    namespaces: Mutex<BTreeSet<Namespace>>,
}

/// A service in Nacos' words, and a client for it.
struct Place {
    shared: Arc<Shared>,
    namespace: Namespace,
    service: ServiceName,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl NacosDestination {
    /// A Nacos that hasn't been connected to yet.
    ///
    /// # Errors
    /// As [`super::Nacos::new`].
    pub fn new(settings: NacosSettings) -> Result<Self, NacosError> {
        let trust = Trust::read(settings.tls.as_ref()).map_err(NacosError::Settings)?;
        let servers = settings.servers()?;
        Shared::new(&settings, servers.clone(), trust.clone())?;
        Ok(Self {
            settings,
            servers,
            trust,
            client: OnDemand::new(),
            slots: Semaphore::new(WRITING),
            recent: Mutex::default(),
            namespaces: Mutex::default(),
        })
    }

    fn lease(&self) -> &Lease {
        &self.settings.lease
    }

    fn place(&self, key: &ServiceKey) -> Result<Place, NacosError> {
        let make = || Shared::new(&self.settings, self.servers.clone(), self.trust.clone());
        let shared = self.client.get(make)?;
        Ok(Place {
            shared,
            namespace: Namespace::new(&key.namespace),
            service: ServiceName::of_key(&key.service),
        })
    }

    /// Everything that is known before a service is written: its namespace is there, and what stands in it.
    async fn look(&self, place: &Place) -> Result<Vec<Host>, NacosError> {
        self.ensure_namespace(place).await?;
        place.shared.api.instances(&place.namespace, &place.service).await
    }

    /// Creates the namespace where it is missing. Where we may not, the copies stand all the same: Nacos takes instances in
    /// a namespace that it doesn't list.
    async fn ensure_namespace(&self, place: &Place) -> Result<(), NacosError> {
        let namespace = &place.namespace;
        if *namespace == Namespace::new("") || locked(&self.namespaces).contains(namespace) {
            return Ok(());
        }
        let created = async {
            let listed = place.shared.api.namespaces().await?;
            if listed.iter().any(|id| Namespace::new(id) == *namespace) {
                return Ok(());
            }
            place.shared.api.create_namespace(&namespace.id).await
        };
        match created.await {
            Ok(()) => {}
            Err(error) if error.asks_for_another_way() => tracing::warn!(
                "the namespace {} of {} may be missing, and can't be created ({error}); its copies are registered all the same, \
                 but Nacos' console doesn't list them until somebody creates it",
                namespace.id,
                self.servers.first().map_or("Nacos", |server| &server.label),
            ),
            Err(error) => return Err(error),
        }
        locked(&self.namespaces).insert(namespace.clone());
        Ok(())
    }

    /// A failure may mean that there is another server now, or one that was emptied.
    async fn doubt(&self, shared: &Shared) {
        locked(&self.namespaces).clear();
        shared.api.forget().await;
    }

    async fn carry_out(
        &self,
        place: &Place,
        change: &Change,
        shown: &[Instance],
    ) -> Result<Written, WriteError> {
        let copy = change.copy();
        let standing = locked(&self.recent).standing(copy, shown, Instant::now());
        match change {
            Change::Put(_) if standing.taken => Ok(Written::Taken),
            Change::Put(_) => self.put(place, copy, standing).await,
            // Beside a native one of a gRPC connection ours is an entry of its own, and goes alone.
            Change::Remove(_) if standing.ours.is_some() => self.remove(place, copy).await,
            Change::Remove(_) if standing.taken => Ok(Written::Taken),
            Change::Remove(_) => Ok(Written::Done),
        }
    }

    async fn put(
        &self,
        place: &Place,
        copy: &InstanceCopy,
        standing: Standing,
    ) -> Result<Written, WriteError> {
        let (host, form) = (host(copy, self.lease()), as_shown(copy, self.lease()));
        if standing.ours.as_ref() == Some(&form) {
            return Ok(Written::Done);
        }
        let in_vain = locked(&self.recent).has_no_effect(copy, &form, &standing);
        self.register(place, &host).await.map_err(|error| error.of_registration(&host))?;
        locked(&self.recent).put(copy, form, standing.ours, Instant::now());
        if in_vain { Err(overridden(copy)) } else { Ok(Written::Done) }
    }

    async fn register(&self, place: &Place, host: &Host) -> Result<(), NacosError> {
        let _slot = self.slots.acquire().await;
        place.shared.api.register(&place.namespace, &place.service, host).await
    }

    async fn remove(&self, place: &Place, copy: &InstanceCopy) -> Result<Written, WriteError> {
        let _slot = self.slots.acquire().await;
        let host = host(copy, self.lease());
        let removed = place.shared.api.deregister(&place.namespace, &place.service, &host).await;
        removed.map_err(|error| error.of_write())?;
        locked(&self.recent).removed(copy, Instant::now());
        Ok(Written::Done)
    }

    /// Copies of one service.
    async fn renew_service(
        &self,
        key: &ServiceKey,
        copies: &[&InstanceCopy],
    ) -> Vec<Result<Renewed, WriteError>> {
        let place = match self.place(key) {
            Ok(place) => place,
            Err(error) => return copies.iter().map(|_| Err(error.of_write())).collect(),
        };
        let looked = if copies.iter().all(|copy| copy.instance.healthy) {
            Ok(Vec::new())
        } else {
            self.look(&place).await
        };
        let renewed = join_all(copies.iter().map(|copy| self.renew_one(&place, copy, &looked))).await;
        if renewed.iter().any(|renewed| *renewed != Ok(Renewed::Alive)) {
            self.doubt(&place.shared).await;
        }
        renewed.into_iter().map(|renewed| renewed.map_err(|error| error.of_write())).collect()
    }

    async fn renew_one(
        &self,
        place: &Place,
        copy: &InstanceCopy,
        looked: &Result<Vec<Host>, NacosError>,
    ) -> Result<Renewed, NacosError> {
        if copy.instance.healthy {
            return self.beat(place, &host(copy, self.lease())).await;
        }
        let standing = looked.as_ref().map_err(Clone::clone)?.iter().find(|host| is_ours(host, copy));
        match standing {
            None => Ok(Renewed::Lost),
            Some(host) if host.healthy => self.beat(place, host).await,
            Some(host) => self.register(place, host).await.map(|()| Renewed::Alive),
        }
    }

    async fn beat(&self, place: &Place, host: &Host) -> Result<Renewed, NacosError> {
        let _slot = self.slots.acquire().await;
        let known = place.shared.api.beat(&place.namespace, &place.service, host).await?;
        Ok(if known { Renewed::Alive } else { Renewed::Lost })
    }
}

/// Whether a listed entry is this copy.
fn is_ours(host: &Host, copy: &InstanceCopy) -> bool {
    host.instance()
        .is_some_and(|shown| shown.address == copy.instance.address && copy.mark.owns(&copy.key, &shown))
}

/// A copy was put, and Nacos shows something else all the same.
fn overridden(copy: &InstanceCopy) -> WriteError {
    let (address, key) = (&copy.instance.address, &copy.key);
    WriteError {
        message: format!(
            "the copy {address} in {key} is registered, but Nacos goes on showing something else: what an operator has set in \
             Nacos' console outranks it; set it back there, or delete the instance there, whereupon it is registered anew"
        ),
        retry: Retry::Never,
    }
}

#[async_trait]
impl Destination for NacosDestination {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn life(&self) -> Life {
        let Lease { beat_every, unhealthy_after, .. } = *self.lease();
        Life::Lease { renew_every: beat_every, expires_after: unhealthy_after }
    }

    fn as_shown(&self, copy: &InstanceCopy) -> Instance {
        as_shown(copy, self.lease())
    }

    /// One slot for each host and port, whoever registers over HTTP.
    fn holds_one(&self) -> bool {
        true
    }

    fn width(&self) -> usize {
        WIDTH
    }

    async fn write(&self, key: &ServiceKey, changes: &[Change]) -> Vec<Result<Written, WriteError>> {
        let failed = |error: NacosError| changes.iter().map(|_| Err(error.of_write())).collect();
        let place = match self.place(key) {
            Ok(place) => place,
            Err(error) => return failed(error),
        };
        let shown: Vec<Instance> = match self.look(&place).await {
            Ok(hosts) => hosts.iter().filter_map(Host::instance).collect(),
            Err(error) => {
                self.doubt(&place.shared).await;
                return failed(error);
            }
        };
        let mut outcomes = BTreeMap::new();
        for puts in [true, false] {
            let now =
                changes.iter().enumerate().filter(|(_, change)| matches!(change, Change::Put(_)) == puts);
            let each = now.map(async |(at, change)| (at, self.carry_out(&place, change, &shown).await));
            outcomes.extend(join_all(each).await);
        }
        outcomes.into_values().collect()
    }

    async fn renew(&self, copies: &[InstanceCopy]) -> Vec<Result<Renewed, WriteError>> {
        let mut services: BTreeMap<&ServiceKey, Vec<usize>> = BTreeMap::new();
        for (at, copy) in copies.iter().enumerate() {
            services.entry(&copy.key).or_default().push(at);
        }
        let renewals = services.into_iter().map(async |(key, places)| {
            let of_service: Vec<&InstanceCopy> = places.iter().map(|at| &copies[*at]).collect();
            places.into_iter().zip(self.renew_service(key, &of_service).await).collect::<Vec<_>>()
        });
        let outcomes: BTreeMap<usize, _> = join_all(renewals).await.into_iter().flatten().collect();
        let (mut recent, now) = (locked(&self.recent), Instant::now());
        copies.iter().for_each(|copy| recent.shown(copy, now));
        recent.forget_old(now);
        outcomes.into_values().collect()
    }

    async fn tend(&self, stop: CancellationToken) {
        stop.cancelled().await;
        self.client.release();
    }
}
