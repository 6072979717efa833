//! Netflix Eureka, as Spring Cloud and Netflix serve it.
//!
//! ```text
//!  schedule: all, or what changed? ──▶ http ──▶ answer ──▶ copy ──names, snapshots──▶ View
//!      ▲                                                    │
//!      └───────── another start, another hash: all ─────────┘
//! ```
//!
//! A Eureka pushes nothing: it is asked at each `poll_interval` for what changed, and now and then for everything.

mod answer;
mod copy;
mod error;
mod http;
mod instance;
mod schedule;
mod settings;
mod watch;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{Capabilities, Interest, MetadataKeys, Source, View, Weights};
use crate::guard::Scope;
use watch::Watch;

pub use error::EurekaError;
pub use settings::EurekaSettings;
pub use write::EurekaDestination;

const CAPABILITIES: Capabilities = Capabilities {
    kind: "eureka",
    push: false,
    weight: Weights::Whole,
    unhealthy: true,
    isolation: true,
    metadata: MetadataKeys::Any,
    empty_services: false,
    absence_is_intent: false,
};

/// A Eureka as a source.
pub struct Eureka {
    settings: EurekaSettings,
}

impl Eureka {
    /// A Eureka that hasn't been connected to yet.
    ///
    /// # Errors
    /// What in the settings can't be used: addresses, the file of authorities, more than one namespace.
    pub fn new(settings: EurekaSettings) -> Result<Self, EurekaError> {
        settings.servers()?;
        settings.namespace()?;
        http::Http::new(&settings)?;
        Ok(Self { settings })
    }
}

#[async_trait]
impl Source for Eureka {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    async fn watch(&self, interest: Arc<dyn Interest>, view: Arc<View>, stop: CancellationToken) {
        match Watch::new(&self.settings, interest, Arc::clone(&view)) {
            Ok(mut watch) => drop(stop.run_until_cancelled(watch.run()).await),
            // `new` has made the same before; only a lack of file handles or the like leads here.
            Err(error) => view.set_unknown(Scope::Source, error.to_string()),
        }
    }
}
