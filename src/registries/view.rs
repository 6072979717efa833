//! One registry as last read: written by its adapter, read by every task.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::PutOff;
use crate::guard::Scope;
use crate::model::{ServiceKey, Snapshot};

/// Something a task should look at. Only a hint: the task reads the latest state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewEvent {
    /// A service's snapshot changed, or it was read for the first time.
    Service(ServiceKey),
    /// A scope cannot be read: its last snapshots stay in force, and nothing of it is removed.
    Unknown(Scope),
    /// A scope can be read again.
    Known(Scope),
    /// The server was seen starting or set back: what it forgot may come back.
    Reset(Scope),
}

/// The last complete view of one service.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What it showed.
    pub snapshot: Arc<Snapshot>,
    /// When it arrived.
    pub arrived: Instant,
    /// Whether the last complete list of names holds the service. One that is listed and empty keeps its objects.
    pub listed: bool,
}

/// Why a scope cannot be read at present.
#[derive(Clone, Debug)]
pub struct Unknown {
    /// The adapter's words, for people.
    pub reason: String,
    /// Since when.
    pub since: Instant,
    /// It was unknown before, for another reason.
    pub retold: bool,
}

/// How far the first complete reading has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Services read completely.
    pub read: usize,
    /// Services known by name.
    pub named: usize,
    /// Every namespace is listed, and every listed service is read.
    pub complete: bool,
    /// As `complete`, but for scopes that were tried and cannot be read.
    pub settled: bool,
}

/// One registry as last read. Unknown is not empty: whatever cannot be read keeps its last snapshot.
pub struct View {
    registry: String,
    state: Mutex<State>,
    progress: watch::Sender<Progress>,
    put_off: PutOff,
}

#[derive(Default)]
struct State {
    namespaces: Option<BTreeSet<String>>,
    names: BTreeMap<String, Names>,
    readings: BTreeMap<ServiceKey, Stored>,
    unread: usize,
    unknown: BTreeMap<Scope, Unknown>,
    subscribers: Vec<mpsc::UnboundedSender<ViewEvent>>,
}

struct Stored {
    snapshot: Arc<Snapshot>,
    arrived: Instant,
}

struct Names {
    services: BTreeSet<String>,
    listed: Instant,
}

impl View {
    /// An empty view: nothing is known yet.
    pub fn new(registry: impl Into<String>) -> Arc<Self> {
        let (progress, _) = watch::channel(Progress::default());
        Arc::new(Self {
            registry: registry.into(),
            state: Mutex::default(),
            progress,
            put_off: PutOff::default(),
        })
    }

