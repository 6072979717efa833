//! What happens on one connection: subscriptions follow the list of names, pushes become snapshots.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::connection::{Connection, Push};
use super::info::{Host, ServiceInfo};
use super::names::ServiceName;
use super::names_loop::Names;
use super::open::OpenPushes;
use super::proto::{Answer, Request};
use super::subscriber::Subscriber;
use super::{Leg, NacosError};
use crate::guard::Scope;
use crate::model::ServiceKey;

/// Subscriptions under way at once. 600 take 0.1-0.3 s so.
const SUBSCRIBING: usize = 64;
/// Refused subscriptions are tried again at this pace.
const RETRY: Duration = Duration::from_secs(5);
/// How long a push that leaves something open waits for the full listing, which takes some milliseconds where nobody is busy.
const QUICK_LISTING: Duration = Duration::from_secs(1);
/// The second look, for a listing that was slow or behind the push.
const LATE_LISTING: Duration = Duration::from_secs(5);
const LATE_BY: Duration = Duration::from_secs(1);

/// Why a connection is over.
pub(super) enum End {
    /// The server wants us elsewhere, or anew.
    Reset(Option<(String, u16)>),
    /// It failed, before or after everything wanted was subscribed once.
    Failed { error: NacosError, had_worked: bool },
}

enum Done {
    Subscribed(String, ServiceName, Result<Box<Answer>, NacosError>),
    Unsubscribed,
    FuzzyWatch(Result<(), NacosError>),
    Listed { key: String, number: u64, late: bool, hosts: Result<Vec<Host>, Option<NacosError>> },
}

/// One connection at work.
pub(super) struct Session<'a> {
    of: &'a mut Subscriber,
    connection: Connection,
    names: Arc<Names>,
    queue: VecDeque<String>,
    subscribing: usize,
    /// The server's clock at the last push of each service: an answer that was made before is out of date.
    pushed: BTreeMap<String, i64>,
    refused: BTreeSet<String>,
    /// Services whose next answer is completed by the full listing, whatever it shows.
    incomplete: BTreeSet<String>,
    refusal_told: bool,
    open: OpenPushes,
    full_listing_allowed: bool,
    ready: bool,
    running: FuturesUnordered<BoxFuture<'static, Done>>,
}

impl<'a> Session<'a> {
    pub(super) fn new(of: &'a mut Subscriber, connection: Connection) -> Self {
        Self {
            of,
            connection,
            names: Arc::default(),
            queue: VecDeque::new(),
            subscribing: 0,
            pushed: BTreeMap::new(),
            refused: BTreeSet::new(),
            incomplete: BTreeSet::new(),
            refusal_told: false,
            open: OpenPushes::default(),
            full_listing_allowed: true,
            ready: false,
            running: FuturesUnordered::new(),
        }
    }

