//! What all parts of one watch share.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::sync::{Notify, watch};

use super::http::Http;
use super::{ConsulError, ConsulSettings};
use crate::model::ServiceKey;
use crate::registries::{Interest, View};

/// It goes with the watch, and its HTTP connections with it.
pub(super) struct Shared {
    pub(super) http: Http,
    pub(super) namespace: String,
    pub(super) filter: Option<String>,
    pub(super) interest: Arc<dyn Interest>,
    pub(super) view: Arc<View>,
    /// The wanted services.
    pub(super) names: watch::Sender<Arc<BTreeSet<String>>>,
    /// The list of services can be read. What fails while it can't says nothing of its own.
    pub(super) sound: watch::Sender<bool>,
    /// How often the server was seen to go or to be set back: an index from before says nothing of what it holds since.
    outages: AtomicU64,
    /// A query failed: the list is read at once, to find out whether everything does.
    pub(super) suspicion: Notify,
    /// Goes up whenever a table of the catalogue has moved, so that any service may have changed.
    pub(super) moved: watch::Sender<u64>,
    /// There are more services than places, so the tables are watched.
    pub(super) crowded: watch::Sender<bool>,
}

impl Shared {
    pub(super) fn new(
        settings: &ConsulSettings,
        interest: Arc<dyn Interest>,
        view: Arc<View>,
    ) -> Result<Arc<Self>, ConsulError> {
        Ok(Arc::new(Self {
            http: Http::new(settings)?,
            namespace: settings.namespace()?,
            filter: settings.filter.clone(),
            interest,
            view,
            names: watch::Sender::default(),
            sound: watch::Sender::new(true),
            outages: AtomicU64::new(0),
            suspicion: Notify::new(),
            moved: watch::Sender::default(),
            crowded: watch::Sender::new(false),
        }))
    }

    pub(super) fn key(&self, service: &str) -> ServiceKey {
        ServiceKey::new(&self.namespace, service)
    }

    pub(super) fn outages(&self) -> u64 {
        self.outages.load(Ordering::SeqCst)
    }

    /// The server was seen to go or to be set back.
    pub(super) fn note_outage(&self) {
        self.outages.fetch_add(1, Ordering::SeqCst);
    }

    /// Any service may have changed.
    pub(super) fn note_move(&self) {
        self.moved.send_modify(|moves| *moves += 1);
    }
}

/// Waits between tries of what failed.
pub(super) fn retry_waits(first: Duration, last: Duration) -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(first)
        .with_max_delay(last)
        .with_jitter()
        .without_max_times()
        .build()
}
