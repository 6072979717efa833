//! ZooKeeper behind the conformance suite. It has no namespaces, so each story has a chroot of its own.
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
use causeway::config::{Secret, ZookeeperLayout};
use causeway::registries::zookeeper::{Zookeeper, ZookeeperDestination, ZookeeperSettings};
use causeway_test_support::proxy::Proxy;
use causeway_test_support::zookeeper::{
    CuratorEntry, DubboProvider, Payload, Version, ZookeeperClient, ZookeeperServer,
};
use tokio::sync::{Mutex, OnceCell};

use crate::conformance::destination::{DestinationHarness, Way};
use crate::conformance::stories::{Guarded, Restarts, Stranger};
use crate::conformance::{Harness, Inst, Route, Scenario, Step};

/// Dubbo's root in a chroot of its own.
pub const DUBBO: &str = "/dubbo";
/// The root of everything that Curator's discovery holds.
pub const SERVICES: &str = "/services";
const NAMESPACE: &str = "default";
const USER: &str = "reader";
const PASSWORD: &str = "not to be told";

static SHARED: OnceCell<ZookeeperServer> = OnceCell::const_new();
static OLD: OnceCell<ZookeeperServer> = OnceCell::const_new();
static CHROOTS: AtomicUsize = AtomicUsize::new(0);

/// What an application writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    Dubbo,
    DubboApp,
    Curator,
    SpringCloud,
}

/// A ZooKeeper that the suite can use.
pub struct ZookeeperHarness {
    pub address: String,
    pub chroot: String,
    pub client: Mutex<ZookeeperClient>,
    /// What the source is told; addresses apart.
    pub settings: ZookeeperSettings,
    pub writes: Writes,
    own: Mutex<Option<ZookeeperServer>>,
}

impl ZookeeperHarness {
    /// On the server that all tests share which do not restart it.
    pub async fn shared(writes: Writes, layout: ZookeeperLayout) -> Self {
        let start = || async { ZookeeperServer::start(Version::V3_9_3).await.unwrap() };
        Self::at(&SHARED.get_or_init(start).await.address(), writes, layout).await
    }

    /// As [`ZookeeperHarness::shared`], on a server without recursive watches.
    pub async fn old(writes: Writes, layout: ZookeeperLayout) -> Self {
        let start = || async { ZookeeperServer::start(Version::V3_5_10).await.unwrap() };
        Self::at(&OLD.get_or_init(start).await.address(), writes, layout).await
    }

    /// On a server of its own, which can be stopped.
    pub async fn alone(writes: Writes, layout: ZookeeperLayout) -> Self {
        let server = ZookeeperServer::start(Version::V3_9_3).await.unwrap();
        let harness = Self::at(&server.address(), writes, layout).await;
        *harness.own.lock().await = Some(server);
        harness
    }

    /// On the servers at `address` (`host:port,…`).
    pub async fn at(address: &str, writes: Writes, layout: ZookeeperLayout) -> Self {
        let chroot = format!("/story-{}", CHROOTS.fetch_add(1, Ordering::Relaxed));
        let client = connected(address, &chroot).await;
        let settings = ZookeeperSettings { layout, ..ZookeeperSettings::default() };
        let (address, client, own) = (address.to_owned(), Mutex::new(client), Mutex::new(None));
        Self { address, chroot, client, settings, writes, own }
    }

    /// A source for `settings` on the way through a proxy.
    pub async fn route_with(&self, settings: &ZookeeperSettings) -> Route {
        let proxy = Proxy::start(&self.address).await.unwrap();
        let addresses = vec![format!("{}{}", proxy.address(), self.chroot)];
        let settings = ZookeeperSettings { addresses, ..settings.clone() };
        Route { source: Arc::new(Zookeeper::new(&settings).unwrap()), proxies: vec![proxy] }
    }

