//! What is written, and the cache from which all is read.

mod cache;
mod health;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use uuid::Uuid;

use super::clock::Clock;
use super::messages::{INSTANCE, Row};
use cache::Cache;
use health::Beats;

/// The server counts its own instance as healthy after this long.
const OWN_START: Duration = Duration::from_secs(7);

/// Namespace and name of a service.
pub(super) type Key = (String, String);

/// A namespace: what it was given, and its times.
#[derive(Debug, Clone)]
pub(super) struct Namespace {
    pub(super) row: Row,
    pub(super) token: String,
    pub(super) created: Duration,
    pub(super) changed: Duration,
}

/// A service: what it was given, its id, times and revision.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) id: String,
    pub(super) row: Row,
    pub(super) token: String,
    pub(super) created: Duration,
    pub(super) changed: Duration,
    pub(super) revision: String,
}

/// An instance: its fields, times and revision. One that was deleted stays for a while, since the cache must hear of it.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    pub(super) key: Key,
    /// `id` and all that it was given or has by default.
    pub(super) row: Row,
    pub(super) created: Duration,
    pub(super) changed: Duration,
    pub(super) revision: String,
    pub(super) deleted: bool,
}

impl Instance {
    pub(super) fn is_healthy(&self) -> bool {
        self.row["healthy"] == json!(true)
    }

    /// Changes it; what changed is what the cache loads.
    pub(super) fn change(&mut self, at: Duration, act: impl FnOnce(&mut Row)) {
        act(&mut self.row);
        self.changed = at;
        self.revision = random_id();
    }
}

/// All that one server holds.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) clock: Arc<Clock>,
    pub(super) namespaces: BTreeMap<String, Arc<Namespace>>,
    pub(super) services: BTreeMap<Key, Arc<Service>>,
    instances: BTreeMap<String, Arc<Instance>>,
    beats: BTreeMap<String, Beats>,
    pub(super) cache: Cache,
    /// The last whole second at which the cache was loaded.
    loaded: u64,
}

impl Store {
    /// A server's store with its own namespaces and instance. With `ghosts` it forgets deletions as the embedded one does.
    pub(super) fn new(clock: Arc<Clock>, ghosts: bool, own_port: u16) -> Self {
        let mut store = Self {
            clock,
            namespaces: BTreeMap::new(),
            services: BTreeMap::new(),
            instances: BTreeMap::new(),
            beats: BTreeMap::new(),
            cache: Cache::new(ghosts),
            loaded: 0,
        };
        store.seed(own_port);
        store.restart();
        store
    }

    fn seed(&mut self, port: u16) {
        for name in ["default", "Polaris"] {
            self.put_namespace(object(json!({ "name": name, "comment": "", "owners": "polaris" })));
        }
        let key = own_key();
        self.put_service(&key, object(json!({ "owners": "polaris" })));
        let metadata = json!({
            "build-revision": "v0.1.0", "polaris_service": "polaris.checker", "internal-lastheartbeat": "0",
        });
        let check = json!({ "type": "HEARTBEAT", "heartbeat": { "ttl": 5 } });
        let row = json!({
            "host": "127.0.0.1", "port": port, "protocol": "grpc", "version": "v0.1.0", "weight": 100,
            "healthy": false, "isolate": false, "enableHealthCheck": true, "healthCheck": check,
            "metadata": metadata,
        });
        self.put_instance(own_id(port), key, object(row));
        // It beats for itself.
        self.beats.clear();
    }

    /// The cache is read anew from what is stored, as when the server starts.
    pub(super) fn restart(&mut self) {
        self.cache.restart(&self.namespaces, &self.services, &self.instances);
        self.loaded = self.clock.now().as_secs();
    }