    /// Runs until the connection is over.
    pub(super) async fn run(mut self) -> End {
        let mut retry = interval(RETRY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.watch_for_new_services();
        self.follow_names();
        loop {
            self.subscribe_queued();
            self.note_ready();
            tokio::select! {
                push = self.connection.next() => match push {
                    Push::Service(info) => self.on_push(*info),
                    Push::NewService(service) => self.on_new_service(&service),
                    Push::Reset(server) => return End::Reset(server),
                    Push::Ended(error) => return self.failed(error),
                },
                Some(done) = self.running.next(), if !self.running.is_empty() => {
                    if let Err(error) = self.on_done(done) {
                        return self.failed(error);
                    }
                }
                Ok(()) = self.of.names.changed() => self.follow_names(),
                Some(service) = self.of.hidden.recv() => {
                    // Every subscription is followed by a push, with what is shown now.
                    self.incomplete.insert(service.clone());
                    self.queue.push_back(service);
                }
                _ = retry.tick() => self.queue.extend(std::mem::take(&mut self.refused)),
            }
        }
    }

    fn failed(&self, error: NacosError) -> End {
        End::Failed { error, had_worked: self.ready }
    }

    fn key(&self, service: &str) -> ServiceKey {
        ServiceKey::new(&self.of.namespace.key, service)
    }

    // ---- names and subscriptions

    fn follow_names(&mut self) {
        let names = Arc::clone(&self.of.names.borrow_and_update());
        let before = std::mem::replace(&mut self.names, Arc::clone(&names));
        let added = names.iter().filter(|(key, service)| before.get(*key) != Some(*service));
        self.queue.extend(added.map(|(key, _)| key.clone()));
        for (key, service) in before.iter().filter(|(key, _)| !names.contains_key(*key)) {
            self.forget(key, service);
        }
    }

    fn forget(&mut self, key: &str, service: &ServiceName) {
        self.pushed.remove(key);
        self.open.forget(key);
        self.incomplete.remove(key);
        if self.refused.remove(key) {
            self.of.view.set_known(&Scope::Service(self.key(key)));
        }
        let request = Request::subscribe(&self.of.namespace.id, service, false);
        let (client, shared) = (self.connection.client.clone(), Arc::clone(&self.of.shared));
        self.running.push(Box::pin(async move {
            // Unneeded pushes do no harm, so neither does a failure.
            let _ = client.ask(&request, &shared.api.auth, &shared.api.http).await;
            Done::Unsubscribed
        }));
    }

    fn subscribe_queued(&mut self) {
        while self.subscribing < SUBSCRIBING
            && let Some(key) = self.queue.pop_front()
        {
            let Some(service) = self.names.get(&key).cloned() else { continue };
            self.subscribing += 1;
            let request = Request::subscribe(&self.of.namespace.id, &service, true);
            let (client, shared) = (self.connection.client.clone(), Arc::clone(&self.of.shared));
            self.running.push(Box::pin(async move {
                let answer = client.ask(&request, &shared.api.auth, &shared.api.http).await;
                Done::Subscribed(key, service, answer.map(Box::new))
            }));
        }
    }

    /// Once everything wanted is subscribed, the namespace is known as far as the connection goes.
    fn note_ready(&mut self) {
        if !self.ready && self.subscribing == 0 && self.queue.is_empty() {
            self.ready = true;
            self.of.health.sound(Leg::Stream);
        }
    }

    fn watch_for_new_services(&self) {
        let request = Request::fuzzy_watch(&self.of.namespace.id);
        let (client, shared) = (self.connection.client.clone(), Arc::clone(&self.of.shared));
        self.running.push(Box::pin(async move {
            let answer = client.ask(&request, &shared.api.auth, &shared.api.http).await;
            Done::FuzzyWatch(answer.map(|_| ()))
        }));
    }

    fn on_new_service(&self, service: &ServiceName) {
        let key = service.to_key();
        if !self.names.contains_key(&key) && self.of.interest.wants(&self.key(&key)) {
            self.of.wake.notify_one();
        }
    }

    // ---- answers

    fn on_done(&mut self, done: Done) -> Result<(), NacosError> {
        match done {
            Done::Subscribed(key, service, answer) => {
                self.subscribing -= 1;
                if self.names.get(&key) == Some(&service) {
                    self.on_subscribed(key, answer)?;
                }
            }
            // Older servers don't have it, and newer ones refuse it for more than 500 services: the list is read anyway.
            Done::FuzzyWatch(answer) => {
                if let Err(error) = answer {
                    tracing::debug!(registry = self.of.view.registry(), %error, "new services are found by listing only");
                }
            }
            Done::Listed { key, number, late, hosts } => self.on_listed(key, number, late, hosts),
            Done::Unsubscribed => {}
        }
        Ok(())
    }

    fn on_subscribed(
        &mut self,
        key: String,
        answer: Result<Box<Answer>, NacosError>,
    ) -> Result<(), NacosError> {
        match answer.map(|answer| answer.service_info) {
            Ok(Some(info)) => {
                if self.pushed.get(&key).is_none_or(|pushed| info.last_ref_time > *pushed) {
                    self.take(key, info);
                }
                Ok(())
            }
            Ok(None) => {
                let reason = "the subscription's answer holds no instances";
                self.refuse(key, reason);
                Ok(())
            }
            Err(error @ (NacosError::Denied { .. } | NacosError::Refused { .. })) => {
                self.refuse(key, &error.to_string());
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn refuse(&mut self, key: String, reason: &str) {
        if !self.refusal_told {
            self.refusal_told = true;
            let (registry, service) = (self.of.view.registry(), self.key(&key));
            tracing::warn!(
                "registry {registry}: service {service}, maybe others too, can't be read: {reason}; what was read last stays in force, and it is tried again every {} s",
                RETRY.as_secs()
            );
        }
        self.of.view.set_unknown(Scope::Service(self.key(&key)), reason);
        self.refused.insert(key);
    }

    fn on_push(&mut self, info: ServiceInfo) {
        let service = info.service();
        let key = service.to_key();
        if self.names.get(&key) == Some(&service) {
            self.pushed.insert(key.clone(), info.last_ref_time);
            self.take(key, info);
        }
    }

    // ---- snapshots

    /// Publishes it, or first asks for the full listing where that may tell more.
    fn take(&mut self, service: String, info: ServiceInfo) {
        let previous = self.of.view.reading(&self.key(&service)).map(|reading| reading.snapshot);
        let is_incomplete = self.incomplete.remove(&service) || info.leaves_open(previous.as_deref());
        if !self.full_listing_allowed || !is_incomplete {
            self.open.forget(&service);
            self.publish(&service, &info);
            return;
        }
        let number = self.open.wait(&service, info.clone());
        self.list(&service, number, false, &info);
    }

    fn publish(&self, service: &str, info: &ServiceInfo) {
        let key = self.key(service);
        let previous = self.of.view.reading(&key).map(|reading| reading.snapshot);
        self.of.view.publish(info.snapshot(key, previous.as_deref()));
    }

    fn list(&self, service: &str, number: u64, late: bool, info: &ServiceInfo) {
        let (key, name) = (service.to_owned(), info.service());
        let (shared, namespace) = (Arc::clone(&self.of.shared), self.of.namespace.clone());
        self.running.push(Box::pin(async move {
            let listing = async {
                if late {
                    sleep(LATE_BY).await;
                }
                let _slot = shared.listing_slots.acquire().await;
                shared.api.instances(&namespace, &name).await
            };
            let limit = if late { LATE_LISTING } else { QUICK_LISTING };
            let hosts = timeout(limit, listing).await.map_or(Err(None), |hosts| hosts.map_err(Some));
            Done::Listed { key, number, late, hosts }
        }));
    }

    fn on_listed(
        &mut self,
        key: String,
        number: u64,
        late: bool,
        hosts: Result<Vec<Host>, Option<NacosError>>,
    ) {
        let Some(info) = self.open.take(&key, number) else { return };
        let conclusive = match hosts {
            Ok(hosts) => {
                let conclusive = info.agrees_with(&hosts);
                self.publish(&key, &info.clone().completed(&hosts));
                conclusive
            }
            Err(error) => {
                self.full_listing_allowed &= !error.is_some_and(|error| error.asks_for_another_way());
                self.publish(&key, &info);
                !self.full_listing_allowed
            }
        };
        if !late && !conclusive {
            self.list(&key, number, true, &info);
            self.open.wait_on(&key, number, info);
        }
    }
}
