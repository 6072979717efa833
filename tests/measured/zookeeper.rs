//! ZooKeeper, in the two forms that a watch can take: names alone, and nodes with data.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use causeway::config::ZookeeperLayout;
use causeway_test_support::zookeeper::ZookeeperClient;
use futures::stream::{self, StreamExt as _};
use zookeeper_client::PersistentWatcher;

use super::first_copy;
use super::memory::{self, HEAVIEST, two_thousand};
use super::propagation::{self, Changes, Told, Watcher};
use super::zookeeper_harness::{DUBBO, SERVICES, Writes, ZookeeperHarness, provider};
use crate::conformance::{Harness, Inst, Patterns, Running};

/// The same watch as the source's and the same reading after it.
pub struct Bare {
    client: ZookeeperClient,
    watch: PersistentWatcher,
    folder: String,
}

impl Bare {
    pub async fn connect(address: &str, folder: &str) -> Self {
        let client = ZookeeperClient::connect(address).await.unwrap();
        let watch = client.watch_all(folder).await.unwrap();
        Self { client, watch, folder: folder.to_owned() }
    }
}

#[async_trait]
impl Watcher for Bare {
    async fn next(&mut self) -> Bytes {
        let changed = self.watch.changed().await;
        let children = self.client.children(&self.folder).await.unwrap();
        let is_changed = |child: &&String| changed.path == format!("{}/{child}", self.folder);
        match children.iter().find(is_changed) {
            // In Dubbo's layout the name is all there is.
            Some(_) if !self.folder.starts_with(DUBBO) => {
                self.client.data(&changed.path).await.unwrap().into()
            }
            _ => children.concat().into(),
        }
    }
}

/// The name that a service has in Dubbo's layout.
fn interface(service: &str) -> String {
    format!("providers:lab.{service}::")
}

async fn propagation(name: &str, writes: Writes, layout: ZookeeperLayout, service: &str, folder: &str) {
    let harness = ZookeeperHarness::shared(writes, layout).await;
    let (namespace, orders) = (harness.namespace().await, Inst::new(service, "10.0.0.1", 80));
    harness.put(&namespace, &orders).await;
    let running = Running::start(harness.route().await, Patterns::of(&namespace, &["*"]), &namespace);
    running.complete(harness.limit()).await;
    let bare = Bare::connect(&format!("{}{}", running.proxies[0].address(), harness.chroot), folder).await;
    let changes = Changes { count: 200, apart: Duration::from_millis(60) };
    propagation::measure(name, Told::Pushed, changes, &running, (&harness, &orders), bare).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_a_change_takes() {
    let service = interface("orders");
    let folder = provider(&Inst::new(&service, "h", 1)).folder(DUBBO);
    let (writes, layout) = (Writes::Dubbo, ZookeeperLayout::Dubbo);
    propagation("zookeeper, Dubbo's interfaces", writes, layout, &service, &folder).await;
    let (writes, layout) = (Writes::Curator, ZookeeperLayout::Curator);
    let folder = format!("{SERVICES}/orders");
    propagation("zookeeper, Curator's entries", writes, layout, "orders", &folder).await;
}

async fn memory(name: &str, writes: Writes, layout: ZookeeperLayout, written: &str, fleet: &[Inst]) {
    let harness = ZookeeperHarness::shared(writes, layout).await;
    let address = format!("{}{}", harness.address, harness.chroot);
    let registry = format!("type: zookeeper, addresses: [\"{address}\"], layout: {written}");
    memory::measure(name, &harness, &registry, fleet, HEAVIEST).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_two_thousand_services_cost() {
    let (writes, layout) = (Writes::Dubbo, ZookeeperLayout::Dubbo);
    let named = |instance: Inst| Inst { service: interface(&instance.service), ..instance };
    let fleet: Vec<Inst> = two_thousand().into_iter().map(named).collect();
    memory("zookeeper, Dubbo's interfaces", writes, layout, "dubbo", &fleet).await;
    let (writes, layout) = (Writes::Curator, ZookeeperLayout::Curator);
    memory("zookeeper, Curator's entries", writes, layout, "curator", &two_thousand()).await;
}

async fn first_copy(writes: Writes, layout: ZookeeperLayout, written: &str, service: fn(&str) -> String) {
    // With a star before it a pattern tells nothing of names, so all that earlier rounds have left would be read.
    let places = stream::iter(0..first_copy::PLACES).then(|_| ZookeeperHarness::shared(writes, layout));
    let places: Vec<ZookeeperHarness> = places.collect().await;
    let registry = |place: usize| {
        let ZookeeperHarness { address, chroot, .. } = &places[place];
        format!("type: zookeeper, addresses: [\"{address}{chroot}\"], layout: {written}")
    };
    first_copy::measure(&format!("zookeeper, layout {written}"), registry, "default", service).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_the_first_copy_takes_with_dubbo() {
    first_copy(Writes::Dubbo, ZookeeperLayout::Dubbo, "dubbo", interface).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_the_first_copy_takes_with_curator() {
    first_copy(Writes::Curator, ZookeeperLayout::Curator, "curator", str::to_owned).await;
}
