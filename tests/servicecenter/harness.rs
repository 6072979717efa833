//! Service-center behind the conformance suite.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file compiles it, and uses a part"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use causeway::registries::servicecenter::{ServiceCenter, ServiceCenterDestination, ServiceCenterSettings};
use causeway_test_support::proxy::Proxy;
use causeway_test_support::servicecenter::{
    Registration, Service, ServiceCenterHttp, ServiceCenterOptions, ServiceCenterServer,
};
use tokio::sync::Mutex;

use crate::conformance::destination::{DestinationHarness, Way};
use crate::conformance::stories::{Restarts, cut_at_rest};
use crate::conformance::{Harness, Inst, Route};

/// The version that scenarios' services are registered in.
const VERSION: &str = "9.9.9";

/// A service-center of its own, whose applications keep stories apart.
pub struct ServiceCenterHarness {
    pub http: Mutex<ServiceCenterHttp>,
    pub address: String,
    /// What the source is made with, but for the address.
    pub settings: ServiceCenterSettings,
    server: Mutex<ServiceCenterServer>,
    stories: AtomicU32,
    registered: Mutex<Registered>,
}

/// What the server was told.
#[derive(Default)]
struct Registered {
    ids: BTreeMap<Service, String>,
    instances: BTreeMap<(Service, String), Registration>,
}

impl ServiceCenterHarness {
    pub async fn start(options: ServiceCenterOptions) -> Self {
        let server = ServiceCenterServer::start(options).await.unwrap();
        Self {
            http: Mutex::new(server.http().await.unwrap()),
            address: server.address(),
            settings: ServiceCenterSettings::default(),
            server: Mutex::new(server),
            stories: AtomicU32::new(0),
            registered: Mutex::default(),
        }
    }

    pub async fn plain() -> Self {
        Self::start(ServiceCenterOptions::default()).await
    }

    pub async fn http(&self) -> ServiceCenterHttp {
        self.http.lock().await.clone()
    }

    /// A source with these settings, through a proxy.
    pub async fn route_with(&self, settings: ServiceCenterSettings) -> Route {
        let proxy = Proxy::start(&self.address).await.unwrap();
        let settings = ServiceCenterSettings { addresses: vec![proxy.address()], ..settings };
        Route { source: Arc::new(ServiceCenter::new(settings).unwrap()), proxies: vec![proxy] }
    }

    /// A destination with these settings, through a proxy.
    pub async fn way_with(&self, settings: ServiceCenterSettings) -> Way {
        let proxy = Proxy::start(&self.address).await.unwrap();
        let settings = ServiceCenterSettings { addresses: vec![proxy.address()], ..settings };
        Way { destination: Arc::new(ServiceCenterDestination::new(&settings).unwrap()), proxies: vec![proxy] }
    }

    /// The service's id; registers it first where it isn't yet.
    pub async fn id(&self, service: &Service) -> String {
        if let Some(id) = self.registered.lock().await.ids.get(service) {
            return id.clone();
        }
        let id = self.http().await.create(service).await.unwrap();
        self.registered.lock().await.ids.insert(service.clone(), id.clone());
        id
    }

    /// Registers an instance; one that is registered is changed by the calls that change something, which an application would make.
    pub async fn register(&self, instance: &Registration) {
        let (id, http) = (self.id(&instance.service).await, self.http().await);
        let key = (instance.service.clone(), instance.id.clone());
        let before = self.registered.lock().await.instances.insert(key, instance.clone());
        let Some(before) = before else { return http.register(&id, instance).await.unwrap() };
        if before.properties != instance.properties {
            http.set_properties(&id, instance).await.unwrap();
        }
        if before.status != instance.status {
            http.set_status(&id, instance).await.unwrap();
        }
    }

    pub async fn deregister(&self, instance: &Registration) {
        let id = self.id(&instance.service).await;
        self.http().await.deregister(&id, instance).await.unwrap();
        let key = (instance.service.clone(), instance.id.clone());
        self.registered.lock().await.instances.remove(&key);
    }
}

/// The instance that a scenario means.
pub fn registration(namespace: &str, instance: &Inst) -> Registration {
    let service = Service { version: VERSION.to_owned(), ..Service::new(namespace, &instance.service) };
    let host =
        if instance.host.contains(':') { format!("[{}]", instance.host) } else { instance.host.clone() };
    let mut registration = Registration::new(service, &format!("{host}:{}", instance.port));
    registration.properties = instance.metadata.clone();
    registration.properties.insert("weight".to_owned(), instance.weight.to_string());
    let status = match (instance.enabled, instance.healthy) {
        (false, _) => "OUTOFSERVICE",
        (true, false) => "DOWN",
        (true, true) => "UP",
    };
    registration.status = status.to_owned();
    registration
}

#[async_trait]
impl Harness for ServiceCenterHarness {
    async fn route(&self) -> Route {
        self.route_with(self.settings.clone()).await
    }

    async fn namespace(&self) -> String {
        format!("app-{}", self.stories.fetch_add(1, Ordering::Relaxed))
    }

    async fn put(&self, namespace: &str, instance: &Inst) {
        self.register(&registration(namespace, instance)).await;
    }

    async fn remove(&self, namespace: &str, instance: &Inst) {
        self.deregister(&registration(namespace, instance)).await;
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(40)
    }

    fn is_own_metadata(&self, key: &str) -> bool {
        key == "weight"
    }

    fn is_own_pair(&self, key: &str, value: &str) -> bool {
        self.is_own_metadata(key) || (key == "version" && value == VERSION)
    }
}

#[async_trait]
impl Restarts for ServiceCenterHarness {
    async fn stop_server(&self) {
        self.server.lock().await.stop();
    }

    async fn start_server(&self, wipe: bool) {
        let mut server = self.server.lock().await;
        server.start_again(wipe).await.unwrap();
        *self.http.lock().await = server.http().await.unwrap();
        if wipe {
            *self.registered.lock().await = Registered::default();
        }
    }

    async fn cut_so_that_it_is_noticed(&self, proxy: &Proxy) {
        cut_at_rest(proxy, self.limit()).await;
    }
}

#[async_trait]
impl DestinationHarness for ServiceCenterHarness {
    /// Copies live for 15 s without a heartbeat.
    async fn way(&self) -> Way {
        let heartbeat_interval = Duration::from_secs(3);
        self.way_with(ServiceCenterSettings {
            heartbeat_interval,
            missed_heartbeats: 4,
            ..self.settings.clone()
        })
        .await
    }
}
