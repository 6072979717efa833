//! Nacos' lists, as consumers over HTTP ask for them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use causeway::registries::nacos::NacosSettings;
use causeway_test_support::nacos::{NacosOptions, NacosServer, Registration};
use causeway_test_support::process::Failure;
use serde_json::Value;
use tokio::sync::Mutex;

use super::{Entry, LEASE, Registry, Site, address, pairs, text};
use crate::conformance::around::Around;
use crate::conformance::stories::Restarts;
use crate::nacos_harness::NacosHarness;

const GROUP: &str = "DEFAULT_GROUP";

/// One namespace of a Nacos that can be stopped.
struct Own {
    server: Arc<Mutex<NacosServer>>,
    harness: NacosHarness,
    namespace: &'static str,
}

/// A Nacos without authentication.
pub async fn nacos(name: &str) -> Site {
    let server = NacosServer::start(NacosOptions::default()).await.unwrap();
    nacos_of(name, "empty_ns", &Arc::new(Mutex::new(server)), None).await
}

/// A namespace of this Nacos, on which tests log in as this user.
pub async fn nacos_of(
    name: &str,
    namespace: &'static str,
    server: &Arc<Mutex<NacosServer>>,
    user: Option<(&str, &str)>,
) -> Site {
    let running = server.lock().await;
    let (ports, nobody) = (running.ports(), running.http());
    drop(running);
    let http = match user {
        Some((user, password)) => nobody.login(user, password).await.unwrap(),
        None => nobody,
    };
    let harness = NacosHarness { ports, http, settings: NacosSettings::default() };
    Site::of(name, Box::new(Own { server: Arc::clone(server), harness, namespace })).await
}

impl Own {
    /// As Nacos' API has it.
    fn id(&self) -> &str {
        if self.namespace == "empty_ns" { "" } else { self.namespace }
    }
}

#[async_trait]
impl Around for Own {
    type Inner = NacosHarness;

    fn inner(&self) -> &NacosHarness {
        &self.harness
    }
}

#[async_trait]
impl Restarts for Own {
    async fn stop_server(&self) {
        self.server.lock().await.stop();
    }

    async fn start_server(&self, wipe: bool) {
        self.server.lock().await.start_again(wipe).await.unwrap();
    }
}

#[async_trait]
impl Registry for Own {
    fn written(&self) -> String {
        let port = self.harness.ports.main;
        format!("type: nacos, addresses: [\"127.0.0.1:{port}\"], {LEASE}")
    }

    fn usual_namespace(&self) -> &'static str {
        self.namespace
    }

    /// Nacos lists what is dead for half as long again.
    fn lease(&self) -> Duration {
        Duration::from_secs(32)
    }

    async fn entries(&self, service: &str) -> Result<Vec<Entry>, Failure> {
        Ok(self.harness.http.instances(self.id(), GROUP, service).await?.iter().map(entry).collect())
    }

    async fn meddle(&self, service: &str, entry: &Entry, key: &str, value: &str) {
        let Entry { address, weight, healthy, metadata, place } = entry.clone();
        let mut changed = Registration::new(self.id(), service, &address.host, address.port);
        changed = Registration { cluster: place, weight, healthy, metadata, ..changed };
        self.harness.http.register(&changed.with(key, value)).await.unwrap();
    }
}

fn entry(told: &Value) -> Entry {
    Entry {
        address: address(&told["ip"], &told["port"]),
        weight: told["weight"].as_f64().unwrap_or(1.0),
        healthy: told["healthy"] == true,
        metadata: pairs(&told["metadata"]),
        place: text(&told["clusterName"]),
    }
}