    /// The registry's configured name.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// What its adapter need not read at once.
    pub fn put_off(&self) -> &PutOff {
        &self.put_off
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- what the adapter tells

    /// The complete set of namespaces that the adapter reads. Services of one that is no longer in it are complete and empty.
    pub fn set_namespaces(&self, namespaces: BTreeSet<String>) {
        let mut state = self.lock();
        let gone: Vec<String> = state.names.keys().filter(|n| !namespaces.contains(*n)).cloned().collect();
        for namespace in gone {
            state.list(&namespace, BTreeSet::new());
        }
        state.namespaces = Some(namespaces);
        self.report(&state);
    }

    /// The complete list of the wanted services in one namespace. One that was shown and is absent is complete and empty.
    pub fn set_names(&self, namespace: &str, services: BTreeSet<String>) {
        let mut state = self.lock();
        state.list(namespace, services);
        self.report(&state);
    }

    /// A complete view of one service. An equal one changes nothing and wakes nobody.
    pub fn publish(&self, snapshot: Snapshot) {
        let key = snapshot.key.clone();
        let mut state = self.lock();
        state.clear_unknown(&Scope::Service(key.clone()));
        let changed = state.store(snapshot);
        self.report(&state);
        drop(state);
        if changed {
            tracing::debug!(registry = %self.registry, service = %key, "changed");
        }
    }

    /// A scope cannot be read: failed, partial, timed out, or filtered by the server. Its last snapshots stay in force.
    /// Told again with the same reason it wakes nobody, so that each change of state is told once.
    pub fn set_unknown(&self, scope: Scope, reason: impl Into<String>) {
        let mut state = self.lock();
        let reason = reason.into();
        let before = state.unknown.get(&scope);
        if before.is_some_and(|unknown| unknown.reason == reason) {
            return;
        }
        let since = before.map_or_else(Instant::now, |unknown| unknown.since);
        let retold = before.is_some();
        state.unknown.insert(scope.clone(), Unknown { reason, since, retold });
        state.wake(&ViewEvent::Unknown(scope));
        self.report(&state);
    }

    /// A scope's connection or watch stands again; snapshots follow as they are read.
    pub fn set_known(&self, scope: &Scope) {
        self.lock().clear_unknown(scope);
    }

    /// The server was seen starting, or an epoch, index or revision of it went back: what it forgot may come back.
    pub fn reset(&self, scope: Scope) {
        self.lock().wake(&ViewEvent::Reset(scope));
    }

    // ---- what tasks read

    /// The last complete view of a service; `None` while it has never been read. A service that a complete list of names does not hold reads as empty.
    pub fn reading(&self, key: &ServiceKey) -> Option<Reading> {
        let state = self.lock();
        let names = state.names.get(&key.namespace);
        let listed = names.is_some_and(|names| names.services.contains(&key.service));
        if let Some(stored) = state.readings.get(key) {
            return Some(Reading { snapshot: Arc::clone(&stored.snapshot), arrived: stored.arrived, listed });
        }
        let absent = || Arc::new(Snapshot::empty(key.clone()));
        names.filter(|_| !listed).map(|names| Reading { snapshot: absent(), arrived: names.listed, listed })
    }

    /// Whether the registry was seen to have no such namespace.
    pub fn lacks_namespace(&self, namespace: &str) -> bool {
        self.lock().namespaces.as_ref().is_some_and(|namespaces| !namespaces.contains(namespace))
    }

    /// Every service that has been read or is listed.
    pub fn services(&self) -> BTreeSet<ServiceKey> {
        let state = self.lock();
        let listed = state
            .names
            .iter()
            .flat_map(|(namespace, n)| n.services.iter().map(move |s| ServiceKey::new(namespace, s)));
        listed.chain(state.readings.keys().cloned()).collect()
    }

    /// Why a service cannot be read at present, by the widest scope that says so.
    pub fn unknown(&self, key: &ServiceKey) -> Option<Unknown> {
        let state = self.lock();
        let scopes = [Scope::Source, Scope::Namespace(key.namespace.clone()), Scope::Service(key.clone())];
        scopes.iter().find_map(|scope| state.unknown.get(scope).cloned())
    }

    /// Every scope that cannot be read at present.
    pub fn unknowns(&self) -> BTreeMap<Scope, Unknown> {
        self.lock().unknown.clone()
    }

    /// How far the first complete reading has come, as it goes on.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Wakes from now on. What was read before is found by [`View::services`].
    pub fn subscribe(&self) -> mpsc::UnboundedReceiver<ViewEvent> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.lock().subscribers.push(sender);
        receiver
    }

    fn report(&self, state: &State) {
        let now = state.progress();
        self.progress.send_if_modified(|old| std::mem::replace(old, now) != now);
    }
}

impl State {
    fn list(&mut self, namespace: &str, services: BTreeSet<String>) {
        let listed = Instant::now();
        let gone: Vec<ServiceKey> = self
            .readings
            .keys()
            .filter(|key| key.namespace == namespace && !services.contains(&key.service))
            .cloned()
            .collect();
        self.names.insert(namespace.to_owned(), Names { services, listed });
        for key in gone {
            self.clear_unknown(&Scope::Service(key.clone()));
            self.store(Snapshot::empty(key));
        }
        self.unread = self.unread_keys().count();
    }

    /// Keeps a snapshot; whether it shows something else than the last.
    fn store(&mut self, snapshot: Snapshot) -> bool {
        let key = snapshot.key.clone();
        let before = self.readings.get(&key);
        let first = before.is_none();
        if before.is_some_and(|old| old.snapshot.same_instances(&snapshot)) {
            return false;
        }
        self.readings.insert(key.clone(), Stored { snapshot: Arc::new(snapshot), arrived: Instant::now() });
        if first && self.names.get(&key.namespace).is_some_and(|n| n.services.contains(&key.service)) {
            self.unread = self.unread.saturating_sub(1);
        }
        self.wake(&ViewEvent::Service(key));
        true
    }

    fn clear_unknown(&mut self, scope: &Scope) {
        if self.unknown.remove(scope).is_some() {
            self.wake(&ViewEvent::Known(scope.clone()));
        }
    }

    fn wake(&mut self, event: &ViewEvent) {
        self.subscribers.retain(|subscriber| subscriber.send(event.clone()).is_ok());
    }

