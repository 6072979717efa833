//! The stand-in as tests see it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::http::Method;
use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::Payload;
use super::builder::Builder;
use super::call::{Call, encode};
use super::declarative::EMPTY_HASH;
use super::server::Shared;
use super::store::{Commit, Kind, Store, id_of};
use super::tls::Tls;
use super::workers::Workers;
use crate::stand_in::{Faults, Listening, Recorded};

/// The least time between two looks at a condition, which may read the whole store.
const PAUSE: Duration = Duration::from_millis(2);

/// A running stand-in for Kong's Admin API. Dropping it stops it.
pub struct KongStandIn {
    shared: Arc<Shared>,
    listening: Listening,
    tls: Option<Tls>,
}

impl KongStandIn {
    pub(super) fn new(shared: Arc<Shared>, listening: Listening, tls: Option<Tls>) -> Self {
        Self { shared, listening, tls }
    }

    /// Starts one without token, workspace or TLS.
    ///
    /// # Panics
    ///
    /// As [`Builder::start`].
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Options first.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.listening.addr()
    }

    /// The URL of the Admin API, without a slash at its end and without the workspace.
    pub fn admin_url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.addr())
    }

    /// The certificate of the authority that a client must trust, when it serves TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.tls.as_ref().map(|tls| tls.ca_pem.as_str())
    }

    /// The faults that are ordered.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// From the next request on this is the token that is asked for.
    pub fn set_token(&self, token: impl Into<String>) {
        *self.shared.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.into());
    }

    /// Stops listening and cuts every connection. The entities stay.
    pub async fn stop(&self) {
        self.listening.stop().await;
    }

    /// Listens again on the same port, with the same entities, as a node does that was started anew.
    ///
    /// # Panics
    ///
    /// When something else has taken the port.
    pub async fn restart(&self) {
        self.shared.served.store(0, Ordering::Relaxed);
        self.listening.restart(Arc::clone(&self.shared)).await;
    }
}

/// Nodes without a database.
impl KongStandIn {
    /// As [`KongStandIn::restart`], without any entities: a node that has lost its disk.
    ///
    /// # Panics
    ///
    /// As [`KongStandIn::restart`].
    pub async fn restart_empty(&self) {
        self.stop().await;
        self.with_store(|store| store.swap(Vec::new(), EMPTY_HASH.to_owned()));
        self.restart().await;
    }
}

