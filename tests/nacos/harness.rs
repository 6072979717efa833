//! Nacos behind the conformance suite.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file compiles it, and uses a part"
)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use causeway::registries::nacos::{Lease, Nacos, NacosDestination, NacosSettings};
use causeway_test_support::nacos::{NacosHttp, NacosOptions, NacosPorts, NacosServer, Registration};
use causeway_test_support::proxy::Proxy;
use tokio::sync::OnceCell;

use crate::conformance::destination::{DestinationHarness, Way};
use crate::conformance::{Harness, Inst, Route};

static SHARED: OnceCell<NacosServer> = OnceCell::const_new();

/// The server that all tests share which don't restart it; each test has a namespace of its own.
pub async fn shared_server() -> &'static NacosServer {
    let start = || async { NacosServer::start(NacosOptions::default()).await.unwrap() };
    SHARED.get_or_init(start).await
}

/// A Nacos that the suite can use.
pub struct NacosHarness {
    pub ports: NacosPorts,
    pub http: NacosHttp,
    /// What the source logs in with.
    pub settings: NacosSettings,
}

impl NacosHarness {
    pub async fn shared() -> Self {
        let server = shared_server().await;
        Self { ports: server.ports(), http: server.http(), settings: NacosSettings::default() }
    }
}

/// The instance that a scenario means. A group stands in the service's name.
pub fn registration(namespace: &str, instance: &Inst) -> Registration {
    let (group, service) = instance.service.split_once("__").unwrap_or(("DEFAULT_GROUP", &instance.service));
    let namespace = if namespace == "empty_ns" { "" } else { namespace };
    let mut registration = Registration::new(namespace, service, &instance.host, instance.port);
    registration.group = group.to_owned();
    registration.weight = instance.weight;
    registration.healthy = instance.healthy;
    registration.enabled = instance.enabled;
    registration.metadata.extend(instance.metadata.clone());
    registration
}

/// Proxies before HTTP and gRPC, and the address that leads through them.
pub async fn proxied(ports: NacosPorts) -> (String, Vec<Proxy>) {
    let http = Proxy::start(&format!("127.0.0.1:{}", ports.main)).await.unwrap();
    let grpc = Proxy::start(&format!("127.0.0.1:{}", ports.grpc())).await.unwrap();
    (format!("{}?grpc_port={}", http.address(), grpc.port()), vec![http, grpc])
}

#[async_trait]
impl Harness for NacosHarness {
    async fn route(&self) -> Route {
        let (address, proxies) = proxied(self.ports).await;
        let settings = NacosSettings { addresses: vec![address], ..self.settings.clone() };
        Route { source: Arc::new(Nacos::new(settings).unwrap()), proxies }
    }

    async fn namespace(&self) -> String {
        self.http.create_new_namespace().await.unwrap()
    }

    async fn put(&self, namespace: &str, instance: &Inst) {
        self.http.register(&registration(namespace, instance)).await.unwrap();
    }

    async fn remove(&self, namespace: &str, instance: &Inst) {
        self.http.deregister(&registration(namespace, instance)).await.unwrap();
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(40)
    }

    fn is_own_metadata(&self, key: &str) -> bool {
        key.starts_with("preserved.")
    }
}

/// Long enough for a busy machine, short enough to wait for its end.
pub const LEASE: Lease = Lease {
    beat_every: Duration::from_secs(2),
    unhealthy_after: Duration::from_secs(15),
    gone_after: Duration::from_secs(20),
};

#[async_trait]
impl DestinationHarness for NacosHarness {
    async fn way(&self) -> Way {
        let (address, proxies) = proxied(self.ports).await;
        let settings = NacosSettings { addresses: vec![address], lease: LEASE, ..self.settings.clone() };
        Way { destination: Arc::new(NacosDestination::new(settings).unwrap()), proxies }
    }
}
