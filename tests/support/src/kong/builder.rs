//! How a stand-in is to be, before it starts.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use uuid::Uuid;

use super::health::Health;
use super::server::Shared;
use super::stand_in::KongStandIn;
use super::store::Store;
use super::tls::Tls;
use crate::stand_in::{Faults, Listening, Log};

/// Options of a stand-in; `start` makes it listen.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    token: Option<String>,
    workspace: String,
    tls: bool,
    db_less: bool,
    counts_only: bool,
    plugins: Vec<String>,
}

impl Builder {
    /// Every request must carry this in `Kong-Admin-Token`, else it gets 401.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Serves a workspace under `/{name}/…` beside the default one under `/…`, each with entities of its own.
    /// What the stand-in shows of its store, and what [`KongStandIn::direct`] does, is then that workspace's.
    #[must_use]
    pub fn workspace(mut self, name: impl Into<String>) -> Self {
        self.workspace = name.into();
        self
    }

    /// Serves HTTPS only, by a certificate of an authority of its own ([`KongStandIn::ca_pem`]).
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// A node without a database: entities are read-only, and `POST /config` replaces them all.
    #[must_use]
    pub fn db_less(mut self) -> Self {
        self.db_less = true;
        self
    }

    /// Keeps neither requests nor commits, only counts: for runs of millions of requests. Observers are told of
    /// commits all the same.
    #[must_use]
    pub fn counts_only(mut self) -> Self {
        self.counts_only = true;
        self
    }

    /// Has these plugins enabled, each with any configuration. The recorded node had none.
    #[must_use]
    pub fn plugins<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.plugins.extend(names.into_iter().map(str::to_owned));
        self
    }

    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// When no port can be had or no certificate be made; a test can't go on without.
    pub async fn start(self) -> KongStandIn {
        let tls = self.tls.then(|| Tls::new().unwrap_or_else(|error| panic!("no certificate: {error}")));
        let workspaces = [String::new(), self.workspace.clone()];
        let stores = workspaces.map(|name| {
            let mut store = Store::new(self.counts_only);
            self.plugins.iter().for_each(|plugin| store.enable_plugin(plugin));
            (name, store)
        });
        let shared = Shared {
            stores: Mutex::new(BTreeMap::from(stores)),
            health: Health::default(),
            node_id: Uuid::new_v4().to_string(),
            faults: Faults::default(),
            log: Log::new(self.counts_only),
            token: Mutex::new(self.token),
            workspace: self.workspace,
            db_less: self.db_less,
            served: AtomicU64::new(0),
            handled: Notify::new(),
        };
        let shared = Arc::new(shared);
        let acceptor = tls.as_ref().map(|tls| tls.acceptor.clone());
        let listening = Listening::start(Arc::clone(&shared), acceptor).await;
        KongStandIn::new(shared, listening, tls)
    }
}