/// Counting.
impl KongStandIn {
    /// Every request since the start or the last reset, in the order of arrival.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.log.all()
    }

    /// How many POST, PUT, PATCH and DELETE requests came in, whatever became of them.
    pub fn writes(&self) -> u64 {
        self.shared.log.writes()
    }

    /// How many GET, HEAD and OPTIONS requests came in.
    pub fn reads(&self) -> u64 {
        self.shared.log.reads()
    }

    /// How many requests were handled at the same time, at most.
    pub fn most_in_flight(&self) -> usize {
        self.shared.log.most_in_flight()
    }

    /// Forgets requests, counts and commits.
    pub fn reset_counts(&self) {
        self.shared.log.clear();
        self.with_store(|store| store.journal().clear());
    }

    /// Every change of an entity since the start or the last reset, in the order in which it took effect.
    pub fn commits(&self) -> Vec<Commit> {
        self.with_store(|store| store.journal().commits().to_vec())
    }

    /// Calls `observer` at every commit from now on, while no other can happen. It must not call the stand-in.
    pub fn on_commit(&self, observer: impl Fn(&Commit) + Send + Sync + 'static) {
        self.with_store(|store| store.journal().observe(Arc::new(observer)));
    }

    /// Starts so many workers, which carry requests from now on and learn of each commit up to `lateness` after it. The
    /// moments depend on the seed.
    pub fn start_workers(&self, count: usize, lateness: Duration, seed: u64) -> Workers {
        let workers = Workers::new(count, lateness, seed);
        let told = workers.clone();
        self.with_store(|store| {
            for kind in [Kind::Upstreams, Kind::Targets, Kind::Services] {
                let rows = store.table(kind).rows().cloned().map(Value::Object);
                rows.for_each(|row| workers.start_with(kind, &row));
            }
            store.journal().observe(Arc::new(move |commit| told.told(commit)));
        });
        workers
    }

    /// Waits until `condition` holds, looking again when requests were handled. Says whether it came to hold in time.
    pub async fn wait_until(&self, limit: Duration, condition: impl Fn(&Self) -> bool) -> bool {
        let wait = async {
            loop {
                let handled = self.shared.handled.notified();
                tokio::pin!(handled);
                handled.as_mut().enable();
                if condition(self) {
                    return;
                }
                handled.await;
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(limit, wait).await.is_ok()
    }
}

/// The entities.
impl KongStandIn {
    /// All services, by name.
    pub fn services(&self) -> Vec<Value> {
        self.all(Kind::Services, "name")
    }

    /// All routes, by name.
    pub fn routes(&self) -> Vec<Value> {
        self.all(Kind::Routes, "name")
    }

    /// All upstreams, by name.
    pub fn upstreams(&self) -> Vec<Value> {
        self.all(Kind::Upstreams, "name")
    }

    /// All targets of all upstreams, by address.
    pub fn all_targets(&self) -> Vec<Value> {
        self.all(Kind::Targets, "target")
    }

    /// The targets of an upstream (its name or id), by address; none when there is no such upstream.
    pub fn targets(&self, upstream: &str) -> Vec<Value> {
        let mut targets = self.with_store(|store| {
            let Some(id) = store.find(Kind::Upstreams, upstream).map(id_of) else { return Vec::new() };
            let table = store.table(Kind::Targets);
            let ids: Vec<String> = table.children("upstream", &id).cloned().collect();
            ids.iter().filter_map(|id| table.get(id)).cloned().map(Value::Object).collect()
        });
        sort(&mut targets, "target");
        targets
    }

    /// The addresses of an upstream's targets with their weights.
    pub fn weights(&self, upstream: &str) -> BTreeMap<String, i64> {
        let targets = self.targets(upstream).into_iter();
        targets
            .map(|target| {
                let address = target["target"].as_str().unwrap_or_default().to_owned();
                (address, target["weight"].as_i64().unwrap_or_default())
            })
            .collect()
    }

    /// One entity by its name or id; targets by id only.
    pub fn entity(&self, kind: Kind, key: &str) -> Option<Value> {
        self.with_store(|store| store.find(kind, key).cloned()).map(Value::Object)
    }

    /// The ids of the next entities to which Kong gives one, instead of random ones; replaces what was ordered.
    pub fn set_next_ids(&self, ids: impl IntoIterator<Item = String>) {
        self.with_store(|store| store.set_next_ids(ids));
    }

    /// What the node's health checkers find of a target from now on, if its upstream has checks.
    pub fn set_health(&self, upstream: &str, address: &str, up: bool) {
        if let Some(id) = self.with_store(|store| store.find(Kind::Upstreams, upstream).map(id_of)) {
            self.shared.health.set(&id, address, up);
        }
    }

    /// Does what another user of Kong would do, without faults and without being counted; the commit is
    /// observed. Returns the status and the body (null when there is none).
    pub fn direct(&self, method: &Method, path: &str, body: &Value) -> (u16, Value) {
        let prefix = if self.shared.workspace.is_empty() {
            String::new()
        } else {
            format!("/{}", self.shared.workspace)
        };
        let (content_type, bytes) = if body.is_null() {
            (None, Bytes::new())
        } else {
            (Some("application/json".to_owned()), Bytes::from(body.to_string()))
        };
        let call = Call::new(method.clone(), &format!("{prefix}{path}"), content_type, bytes);
        let answer = self.shared.handle(call);
        let body = match answer.body {
            Some(Payload::Json(value)) => value,
            Some(Payload::Html(text)) => Value::from(text),
            None => Value::Null,
        };
        (answer.status, body)
    }

    /// Adds a service, route or upstream as another user; returns it whole.
    ///
    /// # Panics
    ///
    /// When Kong would refuse it.
    pub fn seed(&self, kind: Kind, entity: &Value) -> Value {
        self.created(&format!("/{}", kind.name()), entity)
    }

    /// Adds a target to an upstream (its name or id) as another user; returns it whole.
    ///
    /// # Panics
    ///
    /// When Kong would refuse it.
    pub fn seed_target(&self, upstream: &str, target: &Value) -> Value {
        self.created(&format!("/upstreams/{}/targets", encode(upstream)), target)
    }

    /// Enables a plugin and attaches one to a service (its name or id) as another user; returns it whole.
    ///
    /// # Panics
    ///
    /// When there is no such service, or it has that plugin.
    pub fn seed_plugin(&self, service: &str, plugin: &str) -> Value {
        self.with_store(|store| store.enable_plugin(plugin));
        self.created(&format!("/services/{}/plugins", encode(service)), &json!({ "name": plugin }))
    }

    fn created(&self, path: &str, entity: &Value) -> Value {
        let (status, body) = self.direct(&Method::POST, path, entity);
        assert_eq!(status, 201, "POST {path} {entity}: {body}");
        body
    }

    fn all(&self, kind: Kind, key: &str) -> Vec<Value> {
        let mut rows: Vec<Value> =
            self.with_store(|store| store.table(kind).rows().cloned().map(Value::Object).collect());
        sort(&mut rows, key);
        rows
    }

    fn with_store<T>(&self, act: impl FnOnce(&mut Store) -> T) -> T {
        act(self.shared.stores().entry(self.shared.workspace.clone()).or_default())
    }
}

fn sort(rows: &mut [Value], key: &str) {
    rows.sort_by(|a, b| a[key].as_str().cmp(&b[key].as_str()));
}