    /// Lets pass what has passed since the last request: every second health is checked and the cache loaded.
    pub(super) fn catch_up(&mut self) {
        let now = self.clock.now().as_secs();
        while self.loaded < now {
            self.loaded += 1;
            let at = Duration::from_secs(self.loaded);
            self.check_health(at);
            self.cache.load(at, &self.namespaces, &self.services, &mut self.instances);
            if self.beats.is_empty() && at > OWN_START {
                // Nothing happens by itself until the next request.
                self.loaded = now;
            }
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Creates a namespace or takes its place.
    pub(super) fn put_namespace(&mut self, row: Row) -> Arc<Namespace> {
        let now = self.now();
        let name = text(&row, "name").to_owned();
        let namespace = Arc::new(Namespace { row, token: random_id(), created: now, changed: now });
        self.namespaces.insert(name, Arc::clone(&namespace));
        namespace
    }

    /// Creates a service, and its namespace where that is missing.
    pub(super) fn put_service(&mut self, key: &Key, given: Row) -> Arc<Service> {
        if !self.namespaces.contains_key(&key.0) {
            self.put_namespace(object(json!({ "name": key.0, "comment": "", "owners": "" })));
        }
        let now = self.now();
        let mut row = Row::new();
        for name in SERVICE_TEXTS {
            row.insert((*name).to_owned(), json!(""));
        }
        row.extend(given);
        row.insert("namespace".to_owned(), json!(key.0));
        row.insert("name".to_owned(), json!(key.1));
        let (id, token, revision) = (random_id(), random_id(), random_id());
        let service = Arc::new(Service { id, row, token, created: now, changed: now, revision });
        self.services.insert(key.clone(), Arc::clone(&service));
        service
    }

    /// Registers an instance or takes its place, with the fields that `row` has.
    pub(super) fn put_instance(&mut self, id: String, key: Key, row: Row) {
        let now = self.now();
        self.follow_beats(&id, &row);
        let mut whole = INSTANCE.unset();
        whole.extend(row);
        let parts = [("id", &id), ("namespace", &key.0), ("service", &key.1)];
        whole.extend(parts.map(|(name, value)| (name.to_owned(), json!(value))));
        let (created, revision) = (now, random_id());
        let instance = Instance { key, row: whole, created, changed: now, revision, deleted: false };
        self.instances.insert(id, Arc::new(instance));
    }

    /// The ids of what is registered and fits.
    pub(super) fn ids(&self, fits: impl Fn(&Instance) -> bool) -> Vec<String> {
        let standing = self.instances.iter().filter(|(_, instance)| !instance.deleted && fits(instance));
        standing.map(|(id, _)| id.clone()).collect()
    }

    /// What is registered under an id.
    pub(super) fn instance(&self, id: &str) -> Option<&Instance> {
        self.instances.get(id).map(Arc::as_ref).filter(|instance| !instance.deleted)
    }

    /// The same, to be changed.
    pub(super) fn instance_mut(&mut self, id: &str) -> Option<&mut Instance> {
        self.instances.get_mut(id).map(Arc::make_mut).filter(|instance| !instance.deleted)
    }

    /// Deletes an instance. That is no change of it, so the time of its last change stays.
    pub(super) fn delete_instance(&mut self, id: &str) {
        self.beats.remove(id);
        if let Some(instance) = self.instance_mut(id) {
            instance.deleted = true;
        }
    }
}

/// The texts that a stored service always has.
const SERVICE_TEXTS: &[&str] = &[
    "ports",
    "business",
    "department",
    "cmdb_mod1",
    "cmdb_mod2",
    "cmdb_mod3",
    "comment",
    "owners",
    "platform_id",
];

fn own_key() -> Key {
    ("Polaris".to_owned(), "polaris.checker".to_owned())
}

fn own_id(port: u16) -> String {
    instance_id(&own_key(), None, "127.0.0.1", u32::from(port))
}

/// The id that the server gives to an instance.
pub(super) fn instance_id(key: &Key, vpc: Option<&str>, host: &str, port: u32) -> String {
    let (namespace, service) = key;
    let vpc = vpc.map(|vpc| format!("##{vpc}")).unwrap_or_default();
    hex(&Sha1::digest(format!("{namespace}##{service}{vpc}##{host}##{port}")))
}

/// 32 hexadecimal digits that nothing else has.
pub(super) fn random_id() -> String {
    Uuid::new_v4().simple().to_string()
}

/// A revision over others, whatever their order.
pub(super) fn common_revision<'a>(revisions: impl Iterator<Item = &'a str>) -> String {
    let mut all: Vec<&str> = revisions.collect();
    all.sort_unstable();
    hex(&Sha1::digest(all.concat()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A text of a row, empty where it is unset.
pub(super) fn text<'a>(row: &'a Row, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The members of a JSON object.
pub(super) fn object(value: Value) -> Row {
    match value {
        Value::Object(members) => members,
        _ => Row::new(),
    }
}
