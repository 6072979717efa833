//! Eureka behind the conformance suite.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file compiles it, and uses a part"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex as StdMutex};
use std::time::Duration;

use async_trait::async_trait;
use causeway::registries::Weights;
use causeway::registries::eureka::{Eureka, EurekaDestination, EurekaSettings};
use causeway_test_support::eureka::{EurekaHttp, EurekaOptions, EurekaServer, Registration};
use causeway_test_support::proxy::Proxy;
use tokio::sync::Mutex;

use crate::conformance::destination::{DestinationHarness, Way};
use crate::conformance::stories::{Restarts, cut_at_rest};
use crate::conformance::{Harness, Inst, Route};

/// So often tests look; users would look each 5 s.
pub const POLL: Duration = Duration::from_millis(300);

/// How long copies live that nobody renews: longer than the 30 s until the source reads everything again, since what comes while the
/// server makes a list is not shown before.
pub const LEASE: Duration = Duration::from_secs(36);

/// A Eureka of its own. It has no namespaces, so stories are told on it one after the other, each on an empty server.
pub struct EurekaHarness {
    pub http: EurekaHttp,
    pub address: String,
    /// What the source is made with, but for the address.
    pub settings: EurekaSettings,
    server: Mutex<EurekaServer>,
    registered: StdMutex<BTreeMap<String, Registration>>,
    /// Whether an operator has taken an instance out of service.
    overridden: StdMutex<BTreeMap<String, bool>>,
}

impl EurekaHarness {
    pub async fn start(options: EurekaOptions) -> Self {
        let server = EurekaServer::start(options).await.unwrap();
        Self {
            http: server.http(),
            address: server.address(),
            settings: EurekaSettings {
                poll_interval: POLL,
                renew_every: Duration::from_secs(2),
                lease: LEASE,
                ..EurekaSettings::default()
            },
            server: Mutex::new(server),
            registered: StdMutex::default(),
            overridden: StdMutex::default(),
        }
    }

    /// A source with these settings, through a proxy.
    pub async fn route_with(&self, settings: EurekaSettings) -> Route {
        let proxy = Proxy::start(&self.address).await.unwrap();
        let settings = EurekaSettings { addresses: vec![proxy.address()], ..settings };
        Route { source: Arc::new(Eureka::new(settings).unwrap()), proxies: vec![proxy] }
    }

    fn is_overridden(&self, id: &str) -> bool {
        self.overridden.lock().unwrap().get(id).copied().unwrap_or(false)
    }

    pub async fn register(&self, registration: Registration) {
        self.http.register(&registration).await.unwrap();
        self.registered.lock().unwrap().insert(registration.id.clone(), registration);
    }
}

/// The instance that a scenario means.
pub fn registration(instance: &Inst) -> Registration {
    let mut registration = Registration::new(&instance.service, &instance.host, instance.port);
    registration.metadata = instance.metadata.clone();
    registration.metadata.insert("weight".to_owned(), Weights::Whole.nearest(instance.weight).to_string());
    registration.status = if instance.healthy { "UP" } else { "DOWN" }.to_owned();
    registration
}

#[async_trait]
impl Harness for EurekaHarness {
    async fn route(&self) -> Route {
        self.route_with(self.settings.clone()).await
    }

    async fn namespace(&self) -> String {
        self.overridden.lock().unwrap().clear();
        let left = std::mem::take(&mut *self.registered.lock().unwrap());
        for registration in left.values() {
            self.http.cancel(registration).await.unwrap();
        }
        "default".to_owned()
    }

    async fn put(&self, _: &str, instance: &Inst) {
        let registration = registration(instance);
        self.register(registration.clone()).await;
        // A server that knows an instance as up doesn't take its own word for being out of service: an operator has to say it.
        let (overridden, out) = (self.is_overridden(&registration.id), Some("OUT_OF_SERVICE"));
        if overridden == instance.enabled {
            self.http.override_status(&registration, out.filter(|_| !overridden)).await.unwrap();
            self.overridden.lock().unwrap().insert(registration.id, !overridden);
        }
    }

    async fn remove(&self, _: &str, instance: &Inst) {
        let registration = registration(instance);
        self.http.cancel(&registration).await.unwrap();
        self.registered.lock().unwrap().remove(&registration.id);
        self.overridden.lock().unwrap().remove(&registration.id);
    }

    /// A change that comes while the server makes a list is seen when everything is read again.
    fn limit(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn is_own_metadata(&self, key: &str) -> bool {
        key == "weight"
    }
}

#[async_trait]
impl DestinationHarness for EurekaHarness {
    async fn way(&self) -> Way {
        let proxy = Proxy::start(&self.address).await.unwrap();
        let settings = EurekaSettings { addresses: vec![proxy.address()], ..self.settings.clone() };
        Way { destination: Arc::new(EurekaDestination::new(settings).unwrap()), proxies: vec![proxy] }
    }
}

/// A Eureka that stops forgets everything.
#[async_trait]
impl Restarts for EurekaHarness {
    async fn stop_server(&self) {
        self.server.lock().await.stop();
    }

    async fn start_server(&self, _: bool) {
        self.server.lock().await.start_again().await.unwrap();
        self.registered.lock().unwrap().clear();
    }

    async fn cut_so_that_it_is_noticed(&self, proxy: &Proxy) {
        cut_at_rest(proxy, self.limit()).await;
    }
}
