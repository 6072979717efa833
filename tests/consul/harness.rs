//! Consul behind the conformance suite.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file compiles it, and uses a part"
)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex as StdMutex};
use std::time::Duration;

use async_trait::async_trait;
use causeway::registries::consul::{Consul, ConsulDestination, ConsulSettings};
use causeway::registries::{MetadataKeys, Weights};
use causeway_test_support::consul::{ConsulHttp, ConsulOptions, ConsulServer, Registration};
use causeway_test_support::proxy::Proxy;
use tokio::sync::Mutex;

use crate::conformance::destination::{DestinationHarness, Way};
use crate::conformance::stories::{Restarts, cut_after};
use crate::conformance::{Harness, Inst, Route};

/// A Consul of its own for each test: free Consul has no namespaces that would keep tests apart, and starts in no time.
pub struct ConsulHarness {
    pub http: ConsulHttp,
    pub address: String,
    /// What the source is made with, but for the address.
    pub settings: ConsulSettings,
    server: Mutex<ConsulServer>,
    in_maintenance: StdMutex<BTreeSet<String>>,
}

impl ConsulHarness {
    pub async fn start(options: ConsulOptions) -> Self {
        let server = ConsulServer::start(options).await.unwrap();
        Self {
            http: server.http(),
            address: server.address(),
            settings: ConsulSettings::default(),
            server: Mutex::new(server),
            in_maintenance: StdMutex::default(),
        }
    }

    pub async fn plain() -> Self {
        Self::start(ConsulOptions::default()).await
    }

    /// A source with these settings, through a proxy.
    pub async fn route_with(&self, settings: ConsulSettings) -> Route {
        let proxy = Proxy::start(&self.address).await.unwrap();
        let settings = ConsulSettings { addresses: vec![proxy.address()], ..settings };
        Route { source: Arc::new(Consul::new(settings).unwrap()), proxies: vec![proxy] }
    }

    async fn end_maintenance(&self, registration: &Registration) {
        if self.in_maintenance.lock().unwrap().remove(&registration.id) {
            self.http.remove_check(&registration.node, &registration.maintenance_check()).await.unwrap();
        }
    }
}

/// The instance that a scenario means, as far as Consul can hold it.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "scenarios have small weights")]
pub fn registration(instance: &Inst) -> Registration {
    let Inst { service, host, port, weight, healthy, enabled, metadata } = instance;
    let passing = Weights::Whole.nearest(*weight) as u32;
    let held = metadata.iter().filter(|(key, _)| MetadataKeys::Plain.hold(key));
    let status = if *healthy { "passing" } else { "critical" };
    let mut registration = Registration {
        weights: (passing, 1),
        meta: held.map(|(key, value)| (key.clone(), value.clone())).collect(),
        ..Registration::new(service, host, *port).check(status)
    };
    if !enabled {
        registration.checks.insert(registration.maintenance_check(), "critical".to_owned());
    }
    registration
}

#[async_trait]
impl Harness for ConsulHarness {
    async fn route(&self) -> Route {
        self.route_with(self.settings.clone()).await
    }

    async fn namespace(&self) -> String {
        "default".to_owned()
    }

    async fn put(&self, _: &str, instance: &Inst) {
        let registration = registration(instance);
        self.http.register(&registration).await.unwrap();
        if instance.enabled {
            self.end_maintenance(&registration).await;
        } else {
            self.in_maintenance.lock().unwrap().insert(registration.id);
        }
    }

    async fn remove(&self, _: &str, instance: &Inst) {
        self.http.deregister(&registration(instance)).await.unwrap();
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(40)
    }

    fn is_own_metadata(&self, _: &str) -> bool {
        false
    }
}

#[async_trait]
impl DestinationHarness for ConsulHarness {
    async fn way(&self) -> Way {
        let proxy = Proxy::start(&self.address).await.unwrap();
        let settings = ConsulSettings { addresses: vec![proxy.address()], ..self.settings.clone() };
        Way { destination: Arc::new(ConsulDestination::new(&settings).unwrap()), proxies: vec![proxy] }
    }
}

#[async_trait]
impl Restarts for ConsulHarness {
    async fn stop_server(&self) {
        self.server.lock().await.stop();
    }

    async fn start_server(&self, wipe: bool) {
        self.server.lock().await.start_again(wipe).await.unwrap();
    }

    /// A query that fails sooner than after five seconds may just have come to a server that starts.
    async fn cut_so_that_it_is_noticed(&self, proxy: &Proxy) {
        cut_after(proxy, Duration::from_secs(6)).await;
    }
}
