//! A service-center that copies are written to.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use causeway_gateways::Retry;
use futures::stream::{self, StreamExt};
use tokio_util::sync::CancellationToken;

use super::answer::{Described, Found};
use super::copy::Question;
use super::http::{Http, Place};
use super::instance::SERVICE_ID;
use super::registry::Lease;
use super::steps::{Registered, Step, registered, steps};
use super::{CAPABILITIES, ServiceCenterError, ServiceCenterSettings, form};
use crate::model::{Instance, ServiceKey};
use crate::registries::{
    Capabilities, Change, Destination, InstanceCopy, Life, Renewed, WriteError, Written,
};

/// Services that are written at the same time, and heartbeats that are sent so.
const WIDTH: usize = 8;
/// So many heartbeats go in one request.
const BATCH: usize = 200;

/// A service-center as a destination.
pub struct ServiceCenterDestination {
    http: Http,
    lease: Lease,
}

impl ServiceCenterDestination {
    /// A service-center that hasn't been connected to yet.
    ///
    /// # Errors
    /// What in the settings can't be used: addresses, domain or project, the file of authorities, a user without a password.
    pub fn new(settings: &ServiceCenterSettings) -> Result<Self, ServiceCenterError> {
        Ok(Self { http: Http::new(settings)?, lease: Lease::from(settings) })
    }

    /// All that stands of a service, as the server's store has it.
    async fn standing(&self, key: &ServiceKey) -> Result<Vec<Described>, WriteError> {
        form::check_names(key).map_err(never)?;
        let question = Question { key: key.clone(), revision: String::new() };
        let found = self.asked(self.http.find(&[question], Place::Store)).await?;
        match found.into_iter().next() {
            Some(Found::Shows { instances, .. }) => Ok(instances),
            Some(Found::Failed { words }) => Err(WriteError {
                message: format!("service-center can't show {key}: {words}"),
                retry: Retry::Backoff(None),
            }),
            // No revision was named, so nothing can be unchanged.
            Some(Found::Missing { .. } | Found::Unchanged) | None => Ok(Vec::new()),
        }
    }

    /// The next request goes to another server where this one failed to do its part.
    async fn asked<T>(
        &self,
        request: impl Future<Output = Result<T, ServiceCenterError>>,
    ) -> Result<T, WriteError> {
        let server = self.http.current();
        let answer = request.await;
        let failed = |error: &ServiceCenterError| matches!(error.retry(), Retry::Backoff(_));
        if answer.as_ref().is_err_and(failed) {
            self.http.turn_from(server);
        }
        answer.map_err(|error| WriteError { message: error.to_string(), retry: error.retry() })
    }

    async fn carry_out(
        &self,
        key: &ServiceKey,
        step: Step,
        services: &mut BTreeMap<String, String>,
    ) -> Result<(), WriteError> {
        match step {
            Step::SetProperties(of, properties) => {
                self.asked(self.http.set_properties(&of, &properties)).await
            }
            Step::SetStatus(of, status) => self.asked(self.http.set_status(&of, &status)).await,
            Step::Deregister(of) => self.asked(self.http.deregister(&of)).await,
            Step::Register(instance) => {
                let service = match services.get(&instance.version) {
                    Some(id) => id.clone(),
                    None => self.asked(self.http.create(key, &instance.version)).await?,
                };
                services.insert(instance.version.clone(), service.clone());
                self.asked(self.http.register(&service, &instance, self.lease)).await
            }
        }
    }

    async fn change(
        &self,
        change: &Change,
        standing: &[Described],
        services: &mut BTreeMap<String, String>,
    ) -> Result<Written, WriteError> {
        let copy = change.copy();
        let form = formed(copy)?;
        let Some(steps) = steps(change, &form, standing) else { return Ok(Written::Taken) };
        for step in steps {
            self.carry_out(&copy.key, step, services).await?;
        }
        Ok(Written::Done)
    }

