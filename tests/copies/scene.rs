//! Servers by the names of the configured registries, and Causeway between them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use causeway::admin::Backend as _;
use causeway::config::{self, Config};
use causeway::model::{Address, Instance, Weight};
use causeway::reconcile::{Adapters, Running, Status, Supervisor};
use causeway::registries::{Destination, Source};
use causeway_gateways::Gateway;
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::server::Server;

const GRACE: Duration = Duration::from_secs(8);

/// The server of each registry.
#[derive(Clone, Default)]
pub struct Scene(pub BTreeMap<String, Server>);

/// A Causeway at work. Dropped, it is killed.
pub struct Deployment {
    pub supervisor: Arc<Supervisor>,
    running: Running,
}

impl Adapters for Scene {
    fn source(&self, registry: &config::Registry) -> Result<Arc<dyn Source>, String> {
        Ok(Arc::new(self.0[&registry.name].clone()))
    }

    fn destination(&self, registry: &config::Registry) -> Result<Arc<dyn Destination>, String> {
        Ok(Arc::new(self.0[&registry.name].clone()))
    }

    fn gateway(&self, gateway: &config::Gateway, _: &str) -> Result<Arc<dyn Gateway>, String> {
        Err(format!("{} is none of this scene", gateway.name))
    }
}

impl Scene {
    pub fn of(names: &[&str]) -> Self {
        Self(names.iter().map(|name| ((*name).to_owned(), Server::default())).collect())
    }

    pub fn server(&self, name: &str) -> Server {
        self.0[name].clone()
    }

    /// Reads everything once, as the commands do that don't keep running. The watches end with the guard.
    pub async fn look(&self, config: &Config) -> (Arc<Supervisor>, DropGuard) {
        let supervisor = Supervisor::for_one_pass_with(config, None, self).unwrap();
        let stop = CancellationToken::new();
        supervisor.read_once(Duration::from_secs(30), &stop).await.unwrap();
        (supervisor, stop.drop_guard())
    }

    pub fn deploy(&self, config: &Config) -> Deployment {
        let supervisor = Supervisor::with_adapters(config, self).unwrap();
        let running = supervisor.start();
        Deployment { supervisor, running }
    }
}

impl Deployment {
    pub fn status(&self) -> Status {
        self.supervisor.status()
    }

    /// Ends it as SIGTERM does.
    pub async fn end(self) {
        assert_eq!(self.running.stop(GRACE).await, Vec::<String>::new());
    }
}

/// A configuration of registries a, b, c and e with these tasks, audits each half minute.
pub fn config(tasks: &str) -> Config {
    let text = format!(
        r#"
version: 1
owner: lab
registries:
  - {{ name: a, type: nacos, addresses: ["127.0.0.1:1"], protect: {{ hold: 10s, max_shrink: 0.5 }} }}
  - {{ name: b, type: polaris, addresses: ["127.0.0.1:2"], protect: {{ hold: 10s }} }}
  - {{ name: c, type: consul, addresses: ["127.0.0.1:3"], protect: {{ hold: 10s }} }}
  - {{ name: e, type: eureka, addresses: ["127.0.0.1:4"], protect: {{ hold: 10s }} }}
tasks:
{tasks}
methods: [ {{ type: watch, enable: true }}, {{ type: pull, enable: true, interval: 30s }} ]
health_check: {{ enable: false }}
"#
    );
    config::parse(&text, "test", &|_| None).unwrap_or_else(|mistakes| panic!("{mistakes}")).config
}

pub const BOTH_WAYS: &str = r#"
  - { name: move, source: a, destination: b, mode: bidirectional, match: [ { service: "*" } ] }
"#;

pub fn instance(host: &str, weight: f64, version: &str) -> Instance {
    let mut instance = Instance::new(Address::new(host, 80));
    instance.weight = Weight::from_ratio(weight);
    instance.metadata.insert("version".to_owned(), version.to_owned());
    instance
}

/// Waits, on virtual time, until something is so; as long as it takes.
pub async fn until(what: &str, condition: impl Fn() -> bool) -> Duration {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(600), "{what}: not within ten minutes");
        sleep(Duration::from_millis(10)).await;
    }
    begun.elapsed()
}

/// Lets time pass, and has something hold all the while.
pub async fn always(what: &str, time: Duration, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        assert!(condition(), "{what}, after {:?}", begun.elapsed());
        sleep(Duration::from_millis(20)).await;
    }
}
