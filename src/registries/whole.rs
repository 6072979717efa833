//! A registry, or a part of it, read once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Interest, Source, Unknown, View};
use crate::guard::Scope;
use crate::model::ServiceKey;

/// How long a connection is given to end.
const LEAVING: Duration = Duration::from_secs(5);

/// Every service of every namespace.
struct Everything;

impl Interest for Everything {
    fn namespaces(&self) -> Option<BTreeSet<String>> {
        None
    }

    fn wants(&self, _key: &ServiceKey) -> bool {
        true
    }
}

/// A registry as it was read once.
pub struct ReadOnce {
    /// What was read.
    pub view: Arc<View>,
    /// What cannot be read.
    pub unknown: BTreeMap<Scope, Unknown>,
    /// All of it was tried in time.
    pub settled: bool,
}

/// Reads all that a registry shows, and leaves it.
pub async fn read_whole(name: &str, source: Arc<dyn Source>, patience: Duration) -> ReadOnce {
    read_once(name, source, Arc::new(Everything), patience).await
}

/// Reads what is wanted of a registry, and leaves it.
pub async fn read_once(
    name: &str,
    source: Arc<dyn Source>,
    wanted: Arc<dyn Interest>,
    patience: Duration,
) -> ReadOnce {
    let view = View::new(name);
    let stop = CancellationToken::new();
    let watching = tokio::spawn({
        let (view, stop) = (Arc::clone(&view), stop.clone());
        async move { source.watch(wanted, view, stop).await }
    });
    let mut progress = view.progress();
    let settled = timeout(patience, progress.wait_for(|progress| progress.settled)).await.is_ok();
    let unknown = view.unknowns();
    stop.cancel();
    let _ = timeout(LEAVING, watching).await;
    ReadOnce { view, unknown, settled }
}
