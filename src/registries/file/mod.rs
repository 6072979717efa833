//! Services and instances in a YAML or JSON file, or a folder of them, kept by people or by other programs.
//!
//! ```text
//!  notify ─┐
//!          ├─wake─▶ files (read, settle) ──▶ document (mistakes with places) ──▶ state ──▶ View
//!  poll  ──┘        (I/O)                    (pure)                             (pure)
//! ```
//!
//! The file system's own events make a change show at once; the poll sees what they cannot tell (NFS, links that are swapped
//! far away).

mod document;
mod files;
mod state;
mod watcher;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::files::Settling;
use self::state::State;
use self::watcher::Watcher;
use super::{Capabilities, Interest, MetadataKeys, Source, View, Weights};
use crate::guard::Scope;
use crate::model::{ServiceKey, Snapshot};

/// What a file can tell.
pub const CAPABILITIES: Capabilities = Capabilities {
    kind: "file",
    push: true,
    weight: Weights::Any,
    unhealthy: true,
    isolation: true,
    metadata: MetadataKeys::Any,
    empty_services: true,
    absence_is_intent: true,
};

/// Time between two looks at the files when no event came.
const POLL: Duration = Duration::from_millis(500);

/// How long events gather before a look: writing a file makes several, and a busy folder makes them all the time.
const GATHER: Duration = Duration::from_millis(5);

/// A registry in files.
#[derive(Clone, Debug)]
pub struct FileRegistry {
    path: PathBuf,
    namespaces: BTreeSet<String>,
}

impl FileRegistry {
    /// The registry in the file or folder `path`, relative to the working directory. Of other namespaces than `namespaces`
    /// nothing is shown; none named means all.
    pub fn new(path: impl Into<PathBuf>, namespaces: impl IntoIterator<Item = String>) -> Self {
        Self { path: path.into(), namespaces: namespaces.into_iter().collect() }
    }

    fn reads(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.contains(namespace)
    }

    /// The wanted services, by namespace. One that is wanted by name is listed even where the files don't mention it: then it is
    /// known to have no services.
    fn wanted(&self, interest: &dyn Interest, state: &State) -> Wanted {
        let named = interest.namespaces().into_iter().flatten();
        let mut wanted: Wanted = named.map(|namespace| (namespace, BTreeSet::new())).collect();
        for key in state.services().keys() {
            let services = wanted.entry(key.namespace.clone()).or_default();
            if interest.wants(key) {
                services.insert(key.service.clone());
            }
        }
        wanted.retain(|namespace, _| self.reads(namespace));
        wanted
    }
}

/// Names of services by namespace.
type Wanted = BTreeMap<String, BTreeSet<String>>;

#[async_trait]
impl Source for FileRegistry {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    async fn watch(&self, interest: Arc<dyn Interest>, view: Arc<View>, stop: CancellationToken) {
        let mut watcher = Watcher::new(&self.path);
        let mut reader = Reader { registry: self, interest, view, state: State::default() };
        let mut disk = Settling::default();
        loop {
            watcher.follow().await;
            let settled = disk.observe(files::read(&self.path).await, Instant::now());
            reader.tell(settled.changed, &disk);
            let next = settled.again.unwrap_or_else(|| Instant::now() + POLL);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(next) => {}
                () = watcher.event(), if settled.again.is_none() => tokio::time::sleep(GATHER).await,
            }
        }
    }
}

/// Tells the view what has changed.
struct Reader<'a> {
    registry: &'a FileRegistry,
    interest: Arc<dyn Interest>,
    view: Arc<View>,
    state: State,
}

impl Reader<'_> {
    fn tell(&mut self, changed: bool, disk: &Settling) {
        if !changed {
            return;
        }
        self.state.update(disk);
        let wanted = self.registry.wanted(self.interest.as_ref(), &self.state);
        self.tell_trouble();
        self.publish(&wanted);
        if self.state.broken().is_none() {
            self.view.set_known(&Scope::Source);
        }
    }

    fn tell_trouble(&self) {
        let before = self.view.unknowns().remove(&Scope::Source).map(|unknown| unknown.reason);
        let registry = self.view.registry();
        match self.state.broken() {
            Some(reason) if before.as_ref() != Some(&reason) => {
                for mistake in self.state.mistakes() {
                    tracing::warn!(registry, "{mistake}");
                }
                self.view.set_unknown(Scope::Source, reason);
            }
            _ => {}
        }
    }

    /// Names come first, so that no service is shown before it is known to be listed; but a list of names is complete only when
    /// every file was good at some time.
    fn publish(&self, wanted: &Wanted) {
        if self.state.complete_once() {
            self.view.set_namespaces(wanted.keys().cloned().collect());
            for (namespace, services) in wanted {
                self.view.set_names(namespace, services.clone());
            }
        }
        let keys = wanted
            .iter()
            .flat_map(|(namespace, services)| services.iter().map(move |s| ServiceKey::new(namespace, s)));
        // Of many services few have changed: the others are not copied to find that out, and what is published is not held up
        // by the search for more.
        let changed: Vec<Snapshot> = keys.filter_map(|key| self.changed(key)).collect();
        for snapshot in changed {
            self.view.publish(snapshot);
        }
    }

    /// A service as the files show it, where the view shows it otherwise.
    fn changed(&self, key: ServiceKey) -> Option<Snapshot> {
        let instances = self.state.services().get(&key)?;
        let known = self.view.reading(&key).is_some_and(|known| known.snapshot.instances == *instances);
        (!known).then(|| Snapshot::new(key, instances.values().cloned()))
    }
}
