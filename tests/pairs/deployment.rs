//! Causeway in this process, from a document, with every write to a registry noted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::panicking;
use std::time::Duration;

use async_trait::async_trait;
use causeway::admin::Backend as _;
use causeway::config;
use causeway::model::{Instance, ServiceKey};
use causeway::reconcile::{Adapters, Built, Running, Supervisor};
use causeway::registries::{
    Capabilities, Change, Destination, InstanceCopy, Life, Renewed, Source, WriteError, Written,
};
use causeway_gateways::Gateway;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::stage::say;

/// From one audit to the next.
pub const AUDIT: Duration = Duration::from_secs(3);
/// So long, with an audit in it, nothing may be written before it counts as settled.
const QUIET: Duration = Duration::from_secs(5);
/// Far longer than anything takes to settle.
const LIMIT: Duration = Duration::from_secs(120);
const STEP: Duration = Duration::from_millis(50);

/// The document of these registries and tasks, each as it is written in a list.
pub fn document(registries: &[String], tasks: &[String]) -> String {
    let (registries, tasks) = (registries.join("\n  - "), tasks.join("\n  - "));
    let (owner, audit) = (crate::site::OWNER, AUDIT.as_secs());
    format!(
        r#"
version: 1
owner: {owner}
admin: {{ listen: "127.0.0.1:0" }}
registries:
  - {registries}
tasks:
  - {tasks}
methods: [ {{ type: watch, enable: true }}, {{ type: pull, enable: true, interval: {audit}s }} ]
health_check: {{ enable: false }}
"#
    )
}

/// A running Causeway.
pub struct Deployment {
    supervisor: Arc<Supervisor>,
    running: Running,
    notes: Notes,
}

/// What was written, by service.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<BTreeMap<String, Vec<String>>>>);

impl Notes {
    fn add(&self, registry: &str, key: &ServiceKey, change: &Change) {
        let what = match change {
            Change::Put(_) => "put",
            Change::Remove(_) => "remove",
        };
        let note = format!("{what} {} in {registry}", change.copy().instance.address);
        self.0.lock().unwrap().entry(key.service.clone()).or_default().push(note);
    }

    fn of(&self, service: &str) -> Vec<String> {
        self.0.lock().unwrap().get(service).cloned().unwrap_or_default()
    }
}

impl Deployment {
    pub async fn start(document: &str) -> Self {
        causeway_gateways::http::install_crypto();
        let config = config::parse(document, "pairs.yaml", &|_| None);
        let config = config.unwrap_or_else(|mistakes| panic!("{mistakes}\n{document}")).config;
        let notes = Notes::default();
        let supervisor = Supervisor::with_adapters(&config, &Noted(notes.clone())).unwrap();
        let running = supervisor.start();
        let deployment = Self { supervisor, running, notes };
        deployment.until_ready().await;
        deployment
    }

    async fn until_ready(&self) {
        let until = Instant::now() + LIMIT;
        while let Err(reason) = self.supervisor.ready() {
            assert!(Instant::now() < until, "its first pass is never done: {reason}");
            sleep(STEP).await;
        }
    }

    /// Dropped by a story that goes wrong, it says what was written to its service.
    pub fn witness(&self, service: &str) -> Witness {
        Witness { service: service.to_owned(), notes: self.notes.clone() }
    }

    /// Waits until nothing has been written to a service for a while; then nothing may be over five audits.
    pub async fn is_quiet(&self, service: &str) {
        let until = Instant::now() + LIMIT;
        let mut last = self.notes.of(service);
        loop {
            sleep(QUIET).await;
            let now = self.notes.of(service);
            if now == last {
                break;
            }
            assert!(Instant::now() < until, "{service} never settles: {now:?}");
            last = now;
        }
        sleep(AUDIT * 5).await;
        let after = self.notes.of(service);
        assert_eq!(after[last.len()..], [] as [String; 0], "{service} was settled");
    }

    pub async fn stop(self) {
        let cut_off = self.running.stop(Duration::from_secs(9)).await;
        assert!(cut_off.is_empty(), "{cut_off:?}");
    }
}

/// Says what was written to a service when a story goes wrong.
pub struct Witness {
    service: String,
    notes: Notes,
}

impl Drop for Witness {
    fn drop(&mut self) {
        if panicking() {
            say(&format!("written to {}: {:#?}", self.service, self.notes.of(&self.service)));
        }
    }
}

/// The adapters that are built, with every write noted.
struct Noted(Notes);

impl Adapters for Noted {
    fn source(&self, registry: &config::Registry) -> Result<Arc<dyn Source>, String> {
        Built.source(registry)
    }

    fn destination(&self, registry: &config::Registry) -> Result<Arc<dyn Destination>, String> {
        let (registry, inner) = (registry.name.clone(), Built.destination(registry)?);
        Ok(Arc::new(NotedDestination { registry, inner, notes: self.0.clone() }))
    }

    fn gateway(&self, gateway: &config::Gateway, owner: &str) -> Result<Arc<dyn Gateway>, String> {
        Built.gateway(gateway, owner)
    }
}

struct NotedDestination {
    registry: String,
    inner: Arc<dyn Destination>,
    notes: Notes,
}

#[async_trait]
impl Destination for NotedDestination {
    fn capabilities(&self) -> &'static Capabilities {
        self.inner.capabilities()
    }

    fn life(&self) -> Life {
        self.inner.life()
    }

    fn as_shown(&self, copy: &InstanceCopy) -> Instance {
        self.inner.as_shown(copy)
    }

    fn differs(&self, copy: &InstanceCopy, standing: &Instance) -> bool {
        self.inner.differs(copy, standing)
    }

    fn shows_within(&self, services: usize) -> Duration {
        self.inner.shows_within(services)
    }

    fn width(&self) -> usize {
        self.inner.width()
    }

    async fn write(&self, key: &ServiceKey, changes: &[Change]) -> Vec<Result<Written, WriteError>> {
        changes.iter().for_each(|change| self.notes.add(&self.registry, key, change));
        self.inner.write(key, changes).await
    }

    async fn renew(&self, copies: &[InstanceCopy]) -> Vec<Result<Renewed, WriteError>> {
        self.inner.renew(copies).await
    }

    async fn tend(&self, stop: CancellationToken) {
        self.inner.tend(stop).await;
    }
}
