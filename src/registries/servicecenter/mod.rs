//! Apache ServiceComb service-center.
//!
//! ```text
//!  watch ──list──▶ directory   which services there are, their versions and properties      ──names──▶ View
//!    │                                                                                                  ▲
//!    └───find────▶ copy        each service's instances by the server's revision; what moved ──snapshots┘
//!    ▲
//!  schedule                    how often, so that a server is never kept busy by us
//!
//!  writer ──find──▶ steps ──registry──▶ server     a service is read, what a change needs is found out, and done
//!                     ▲
//!                   form      a copy as an instance of service-center's
//! ```
//!
//! The server has no watch for all services: its websocket tells a consumer of the providers that it has looked up before, at the
//! price of a registered consumer and a dependency for each. So all wanted services are asked for again and again, many in one
//! request, each with the revision that we hold; what hasn't moved costs the server a look into its cache.
//!
//! `govern/microservices`, which the server's console calls, empties the properties in the cache that everybody is answered from (seen
//! in 1.4.8). It is never called here, and whatever shows no properties is read once more from the server's store.

mod answer;
mod copy;
mod directory;
mod error;
mod form;
mod http;
mod instance;
mod login;
mod registry;
mod schedule;
mod settings;
mod steps;
mod truth;
mod watch;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{Capabilities, Interest, MetadataKeys, Source, View, Weights};
use crate::guard::Scope;
use watch::Watch;

pub use error::ServiceCenterError;
pub use settings::ServiceCenterSettings;
pub use writer::ServiceCenterDestination;

const CAPABILITIES: Capabilities = Capabilities {
    kind: "servicecenter",
    push: false,
    weight: Weights::Any,
    unhealthy: true,
    isolation: true,
    metadata: MetadataKeys::Any,
    empty_services: true,
    absence_is_intent: false,
};

/// A service-center as a source.
pub struct ServiceCenter {
    settings: ServiceCenterSettings,
}

impl ServiceCenter {
    /// A service-center that hasn't been connected to yet.
    ///
    /// # Errors
    /// What in the settings can't be used: addresses, domain or project, the file of authorities, a user without a password.
    pub fn new(settings: ServiceCenterSettings) -> Result<Self, ServiceCenterError> {
        http::Http::new(&settings)?;
        Ok(Self { settings })
    }
}

#[async_trait]
impl Source for ServiceCenter {
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
