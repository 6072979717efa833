//! A ZooKeeper and a Nacos with a task between them, and how Dubbo's services stand in each, read by plain clients.

use std::time::Duration;

use causeway_test_support::nacos::{NacosOptions, NacosServer};
use causeway_test_support::zookeeper::{Version, ZookeeperClient, ZookeeperServer};
use tokio::time::{Instant, sleep};
use tokio::try_join;

/// Longer than anything takes to be carried, on a busy machine.
const LIMIT: Duration = Duration::from_secs(300);
const STEP: Duration = Duration::from_millis(50);

/// What Dubbo itself calls the services in a Nacos. The dollar of a nested class is written so there.
const IN_NACOS: [&str; 3] =
    ["providers:lab.Greeter::", "providers:lab.Greeter:1.0.0:blue", "providers:lab.DubboMain___Nested::"];
/// Where they stand in a ZooKeeper, and how many of them.
const IN_ZOOKEEPER: [(&str, usize); 2] =
    [("/dubbo/lab.Greeter/providers", 2), ("/dubbo/lab.DubboMain%24Nested/providers", 1)];
/// What every copy says of itself.
const MARK: &str = "causeway-owner";

/// One of the two.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    Zookeeper,
    Nacos,
}

/// How all the services stand somewhere: each by one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    Native,
    Copied,
}

pub struct Registries {
    zookeeper: ZookeeperServer,
    nacos: NacosServer,
    client: ZookeeperClient,
}

impl Registries {
    pub async fn start() -> Self {
        let (zookeeper, nacos) =
            try_join!(ZookeeperServer::start(Version::V3_9_3), NacosServer::start(NacosOptions::default()))
                .unwrap();
        let client = ZookeeperClient::connect(&zookeeper.address()).await.unwrap();
        Self { zookeeper, nacos, client }
    }

    /// A document that carries Dubbo's interfaces both ways. What vanishes is held for a moment, and all of it may go.
    pub fn document(&self) -> String {
        let (zookeeper, nacos) = (self.zookeeper.address(), self.nacos.address());
        let protect = "protect: { hold: 2s, max_shrink: 1.0 }";
        format!(
            r#"
version: 1
owner: dubbo
admin: {{ listen: "127.0.0.1:0" }}
registries:
  - {{ name: zookeeper, type: zookeeper, addresses: ["{zookeeper}"], layout: dubbo, {protect} }}
  - {{ name: nacos, type: nacos, addresses: ["{nacos}"], {protect} }}
tasks:
  - {{ name: dubbo, source: zookeeper, destination: nacos, mode: bidirectional, match: [ {{ service: "providers:*" }} ] }}
"#
        )
    }

    /// As Dubbo's applications write it.
    pub fn address(&self, side: Side) -> String {
        match side {
            Side::Zookeeper => format!("zookeeper://{}", self.zookeeper.address()),
            Side::Nacos => format!("nacos://{}", self.nacos.address()),
        }
    }

    /// Waits until all services stand so at one side, and nothing beside them.
    pub async fn until(&self, side: Side, stands: Stands) {
        let until = Instant::now() + LIMIT;
        loop {
            let entries = match side {
                Side::Zookeeper => self.in_zookeeper().await,
                Side::Nacos => self.in_nacos().await,
            };
            let is_so = |(entries, count): &(Vec<String>, usize)| {
                entries.len() == *count
                    && entries.iter().all(|entry| entry.contains(MARK) == (stands == Stands::Copied))
            };
            if entries.iter().all(is_so) {
                return;
            }
            assert!(Instant::now() < until, "{side:?} never has all services {stands:?}: {entries:#?}");
            sleep(STEP).await;
        }
    }

    /// The entries of each place, with how many there should be.
    async fn in_zookeeper(&self) -> Vec<(Vec<String>, usize)> {
        let mut entries = Vec::new();
        for (folder, count) in IN_ZOOKEEPER {
            entries.push((self.client.children(folder).await.unwrap(), count));
        }
        entries
    }

    async fn in_nacos(&self) -> Vec<(Vec<String>, usize)> {
        let mut entries = Vec::new();
        for service in IN_NACOS {
            let instances = self.nacos.http().instances("", "DEFAULT_GROUP", service).await.unwrap();
            entries.push((instances.iter().map(ToString::to_string).collect(), 1));
        }
        entries
    }
}
