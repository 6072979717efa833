//! Service-center's instances of all versions of a service, in its default application.

use std::time::Duration;

use async_trait::async_trait;
use causeway::model::Address;
use causeway_test_support::process::Failure;
use causeway_test_support::servicecenter::{Registration, Service};
use serde_json::Value;

use super::{Entry, LEASE, Registry, Site, pairs, text};
use crate::servicecenter_harness::ServiceCenterHarness;

const APP: &str = "default";

/// A service-center.
pub async fn servicecenter(name: &str) -> Site {
    Site::of(name, Box::new(ServiceCenterHarness::plain().await)).await
}

#[async_trait]
impl Registry for ServiceCenterHarness {
    fn written(&self) -> String {
        format!("type: servicecenter, addresses: [\"{}\"], {LEASE}", self.address)
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(24)
    }

    async fn entries(&self, service: &str) -> Result<Vec<Entry>, Failure> {
        Ok(self.http().await.find(APP, service).await?.iter().map(entry).collect())
    }

    async fn meddle(&self, service: &str, entry: &Entry, key: &str, value: &str) {
        let (service_id, id) = entry.place.split_once('/').unwrap();
        let mut changed =
            Registration { id: id.to_owned(), ..Registration::new(Service::new(APP, service), "") };
        changed.properties = entry.metadata.clone();
        changed.properties.insert(key.to_owned(), value.to_owned());
        self.http().await.set_properties(service_id, &changed).await.unwrap();
    }
}

fn entry(told: &Value) -> Entry {
    let endpoint = text(&told["endpoints"][0]);
    let authority = endpoint.split("://").nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
    let (host, port) = authority.rsplit_once(':').unwrap_or_default();
    let metadata = pairs(&told["properties"]);
    Entry {
        address: Address::new(host, port.parse().unwrap_or_default()),
        weight: metadata.get("weight").and_then(|weight| weight.parse().ok()).unwrap_or(1.0),
        healthy: told["status"] == "UP",
        metadata,
        place: format!("{}/{}", text(&told["serviceId"]), text(&told["instanceId"])),
    }
}