    /// The ids under which copies are registered: those that they show, else those that are looked up.
    async fn ids(&self, copies: &[InstanceCopy]) -> Vec<Result<Option<Registered>, WriteError>> {
        let mut services: BTreeMap<&ServiceKey, Result<Vec<Described>, WriteError>> = BTreeMap::new();
        let mut ids = Vec::with_capacity(copies.len());
        for copy in copies {
            if let Some(shown) = shown_ids(&copy.instance) {
                ids.push(Ok(Some(shown)));
                continue;
            }
            if !services.contains_key(&copy.key) {
                services.insert(&copy.key, self.standing(&copy.key).await);
            }
            ids.push(match &services[&copy.key] {
                Ok(standing) => formed(copy).map(|form| registered(copy, &form, standing)),
                Err(error) => Err(error.clone()),
            });
        }
        ids
    }

    /// Heartbeats in one request, then singly when the server says that one of them failed and not which.
    async fn beat(&self, batch: &[Registered]) -> Vec<(Registered, Result<Renewed, WriteError>)> {
        let all = |outcome: Result<Renewed, WriteError>| {
            batch.iter().map(|it| (it.clone(), outcome.clone())).collect()
        };
        match self.asked(self.http.heartbeats(batch)).await {
            Ok(true) => all(Ok(Renewed::Alive)),
            Err(error) => all(Err(error)),
            Ok(false) => {
                let single = |it: &Registered| {
                    let it = it.clone();
                    async move {
                        let beaten = self.asked(self.http.heartbeat(&it)).await;
                        let renewed = beaten.map(|there| if there { Renewed::Alive } else { Renewed::Lost });
                        (it, renewed)
                    }
                };
                stream::iter(batch.iter().map(single)).buffer_unordered(WIDTH).collect().await
            }
        }
    }
}

fn formed(copy: &InstanceCopy) -> Result<Described, WriteError> {
    form::form(copy).map_err(never)
}

fn never(message: String) -> WriteError {
    WriteError { message, retry: Retry::Never }
}

fn shown_ids(instance: &Instance) -> Option<Registered> {
    let attribute = |name: &str| instance.attributes.get(name).cloned();
    Some(Registered { service_id: attribute(SERVICE_ID)?, instance_id: attribute("id")? })
}

#[async_trait]
impl Destination for ServiceCenterDestination {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn life(&self) -> Life {
        let renew_every = Duration::from_secs(self.lease.interval);
        Life::Lease { renew_every, expires_after: renew_every * (self.lease.times + 1) }
    }

    fn as_shown(&self, copy: &InstanceCopy) -> Instance {
        form::as_shown(copy)
    }

    /// The server alone knows the ids of services.
    fn differs(&self, copy: &InstanceCopy, standing: &Instance) -> bool {
        let mut shown = form::as_shown(copy);
        if let Some(id) = standing.attributes.get(SERVICE_ID) {
            shown.attributes.insert(SERVICE_ID.to_owned(), id.clone());
        }
        shown != *standing
    }

    fn width(&self) -> usize {
        WIDTH
    }

    async fn write(&self, key: &ServiceKey, changes: &[Change]) -> Vec<Result<Written, WriteError>> {
        let standing = match self.standing(key).await {
            Ok(standing) => standing,
            Err(error) => return vec![Err(error); changes.len()],
        };
        let mut services = BTreeMap::new();
        let mut outcomes: BTreeMap<usize, Result<Written, WriteError>> = BTreeMap::new();
        let puts_first = |(_, change): &(usize, &Change)| matches!(change, Change::Remove(_));
        let mut ordered: Vec<(usize, &Change)> = changes.iter().enumerate().collect();
        ordered.sort_by_key(puts_first);
        for (place, change) in ordered {
            outcomes.insert(place, self.change(change, &standing, &mut services).await);
        }
        outcomes.into_values().collect()
    }

    async fn renew(&self, copies: &[InstanceCopy]) -> Vec<Result<Renewed, WriteError>> {
        let ids = self.ids(copies).await;
        let known: Vec<Registered> = ids.iter().flatten().flatten().cloned().collect();
        let mut renewed = BTreeMap::new();
        for batch in known.chunks(BATCH) {
            renewed.extend(self.beat(batch).await);
        }
        let outcome = |id: Result<Option<Registered>, WriteError>| match id? {
            Some(id) => renewed.get(&id).cloned().unwrap_or(Ok(Renewed::Lost)),
            None => Ok(Renewed::Lost),
        };
        ids.into_iter().map(outcome).collect()
    }

    /// Leases need nothing but heartbeats, and connections end with their requests.
    async fn tend(&self, stop: CancellationToken) {
        stop.cancelled().await;
    }
}
