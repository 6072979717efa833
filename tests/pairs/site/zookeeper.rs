//! ZooKeeper's nodes, in Curator's layout and in Dubbo's.

use std::time::Duration;

use async_trait::async_trait;
use causeway::config::ZookeeperLayout;
use causeway::model::Address;
use causeway_test_support::process::Failure;
use causeway_test_support::zookeeper::{DubboProvider, ZookeeperClient};
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::{Entry, Registry, Site, address, pairs};
use crate::zookeeper_harness::{DUBBO, SERVICES, Writes, ZookeeperHarness};

/// Between two looks a node may go; so often it is looked again.
const LOOKS: usize = 20;
const DEFAULT_WEIGHT: f64 = 100.0;

/// A ZooKeeper with Curator's service discovery.
pub async fn curator(name: &str) -> Site {
    of(name, Writes::Curator, ZookeeperLayout::Curator).await
}

/// A ZooKeeper with Dubbo's interfaces, which services are named after: `providers:{interface}::`.
pub async fn dubbo(name: &str) -> Site {
    of(name, Writes::Dubbo, ZookeeperLayout::Dubbo).await
}

async fn of(name: &str, writes: Writes, layout: ZookeeperLayout) -> Site {
    Site::of(name, Box::new(ZookeeperHarness::alone(writes, layout).await)).await
}

#[async_trait]
impl Registry for ZookeeperHarness {
    fn written(&self) -> String {
        let layout = if self.writes == Writes::Dubbo { "dubbo" } else { "curator" };
        let address = format!("{}{}", self.address, self.chroot);
        format!("type: zookeeper, addresses: [\"{address}\"], layout: {layout}, session_timeout: 20s")
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(24)
    }

    async fn entries(&self, service: &str) -> Result<Vec<Entry>, Failure> {
        let client = self.client().await;
        if self.writes == Writes::Dubbo {
            let children = client.children(&folder(service)).await?;
            return Ok(children.into_iter().filter_map(|node| provider(&folder(service), &node)).collect());
        }
        for _ in 0..LOOKS {
            if let Some(entries) = discovered(&client, service).await? {
                return Ok(entries);
            }
        }
        Err("nodes went between each two looks".into())
    }

    async fn meddle(&self, _: &str, entry: &Entry, key: &str, value: &str) {
        let client = self.client().await;
        if self.writes == Writes::Dubbo {
            let (folder, node) = entry.place.rsplit_once('/').unwrap();
            let (old, new) = (format!("{key}%3D{}", entry.metadata[key]), format!("{key}%3D{value}"));
            let changed = format!("{folder}/{}", node.replace(&old, &new));
            return client.replace(std::slice::from_ref(&entry.place), &changed).await.unwrap();
        }
        let mut data: Value = serde_json::from_slice(&client.data(&entry.place).await.unwrap()).unwrap();
        data["payload"]["metadata"][key] = value.into();
        client.keep(&entry.place, data.to_string().as_bytes()).await.unwrap();
    }
}

/// The entries of Curator's discovery; nothing where one went while they were read.
async fn discovered(client: &ZookeeperClient, service: &str) -> Result<Option<Vec<Entry>>, Failure> {
    let folder = format!("{SERVICES}/{service}");
    let mut entries = Vec::new();
    for child in client.children(&folder).await? {
        let place = format!("{folder}/{child}");
        let Ok(data) = client.data(&place).await else { return Ok(None) };
        entries.push(of_curator(place, &serde_json::from_slice(&data)?));
    }
    Ok(Some(entries))
}

fn of_curator(place: String, told: &Value) -> Entry {
    Entry {
        address: address(&told["address"], &told["port"]),
        weight: 1.0,
        healthy: told["enabled"] != false,
        metadata: pairs(&told["payload"]["metadata"]),
        place,
    }
}

fn folder(service: &str) -> String {
    let interface = service.split(':').nth(1).unwrap_or_default();
    DubboProvider::new(interface, "", 0).folder(DUBBO)
}

/// The provider whose URL is a node's name.
fn provider(folder: &str, node: &str) -> Option<Entry> {
    let (url, _) = form_urlencoded::parse(node.as_bytes()).next()?;
    let url = Url::parse(&url).ok()?;
    let metadata: std::collections::BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let weight = metadata.get("weight").and_then(|weight| weight.parse::<f64>().ok());
    Some(Entry {
        address: Address::new(url.host_str()?, url.port()?),
        weight: weight.unwrap_or(DEFAULT_WEIGHT) / DEFAULT_WEIGHT,
        healthy: metadata.get("disabled").is_none_or(|disabled| disabled != "true"),
        metadata,
        place: format!("{folder}/{node}"),
    })
}
