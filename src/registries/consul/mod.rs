//! HashiCorp Consul.
//!
//! ```text
//!  names     one waiting query for the list of services ──names, health──▶ View
//!    │                                                                      ▲
//!    ▼                       ┌─ follower: a waiting query of its own ───────┤
//!  watch ── places: who? ────┤                                              │ snapshots
//!    ▲                       └─ rotation: read in turn, when something ─────┘
//!    │                          has moved
//!  tables    waiting queries for checks and nodes, while not every service has a place
//! ```
//!
//! A waiting ("blocking") query costs a connection, and a server allows one client 200 of them. So the services that change have a
//! query each, and the others are read in turn, all within 20 s for 10,000, and only when something in the catalogue has moved.

mod entry;
mod error;
mod follower;
mod http;
mod index;
mod names;
mod places;
mod reader;
mod rotation;
mod settings;
mod shared;
mod tables;
mod watch;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{Capabilities, Interest, MetadataKeys, Source, View, Weights};
use crate::guard::Scope;
use http::Http;
use shared::Shared;
use watch::Watch;

pub use error::ConsulError;
pub use settings::ConsulSettings;
pub use write::ConsulDestination;

const CAPABILITIES: Capabilities = Capabilities {
    kind: "consul",
    push: true,
    weight: Weights::Whole,
    unhealthy: true,
    isolation: true,
    metadata: MetadataKeys::Plain,
    empty_services: false,
    absence_is_intent: false,
};

/// A Consul as a source.
pub struct Consul {
    settings: ConsulSettings,
}

impl Consul {
    /// A Consul that hasn't been connected to yet.
    ///
    /// # Errors
    /// What in the settings can't be used: addresses, the file of authorities, the token, more than one namespace.
    pub fn new(settings: ConsulSettings) -> Result<Self, ConsulError> {
        settings.namespace()?;
        Http::new(&settings)?;
        Ok(Self { settings })
    }
}

#[async_trait]
impl Source for Consul {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    async fn watch(&self, interest: Arc<dyn Interest>, view: Arc<View>, stop: CancellationToken) {
        match Shared::new(&self.settings, interest, Arc::clone(&view)) {
            Ok(shared) => {
                let mut watch = Watch::new(shared, self.settings.places);
                stop.run_until_cancelled(watch.run()).await;
                watch.end().await;
            }
            // `new` has made the same before; only a lack of file handles or the like leads here.
            Err(error) => view.set_unknown(Scope::Source, error.to_string()),
        }
    }
}
