//! A registry in memory: what it holds, whether it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use causeway::guard::Scope;
use causeway::model::{Instance, ServiceKey, Snapshot};
use causeway::registries::{Capabilities, Interest, MetadataKeys, Source, View, Weights};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

static CAPABILITIES: Capabilities = Capabilities {
    kind: "model",
    push: true,
    weight: Weights::Any,
    unhealthy: true,
    isolation: true,
    metadata: MetadataKeys::Any,
    empty_services: false,
    absence_is_intent: false,
};

#[derive(Clone, Default, Debug)]
pub struct Content {
    pub services: BTreeMap<ServiceKey, Vec<Instance>>,
    pub down: bool,
}

#[derive(Clone)]
pub struct ModelRegistry {
    content: Arc<Mutex<Content>>,
    changed: watch::Sender<u64>,
}

impl Default for ModelRegistry {
    fn default() -> Self {
        Self { content: Arc::default(), changed: watch::channel(0).0 }
    }
}

impl ModelRegistry {
    /// Changes what it holds; watchers see it at once, unless it is down.
    pub fn change<T>(&self, act: impl FnOnce(&mut Content) -> T) -> T {
        let done = act(&mut self.content.lock().unwrap());
        self.changed.send_modify(|version| *version += 1);
        done
    }

    pub fn content(&self) -> Content {
        self.content.lock().unwrap().clone()
    }

    fn tell(&self, interest: &dyn Interest, view: &View, seen: &mut BTreeSet<ServiceKey>) {
        let content = self.content();
        if content.down {
            view.set_unknown(Scope::Source, "connection refused");
            return;
        }
        view.set_known(&Scope::Source);
        let wanted: BTreeMap<_, _> =
            content.services.into_iter().filter(|(key, _)| interest.wants(key)).collect();
        let mut names: BTreeMap<String, BTreeSet<String>> =
            BTreeMap::from([("default".to_owned(), BTreeSet::new())]);
        for namespace in interest.namespaces().into_iter().flatten() {
            names.entry(namespace).or_default();
        }
        for key in wanted.keys() {
            names.entry(key.namespace.clone()).or_default().insert(key.service.clone());
        }
        view.set_namespaces(names.keys().cloned().collect());
        for (namespace, services) in names {
            view.set_names(&namespace, services);
        }
        for (key, instances) in wanted {
            seen.insert(key.clone());
            view.publish(Snapshot::new(key, instances));
        }
    }
}

#[async_trait]
impl Source for ModelRegistry {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    async fn watch(&self, interest: Arc<dyn Interest>, view: Arc<View>, stop: CancellationToken) {
        let mut changed = self.changed.subscribe();
        let mut seen = BTreeSet::new();
        loop {
            changed.mark_unchanged();
            self.tell(interest.as_ref(), &view, &mut seen);
            tokio::select! {
                _ = changed.changed() => {}
                () = stop.cancelled() => return,
            }
        }
    }
}
