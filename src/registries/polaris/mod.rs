//! Polaris, by its HTTP API.
//!
//! As a source:
//!
//! ```text
//!  Schedule (pure: what is asked next, and when) ──▶ poller ──Discover──▶ client ──▶ any of the servers
//!                                                       │
//!   a list of names says what to poll ◀── answer (pure) ┤
//!   (service, revision) ──▶ snapshot or "unchanged"  ◀──┘──names, snapshots──▶ View
//! ```
//!
//! Polaris has no push: whoever asks with the revision that they have is told "unchanged" or everything. So every service is
//! asked again and again on a few kept-alive connections, none more often than the server's own cache makes sense of, and all
//! together at a bounded rate.
//!
//! As a destination it is written to by the OpenAPI: see `writer`.

mod address;
mod answer;
mod batch;
mod client;
mod error;
mod form;
mod names;
mod poller;
mod schedule;
mod settings;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::server::Server;
use super::{Capabilities, Interest, MetadataKeys, Source, View, Weights};
use crate::guard::Scope;
use client::Client;
use poller::Poller;
use settings::Scopes;

pub use error::PolarisError;
pub use settings::PolarisSettings;
pub use writer::PolarisDestination;

const CAPABILITIES: Capabilities = Capabilities {
    kind: "polaris",
    push: false,
    weight: Weights::Any,
    unhealthy: true,
    isolation: true,
    metadata: MetadataKeys::Any,
    empty_services: true,
    absence_is_intent: false,
};

/// A Polaris as a source.
pub struct Polaris {
    settings: PolarisSettings,
    servers: Vec<Server>,
}

impl Polaris {
    /// A Polaris that hasn't been connected to yet.
    ///
    /// # Errors
    /// What in the settings can't be used: the addresses, the file of authorities.
    pub fn new(settings: PolarisSettings) -> Result<Self, PolarisError> {
        let servers = address::servers(&settings.addresses, settings.tls.is_some())?;
        Client::new(&settings, servers.clone())?;
        Ok(Self { settings, servers })
    }
}

#[async_trait]
impl Source for Polaris {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    async fn watch(&self, interest: Arc<dyn Interest>, view: Arc<View>, stop: CancellationToken) {
        // A client of the watch's own: its connections go with it.
        match Client::new(&self.settings, self.servers.clone()) {
            Ok(client) => {
                let scopes = Scopes::new(&self.settings.namespaces, interest.as_ref());
                let mut poller = Poller::new(Arc::new(client), interest, view, scopes);
                stop.run_until_cancelled(poller.run()).await;
                poller.end().await;
            }
            // `new` has made the same before; only a lack of file handles or the like leads here.
            Err(error) => view.set_unknown(Scope::Source, error.to_string()),
        }
    }
}
