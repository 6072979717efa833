//! The stand-in as tests see it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use serde_json::Value;

use super::clock::Clock;
use super::handlers::Account;
use super::server::Shared;
use super::store::{Store, random_id};
use crate::stand_in::{Asked, Faults, Listening, Log, Recorded};

/// The gRPC port at which the real server registers itself.
const OWN_PORT: u16 = 8091;

/// Options of a stand-in; `start` makes it listen.
#[derive(Debug, Clone)]
pub struct Builder {
    guarded: bool,
    ghosts: bool,
    counts_only: bool,
    own_port: u16,
}

impl Builder {
    /// Clients and the console need a token: [`PolarisStandIn::token`].
    #[must_use]
    pub fn auth(mut self) -> Self {
        self.guarded = true;
        self
    }

    /// What is deleted goes within a second whenever it was last changed, as with a MySQL store.
    #[must_use]
    pub fn without_ghosts(mut self) -> Self {
        self.ghosts = false;
        self
    }

    /// Keeps no requests, only counts.
    #[must_use]
    pub fn counts_only(mut self) -> Self {
        self.counts_only = true;
        self
    }

    /// The gRPC port at which it is registered with itself; nothing listens there.
    #[must_use]
    pub fn own_port(mut self, port: u16) -> Self {
        self.own_port = port;
        self
    }

    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When no port can be had; a test can't go on without.
    pub async fn start(self) -> PolarisStandIn {
        let clock = Arc::new(Clock::new());
        let store = Store::new(Arc::clone(&clock), self.ghosts, self.own_port);
        let shared = Arc::new(Shared {
            store: Mutex::new(store),
            account: Mutex::new(Account { id: random_id(), token: random_id() }),
            guarded: self.guarded,
            clock,
            faults: Faults::default(),
            log: Log::new(self.counts_only),
        });
        let listening = Listening::start(Arc::clone(&shared), None).await;
        PolarisStandIn { shared, options: self, listening }
    }
}

/// A running stand-in for a Polaris server. Dropping it stops it.
pub struct PolarisStandIn {
    shared: Arc<Shared>,
    options: Builder,
    listening: Listening,
}

impl PolarisStandIn {
    /// Starts one that asks for no token and has ghosts.
    ///
    /// # Panics
    /// As [`Builder::start`].
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Options first.
    pub fn builder() -> Builder {
        Builder { guarded: false, ghosts: true, counts_only: false, own_port: OWN_PORT }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.listening.addr()
    }

    /// `host:port`, as users of Causeway write it.
    pub fn address(&self) -> String {
        self.addr().to_string()
    }

    /// Its URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// The token that lets in, where one is asked for.
    pub fn token(&self) -> String {
        self.shared.account().token.clone()
    }

    /// From the next request on this is the token that lets in, and no other does.
    pub fn set_token(&self, token: impl Into<String>) {
        self.shared.account().token = token.into();
    }

    /// The faults that are ordered.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Every request since the start or the last reset, in the order of arrival.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.log.all()
    }

    /// How many requests came in that change nothing, Discover among them.
    pub fn reads(&self) -> u64 {
        self.shared.log.reads()
    }

    /// How many other requests came in.
    pub fn writes(&self) -> u64 {
        self.shared.log.writes()
    }

    /// Forgets requests and counts.
    pub fn reset_counts(&self) {
        self.shared.log.clear();
    }

    /// Lets time pass at once: caches are loaded, heartbeats missed, instances grow old.
    pub fn skip(&self, time: Duration) {
        self.shared.clock.skip(time);
    }

    /// Does what another user would do, without faults and without being counted. The status and the body; neither where the
    /// real server panics.
    pub fn write(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
        let asked = Asked { method, target: path.to_owned(), headers: HeaderMap::new(), body };
        let token = self.token();
        let answer = self.shared.handle(&asked, Some(&token));
        answer.map_or((0, Value::Null), |answer| (answer.status, answer.body))
    }

    /// Stops listening and cuts every connection. What is stored stays.
    pub async fn stop(&self) {
        self.listening.stop().await;
    }

    /// Starts the server again on the same port, with what is stored or `wipe`d. Its ghosts are gone.
    ///
    /// # Panics
    /// When something else has taken the port.
    pub async fn restart(&self, wipe: bool) {
        self.stop().await;
        {
            let mut store = self.shared.store();
            if wipe {
                *store =
                    Store::new(Arc::clone(&self.shared.clock), self.options.ghosts, self.options.own_port);
            }
            store.restart();
        }
        self.listening.restart(Arc::clone(&self.shared)).await;
    }
}
