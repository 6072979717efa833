//! Which namespaces are read, and a watch on each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::names::Namespace;
use super::names_loop::NamesLoop;
use super::subscriber::Subscriber;
use super::{Health, Leg, NacosError, Shared};
use crate::guard::Scope;
use crate::registries::{Interest, View};

/// Between two readings of the list of namespaces.
const INTERVAL: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(2);

/// All namespaces of one registry that are read.
pub(super) struct Namespaces {
    shared: Arc<Shared>,
    interest: Arc<dyn Interest>,
    view: Arc<View>,
    /// Those that may be read; empty when any may.
    allowed: BTreeSet<Namespace>,
    watched: BTreeMap<Namespace, Watched>,
}

struct Watched {
    health: Arc<Health>,
    task: AbortOnDropHandle<()>,
}

impl Namespaces {
    pub(super) fn new(
        shared: Arc<Shared>,
        interest: Arc<dyn Interest>,
        view: Arc<View>,
        allowed: Vec<Namespace>,
    ) -> Self {
        Self { shared, interest, view, allowed: allowed.into_iter().collect(), watched: BTreeMap::new() }
    }

    /// Never returns; dropping the future is fine.
    pub(super) async fn run(&mut self) {
        if let Some(fixed) = self.fixed() {
            self.follow(fixed);
            return std::future::pending().await;
        }
        let health = Health::new(Arc::clone(&self.view), Scope::Source);
        loop {
            let pause = match self.shared.api.namespaces().await {
                Ok(ids) => {
                    self.follow(ids.iter().map(|id| Namespace::new(id)).collect());
                    health.sound(Leg::Names);
                    INTERVAL
                }
                // The watches on those that are known go on, and say themselves what they can't read.
                Err(error) if error.is_passing() && !self.watched.is_empty() => RETRY,
                Err(error) => {
                    health.failed(Leg::Names, &explained(error));
                    RETRY
                }
            };
            sleep(pause).await;
        }
    }

    /// Ends every watch and waits until none runs any more.
    pub(super) async fn end(self) {
        for (_, Watched { task, .. }) in self.watched {
            task.abort();
            // It was aborted, which is what it says.
            let _ = task.await;
        }
    }

    /// The namespaces, when no list is needed to know them.
    fn fixed(&self) -> Option<BTreeSet<Namespace>> {
        let wanted = self.interest.namespaces();
        let wanted = wanted.map(|keys| keys.iter().map(|key| Namespace::new(key)).collect::<BTreeSet<_>>());
        match wanted {
            Some(wanted) if self.allowed.is_empty() => Some(wanted),
            Some(wanted) => Some(wanted.intersection(&self.allowed).cloned().collect()),
            None if self.allowed.is_empty() => None,
            None => Some(self.allowed.clone()),
        }
    }

    fn follow(&mut self, namespaces: BTreeSet<Namespace>) {
        self.view.set_namespaces(namespaces.iter().map(|namespace| namespace.key.clone()).collect());
        self.watched.retain(|namespace, watched| {
            let stays = namespaces.contains(namespace);
            if !stays {
                watched.health.end();
            }
            stays
        });
        for namespace in namespaces {
            if !self.watched.contains_key(&namespace) {
                let watched = self.watch(namespace.clone());
                self.watched.insert(namespace, watched);
            }
        }
    }

    fn watch(&self, namespace: Namespace) -> Watched {
        let scope = Scope::Namespace(namespace.key.clone());
        let health = Arc::new(Health::new(Arc::clone(&self.view), scope));
        let wake = Arc::new(Notify::new());
        let (sender, receiver) = watch::channel(Arc::default());
        let (hidden, to_find) = mpsc::unbounded_channel();
        let names = NamesLoop {
            shared: Arc::clone(&self.shared),
            namespace: namespace.clone(),
            interest: Arc::clone(&self.interest),
            view: Arc::clone(&self.view),
            health: Arc::clone(&health),
            wake: Arc::clone(&wake),
            names: sender,
            hidden,
        };
        let subscriber = Subscriber {
            shared: Arc::clone(&self.shared),
            namespace,
            interest: Arc::clone(&self.interest),
            view: Arc::clone(&self.view),
            health: Arc::clone(&health),
            wake,
            names: receiver,
            hidden: to_find,
        };
        let task = tokio::spawn(async move {
            tokio::join!(names.run(), subscriber.run());
        });
        Watched { health, task: AbortOnDropHandle::new(task) }
    }
}

/// A user who may not list namespaces can name them.
fn explained(error: NacosError) -> NacosError {
    match error {
        NacosError::Denied { server, what, message } => {
            let message =
                format!("{message} (name them under the registry's `namespaces:`, which needs no list)");
            NacosError::Denied { server, what, message }
        }
        other => other,
    }
}
