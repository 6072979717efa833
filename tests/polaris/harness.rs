//! Polaris behind the conformance suite: the stand-in, since no package registry has a server.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file compiles it, and uses a part"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use causeway::config::Secret;
use causeway::registries::polaris::{Polaris, PolarisDestination, PolarisSettings};
use causeway_test_support::polaris::{Builder, PolarisStandIn};
use causeway_test_support::proxy::Proxy;
use serde_json::{Value, json};

use crate::conformance::destination::{DestinationHarness, Way};
use crate::conformance::stories::{Guarded, Restarts, Stranger, cut_at_rest};
use crate::conformance::{Harness, Inst, Route};

/// The token of the source.
const TOKEN: &str = "the-token-of-the-source";

pub struct PolarisHarness {
    pub server: PolarisStandIn,
    namespaces: AtomicUsize,
}

impl PolarisHarness {
    pub async fn start() -> Self {
        Self::with(PolarisStandIn::builder()).await
    }

    pub async fn with(builder: Builder) -> Self {
        Self { server: builder.start().await, namespaces: AtomicUsize::new(0) }
    }

    /// Writes one item, which must be taken.
    pub fn write(&self, method: &str, path: &str, item: Value) {
        let (status, answer) = self.server.write(method, path, &json!([item]));
        assert_eq!(status, 200, "{method} {path}: {answer}");
    }

    /// Deletes an instance without the change before it that the server needs to notice.
    pub fn delete_carelessly(&self, namespace: &str, instance: &Inst) {
        self.write("POST", "/naming/v1/instances/delete", address(namespace, instance));
    }
}

fn address(namespace: &str, instance: &Inst) -> Value {
    let Inst { service, host, port, .. } = instance;
    json!({ "namespace": namespace, "service": service, "host": host, "port": port })
}

/// A source that reaches the server through a proxy.
pub async fn proxied(server: &PolarisStandIn, token: Option<&str>) -> Route {
    let proxy = Proxy::start(&server.address()).await.unwrap();
    let source = Polaris::new(settings(proxy.address(), token)).unwrap();
    Route { source: Arc::new(source), proxies: vec![proxy] }
}

/// How a server at this address is reached.
pub fn settings(address: String, token: Option<&str>) -> PolarisSettings {
    let token = token.map(Secret::new);
    PolarisSettings { addresses: vec![address], token, ..PolarisSettings::default() }
}

#[async_trait]
impl Harness for PolarisHarness {
    async fn route(&self) -> Route {
        proxied(&self.server, None).await
    }

    async fn namespace(&self) -> String {
        format!("ns-{}", self.namespaces.fetch_add(1, Ordering::Relaxed))
    }

    async fn put(&self, namespace: &str, instance: &Inst) {
        let mut item = address(namespace, instance);
        item["weight"] = json!((instance.weight * 100.0).round() as u32);
        item["healthy"] = json!(instance.healthy);
        item["isolate"] = json!(!instance.enabled);
        item["metadata"] = json!(instance.metadata);
        self.write("POST", "/naming/v1/instances", item);
    }

    /// As a careful program does: the server overlooks the deletion of what has not changed for a while.
    async fn remove(&self, namespace: &str, instance: &Inst) {
        let mut item = address(namespace, instance);
        item["isolate"] = json!(true);
        self.write("PUT", "/naming/v1/instances", item);
        self.delete_carelessly(namespace, instance);
    }

    /// The server loads its cache each second.
    async fn settled(&self) {
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(40)
    }

    fn is_own_metadata(&self, _: &str) -> bool {
        false
    }
}

#[async_trait]
impl Restarts for PolarisHarness {
    async fn stop_server(&self) {
        self.server.stop().await;
    }

    async fn start_server(&self, wipe: bool) {
        self.server.restart(wipe).await;
    }

    async fn cut_so_that_it_is_noticed(&self, proxy: &Proxy) {
        cut_at_rest(proxy, self.limit()).await;
    }
}

#[async_trait]
impl Guarded for PolarisHarness {
    async fn stranger(&self, _: &str) -> Stranger {
        let route = proxied(&self.server, Some(TOKEN)).await;
        Stranger { route, secret: TOKEN, told: "refuses the token" }
    }

    async fn admit(&self, _: &str) {
        self.server.set_token(TOKEN);
    }

    async fn expel(&self, _: &str) {
        self.server.set_token("another");
    }
}

#[async_trait]
impl DestinationHarness for PolarisHarness {
    async fn way(&self) -> Way {
        let proxy = Proxy::start(&self.server.address()).await.unwrap();
        let destination = PolarisDestination::new(settings(proxy.address(), None)).unwrap();
        Way { destination: Arc::new(destination), proxies: vec![proxy] }
    }
}
