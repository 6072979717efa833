//! Polaris' Discover, answered by the stand-in.

use async_trait::async_trait;
use causeway_test_support::process::Failure;
use serde_json::{Value, json};

use super::{Entry, Registry, Site, address, pairs, text};
use crate::polaris_harness::PolarisHarness;

const NAMESPACE: &str = "default";

/// A stand-in for a Polaris.
pub async fn polaris(name: &str) -> Site {
    polaris_of(name, PolarisHarness::start().await).await
}

/// This Polaris.
pub async fn polaris_of(name: &str, harness: PolarisHarness) -> Site {
    Site::of(name, Box::new(harness)).await
}

#[async_trait]
impl Registry for PolarisHarness {
    fn written(&self) -> String {
        format!("type: polaris, addresses: [\"{}\"]", self.server.address())
    }

    async fn entries(&self, service: &str) -> Result<Vec<Entry>, Failure> {
        let asked = json!({ "type": "INSTANCE", "service": { "namespace": NAMESPACE, "name": service } });
        let (_, answer) = self.server.write("POST", "/v1/Discover", &asked);
        Ok(answer["instances"].as_array().into_iter().flatten().map(entry).collect())
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "stories have small weights")]
    async fn meddle(&self, service: &str, entry: &Entry, key: &str, value: &str) {
        let Entry { address, weight, healthy, mut metadata, place } = entry.clone();
        metadata.insert(key.to_owned(), value.to_owned());
        let item = json!({
            "id": place, "namespace": NAMESPACE, "service": service, "host": address.host, "port": address.port,
            "weight": (weight * 100.0).round() as u32, "healthy": healthy, "metadata": metadata,
        });
        self.write("PUT", "/naming/v1/instances", item);
    }
}

fn entry(told: &Value) -> Entry {
    Entry {
        address: address(&told["host"], &told["port"]),
        weight: told["weight"].as_f64().unwrap_or(100.0) / 100.0,
        healthy: told["healthy"] == true && told["isolate"] != true,
        metadata: pairs(&told["metadata"]),
        place: text(&told["id"]),
    }
}