    /// A destination for `settings` on the way through a proxy.
    pub async fn way_with(&self, settings: &ZookeeperSettings) -> Way {
        let proxy = Proxy::start(&self.address).await.unwrap();
        let addresses = vec![format!("{}{}", proxy.address(), self.chroot)];
        let settings = ZookeeperSettings { addresses, ..settings.clone() };
        Way { destination: Arc::new(ZookeeperDestination::new(&settings).unwrap()), proxies: vec![proxy] }
    }

    pub async fn client(&self) -> ZookeeperClient {
        self.client.lock().await.clone()
    }

    async fn put_provider(&self, instance: &Inst) {
        let (client, provider) = (self.client().await, provider(instance));
        let folder = provider.folder(DUBBO);
        client.make(&folder).await.unwrap();
        let old = self.nodes_of(instance).await;
        let new = format!("{folder}/{}", provider.node());
        if !old.contains(&new) {
            client.replace(&old, &new).await.unwrap();
        }
    }

    /// The application's own nodes that stand at an instance's address.
    async fn nodes_of(&self, instance: &Inst) -> Vec<String> {
        let provider = provider(instance);
        let folder = provider.folder(DUBBO);
        let until_path = provider.node().split("%2Flab.").next().unwrap().to_owned();
        let all = self.client().await.children(&folder).await.unwrap();
        let is_own =
            |node: &String| node.starts_with(&format!("{until_path}%2F")) && !node.contains("causeway-owner");
        all.into_iter().filter(is_own).map(|node| format!("{folder}/{node}")).collect()
    }
}

async fn connected(address: &str, chroot: &str) -> ZookeeperClient {
    ZookeeperClient::connect(address).await.unwrap().make(chroot).await.unwrap();
    ZookeeperClient::connect(&format!("{address}{chroot}")).await.unwrap()
}

/// The interface's provider that a scenario's instance means.
pub fn provider(instance: &Inst) -> DubboProvider {
    let interface = instance.service.trim_start_matches("providers:").trim_end_matches(':');
    let mut provider = DubboProvider::new(interface, &instance.host, instance.port)
        .with("weight", &format!("{}", instance.weight * 100.0));
    for (key, value) in &instance.metadata {
        // A version would make it another service.
        provider = provider.with(if key == "version" { "revision" } else { key }, value);
    }
    if instance.enabled { provider } else { provider.with("disabled", "true") }
}

/// The entry of Curator's discovery that a scenario's instance means.
pub fn entry(writes: Writes, instance: &Inst) -> CuratorEntry {
    let mut metadata = instance.metadata.clone();
    let payload = match writes {
        Writes::SpringCloud => {
            let status = if instance.enabled { "UP" } else { "OUT_OF_SERVICE" };
            metadata.insert("instance_status".to_owned(), status.to_owned());
            Payload::SpringCloud(metadata)
        }
        Writes::DubboApp => {
            metadata.insert("dubbo.metadata.revision".to_owned(), "5c1b8f".to_owned());
            Payload::Dubbo(metadata)
        }
        Writes::Curator | Writes::Dubbo => Payload::Own(metadata),
    };
    let mut entry = CuratorEntry::new(&instance.service, &instance.host, instance.port, payload);
    entry.enabled = (writes != Writes::SpringCloud && !instance.enabled).then_some(false);
    entry
}

/// The same story in the words of Dubbo's interfaces, where a version would make another service.
pub fn of_interfaces(scenario: &Scenario) -> Scenario {
    let renamed = |name: &str| format!("providers:lab.{name}::");
    let leaked = |name: &str| -> &'static str { renamed(name).leak() };
    let one = |instance: &Inst| {
        let key = |key: &String| if key == "version" { "revision".to_owned() } else { key.clone() };
        let metadata = instance.metadata.iter().map(|(name, value)| (key(name), value.clone())).collect();
        Inst { service: renamed(&instance.service), metadata, ..instance.clone() }
    };
    let instances = |all: &[Inst]| -> Vec<Inst> { all.iter().map(one).collect() };
    let steps = scenario.steps.iter().map(|step| match step {
        Step::Put(instance) => Step::Put(one(instance)),
        Step::Remove(instance) => Step::Remove(one(instance)),
        Step::Shows(service, all) => Step::Shows(leaked(service), instances(all)),
        Step::NeverRead(service) => Step::NeverRead(leaked(service)),
        other => other.clone(),
    });
    Scenario {
        name: scenario.name,
        wanted: scenario.wanted.iter().map(|pattern| leaked(pattern)).collect::<Vec<_>>().leak(),
        before: instances(&scenario.before),
        steps: steps.collect(),
    }
}

