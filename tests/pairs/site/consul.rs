//! Consul's catalogue with its health.

use async_trait::async_trait;
use causeway_test_support::consul::{ConsulOptions, Registration};
use causeway_test_support::process::Failure;
use serde_json::Value;

use super::{Entry, Registry, Site, address, pairs, text};
use crate::consul_harness::ConsulHarness;

/// A Consul that keeps its data when it is stopped.
pub async fn consul(name: &str) -> Site {
    let options = ConsulOptions { persistent: true, ..ConsulOptions::default() };
    Site::of(name, Box::new(ConsulHarness::start(options).await)).await
}

#[async_trait]
impl Registry for ConsulHarness {
    fn written(&self) -> String {
        format!("type: consul, addresses: [\"{}\"]", self.address)
    }

    async fn entries(&self, service: &str) -> Result<Vec<Entry>, Failure> {
        let all = self.http.get(&format!("/v1/health/service/{service}")).await?;
        Ok(all.as_array().into_iter().flatten().map(entry).collect())
    }

    async fn meddle(&self, service: &str, entry: &Entry, key: &str, value: &str) {
        let (node, id) = entry.place.split_once('/').unwrap();
        let mut meta = entry.metadata.clone();
        meta.insert(key.to_owned(), value.to_owned());
        let changed = Registration {
            node: node.to_owned(),
            id: id.to_owned(),
            meta,
            ..Registration::new(service, &entry.address.host, entry.address.port)
        };
        self.http.register(&changed).await.unwrap();
    }
}

fn entry(told: &Value) -> Entry {
    let (service, checks) = (&told["Service"], told["Checks"].as_array());
    Entry {
        address: address(&service["Address"], &service["Port"]),
        weight: service["Weights"]["Passing"].as_f64().unwrap_or(1.0),
        healthy: checks.into_iter().flatten().all(|check| check["Status"] == "passing"),
        metadata: pairs(&service["Meta"]),
        place: format!("{}/{}", text(&told["Node"]["Node"]), text(&service["ID"])),
    }
}
