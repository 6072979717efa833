//! Nacos 2.x and 3.x, and Aliyun MSE.
//!
//! As a source:
//!
//! ```text
//!  namespaces: fixed, or listed ──▶ for each one
//!                                    names_loop  HTTP listing, every few seconds ──names──▶ View
//!                                        ▲ woken                     │ what to subscribe
//!                                    subscriber ─ session on one gRPC connection ──snapshots──▶ View
//! ```
//!
//! The listing decides which services there are; the connection pushes their instances. The pushes name no namespace, so
//! every namespace has a connection of its own, and only when it holds a wanted service. What a service holds and no push shows is
//! looked for in the full listing: the list counts it.
//!
//! As a destination it is written to over HTTP alone: see `writer`.

mod address;
mod api;
mod auth;
mod connection;
mod error;
mod form;
mod health;
mod hidden;
mod http;
mod info;
mod names;
mod names_loop;
mod namespaces;
mod open;
mod pages;
mod proto;
mod recent;
mod refusal;
mod registration;
mod session;
mod settings;
mod sign;
mod subscriber;
mod tls;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::tls::Trust;
use super::{Capabilities, Interest, MetadataKeys, Source, View, Weights};
use crate::guard::Scope;
use address::Server;
use health::{Health, Leg};
use namespaces::Namespaces;
use settings::Shared;

pub use error::NacosError;
pub use form::Lease;
pub use settings::NacosSettings;
pub use writer::NacosDestination;

const CAPABILITIES: Capabilities = Capabilities {
    kind: "nacos",
    push: true,
    weight: Weights::Any,
    unhealthy: true,
    isolation: true,
    metadata: MetadataKeys::Any,
    empty_services: true,
    absence_is_intent: false,
};

/// A Nacos as a source.
pub struct Nacos {
    settings: NacosSettings,
    servers: Vec<Server>,
    trust: Trust,
}

impl Nacos {
    /// A Nacos that hasn't been connected to yet.
    ///
    /// # Errors
    /// What in the settings can't be used: addresses, the file of authorities, half a pair of credentials.
    pub fn new(settings: NacosSettings) -> Result<Self, NacosError> {
        let trust = Trust::read(settings.tls.as_ref()).map_err(NacosError::Settings)?;
        let servers = settings.servers()?;
        Shared::new(&settings, servers.clone(), trust.clone())?;
        Ok(Self { settings, servers, trust })
    }
}

#[async_trait]
impl Source for Nacos {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    async fn watch(&self, interest: Arc<dyn Interest>, view: Arc<View>, stop: CancellationToken) {
        match Shared::new(&self.settings, self.servers.clone(), self.trust.clone()) {
            Ok(shared) => {
                let mut watch = Namespaces::new(shared, interest, view, self.settings.namespaces());
                stop.run_until_cancelled(watch.run()).await;
                watch.end().await;
            }
            // `new` has made the same before; only a lack of file handles or the like leads here.
            Err(error) => view.set_unknown(Scope::Source, error.to_string()),
        }
    }
}