#[async_trait]
impl Harness for ZookeeperHarness {
    async fn route(&self) -> Route {
        self.route_with(&self.settings).await
    }

    async fn namespace(&self) -> String {
        NAMESPACE.to_owned()
    }

    /// An application that isn't healthy has lost its session, so its node is gone.
    async fn put(&self, namespace: &str, instance: &Inst) {
        if !instance.healthy {
            return self.remove(namespace, instance).await;
        }
        if self.writes == Writes::Dubbo {
            return self.put_provider(instance).await;
        }
        let entry = entry(self.writes, instance);
        self.client().await.put(&entry.path(SERVICES), &entry.data()).await.unwrap();
    }

    async fn remove(&self, _: &str, instance: &Inst) {
        let nodes = match self.writes {
            Writes::Dubbo => self.nodes_of(instance).await,
            writes => vec![entry(writes, instance).path(SERVICES)],
        };
        for node in nodes {
            self.client().await.delete(&node).await.unwrap();
        }
    }

    /// What no watch tells is found when everything is read again, in rounds of 30 s and more.
    fn limit(&self) -> Duration {
        Duration::from_secs(120)
    }

    fn is_own_metadata(&self, key: &str) -> bool {
        const OF_PROVIDERS: [&str; 11] = [
            "application",
            "disabled",
            "dubbo",
            "dynamic",
            "interface",
            "methods",
            "release",
            "side",
            "timestamp",
            "weight",
            "group",
        ];
        let own = ["instance_status", "dubbo.metadata.revision"].contains(&key);
        own || (self.writes == Writes::Dubbo && OF_PROVIDERS.contains(&key))
    }
}

#[async_trait]
impl Restarts for ZookeeperHarness {
    async fn stop_server(&self) {
        self.own.lock().await.as_mut().unwrap().stop();
    }

    /// Applications come back with sessions of their own.
    async fn start_server(&self, wipe: bool) {
        self.own.lock().await.as_mut().unwrap().start_again(wipe).await.unwrap();
        *self.client.lock().await = connected(&self.address, &self.chroot).await;
    }
}

/// ZooKeeper takes any password; what it proves is asked of each node's rights.
#[async_trait]
impl Guarded for ZookeeperHarness {
    async fn stranger(&self, namespace: &str) -> Stranger {
        self.expel(namespace).await;
        let (user, password) = (Some(USER.to_owned()), Some(Secret::new(PASSWORD)));
        let settings = ZookeeperSettings { user, password, ..self.settings.clone() };
        Stranger { route: self.route_with(&settings).await, secret: PASSWORD, told: "not authorized" }
    }

    async fn admit(&self, _: &str) {
        self.client().await.restrict(SERVICES, USER, PASSWORD).await.unwrap();
    }

    async fn expel(&self, _: &str) {
        self.client().await.restrict(SERVICES, USER, "another one").await.unwrap();
    }
}

#[async_trait]
impl DestinationHarness for ZookeeperHarness {
    /// The shortest session that servers give by default, and then some.
    async fn way(&self) -> Way {
        let session_timeout = Some(Duration::from_secs(8));
        self.way_with(&ZookeeperSettings { session_timeout, ..self.settings.clone() }).await
    }

    fn service(&self) -> &'static str {
        if self.writes == Writes::Dubbo { "providers:lab.Orders::" } else { "orders" }
    }
}
