//! Eureka's applications.

use std::time::Duration;

use async_trait::async_trait;
use causeway_test_support::eureka::{EurekaOptions, Registration};
use causeway_test_support::process::Failure;
use serde_json::Value;

use super::{Entry, LEASE, Registry, Site, pairs, text};
use crate::eureka_harness::EurekaHarness;

/// A Eureka that answers from what it holds, without the cache that would show changes up to 30 s late.
pub async fn eureka(name: &str) -> Site {
    Site::of(name, Box::new(EurekaHarness::start(EurekaOptions::default()).await)).await
}

#[async_trait]
impl Registry for EurekaHarness {
    fn written(&self) -> String {
        format!("type: eureka, addresses: [\"{}\"], poll_interval: 500ms, {LEASE}", self.address)
    }

    /// Eureka counts leases twice.
    fn lease(&self) -> Duration {
        Duration::from_secs(43)
    }

    async fn entries(&self, service: &str) -> Result<Vec<Entry>, Failure> {
        Ok(self.http.instances(service).await?.iter().map(entry).collect())
    }

    async fn meddle(&self, service: &str, entry: &Entry, key: &str, value: &str) {
        let named = Registration {
            id: entry.place.clone(),
            ..Registration::new(service, &entry.address.host, entry.address.port)
        };
        self.http.set_metadata(&named, key, value).await.unwrap();
    }
}

fn entry(told: &Value) -> Entry {
    let metadata = pairs(&told["metadata"]);
    let port = told["port"]["$"].as_u64().and_then(|port| u16::try_from(port).ok());
    Entry {
        address: causeway::model::Address::new(text(&told["ipAddr"]), port.unwrap_or_default()),
        weight: metadata.get("weight").and_then(|weight| weight.parse().ok()).unwrap_or(1.0),
        healthy: told["status"] == "UP",
        metadata,
        place: text(&told["instanceId"]),
    }
}