    fn progress(&self) -> Progress {
        let named: usize = self.names.values().map(|n| n.services.len()).sum();
        let listed = |n: &String| self.names.contains_key(n);
        let namespaces = self.namespaces.iter().flatten();
        let complete = self.namespaces.is_some() && self.unread == 0 && namespaces.clone().all(listed);
        Progress {
            read: named - self.unread.min(named),
            named,
            complete,
            settled: complete || self.settled(),
        }
    }

    /// What is not read yet has been tried, and is reported as unknown.
    fn settled(&self) -> bool {
        // Asked after each reading: without this a first pass would walk through all names for each of them.
        if self.unknown.is_empty() {
            return false;
        }
        let unknown = |scope: &Scope| self.unknown.contains_key(scope);
        if unknown(&Scope::Source) {
            return true;
        }
        let dark = |namespace: &String| unknown(&Scope::Namespace(namespace.clone()));
        let Some(namespaces) = &self.namespaces else { return false };
        namespaces.iter().all(|n| self.names.contains_key(n) || dark(n))
            && self.unread_keys().all(|key| dark(&key.namespace) || unknown(&Scope::Service(key)))
    }

    fn unread_keys(&self) -> impl Iterator<Item = ServiceKey> {
        let listed = self
            .names
            .iter()
            .flat_map(|(namespace, n)| n.services.iter().map(move |s| ServiceKey::new(namespace, s)));
        listed.filter(|key| !self.readings.contains_key(key))
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{Address, Instance};

    use super::*;

    fn names(services: &[&str]) -> BTreeSet<String> {
        services.iter().map(|s| (*s).to_owned()).collect()
    }

    fn shown(service: &str, hosts: &[&str]) -> Snapshot {
        let instances = hosts.iter().map(|host| Instance::new(Address::new(*host, 80)));
        Snapshot::new(ServiceKey::new("n", service), instances)
    }

    #[test]
    fn unread_is_not_empty_but_absent_from_a_complete_list_is() {
        let view = View::new("r");
        let key = ServiceKey::new("n", "a");
        assert!(view.reading(&key).is_none());
        view.set_namespaces(names(&["n"]));
        view.set_names("n", names(&["a"]));
        assert!(view.reading(&key).is_none(), "listed, not read yet");
        assert!(!view.progress().borrow().complete);
        assert!(view.reading(&ServiceKey::new("n", "b")).unwrap().snapshot.instances.is_empty());
        assert!(view.reading(&ServiceKey::new("m", "b")).is_none(), "its namespace was never listed");
        assert!(view.lacks_namespace("m") && !view.lacks_namespace("n"));
        view.publish(shown("a", &["x"]));
        let progress = *view.progress().borrow();
        assert_eq!(progress, Progress { read: 1, named: 1, complete: true, settled: true });
        assert!(view.reading(&key).unwrap().listed);
    }

    #[test]
    fn only_changes_wake_and_a_vanished_name_reads_as_empty() {
        let view = View::new("r");
        let key = ServiceKey::new("n", "a");
        view.set_names("n", names(&["a"]));
        view.publish(shown("a", &["x"]));
        let mut events = view.subscribe();
        view.publish(shown("a", &["x"]));
        assert!(events.try_recv().is_err());
        view.set_names("n", names(&[]));
        assert_eq!(events.try_recv().unwrap(), ViewEvent::Service(key.clone()));
        let reading = view.reading(&key).unwrap();
        assert!(reading.snapshot.instances.is_empty() && !reading.listed);
    }

    #[test]
    fn a_failed_scope_is_told_once_known_and_keeps_its_snapshot() {
        let view = View::new("r");
        let key = ServiceKey::new("n", "a");
        view.set_namespaces(names(&["n", "m"]));
        view.set_names("n", names(&["a"]));
        view.publish(shown("a", &["x"]));
        assert!(!view.progress().borrow().settled, "m was not tried yet");
        view.set_unknown(Scope::Namespace("m".into()), "no right to read it");
        assert!(view.progress().borrow().settled && !view.progress().borrow().complete);
        let mut events = view.subscribe();
        view.set_unknown(Scope::Source, "connection refused");
        assert_eq!(view.unknown(&key).unwrap().reason, "connection refused");
        assert_eq!(view.reading(&key).unwrap().snapshot.instances.len(), 1);
        view.set_known(&Scope::Source);
        view.set_known(&Scope::Source);
        assert_eq!(events.try_recv().unwrap(), ViewEvent::Unknown(Scope::Source));
        assert_eq!(events.try_recv().unwrap(), ViewEvent::Known(Scope::Source));
        assert!(events.try_recv().is_err());
        assert!(view.unknown(&key).is_none());
    }
}
