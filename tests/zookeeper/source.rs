//! ZooKeeper as a source, on real servers: 3.9.3, and 3.5.10 for what came before recursive watches.

use std::sync::Arc;
use std::time::Duration;

use causeway::config::{self, ZookeeperLayout};
use causeway::guard::Scope;
use causeway::model::{Address, ServiceKey};
use causeway::registries::zookeeper::{Zookeeper, ZookeeperSettings};
use causeway::registries::{Reading, build};
use causeway_test_support::proxy::{Mode, Proxy};
use causeway_test_support::zookeeper::{CuratorEntry, DubboProvider, Payload, Version, ZookeeperServer};
use futures::stream::{self, StreamExt};

use crate::conformance::{Harness, Inst, Patterns, Route, Running, play, scenarios, stories};
use crate::harness::{DUBBO, SERVICES, Writes, ZookeeperHarness, entry, of_interfaces};

/// Each layout plays every scenario, on either kind of watch.
async fn play_all(old: bool, writes: Writes, layout: ZookeeperLayout) {
    let all = scenarios::all().into_iter().map(|scenario| async move {
        let harness = match old {
            true => ZookeeperHarness::old(writes, layout).await,
            false => ZookeeperHarness::shared(writes, layout).await,
        };
        if writes == Writes::Dubbo {
            play(&harness, &of_interfaces(&scenario)).await;
        } else {
            play(&harness, &scenario).await;
        }
    });
    futures::future::join_all(all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_with_dubbos_interfaces() {
    play_all(false, Writes::Dubbo, ZookeeperLayout::Dubbo).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_with_dubbos_applications() {
    play_all(false, Writes::DubboApp, ZookeeperLayout::DubboApp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_with_curators_discovery() {
    play_all(false, Writes::Curator, ZookeeperLayout::Curator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_with_spring_cloud() {
    play_all(false, Writes::SpringCloud, ZookeeperLayout::SpringCloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_before_recursive_watches() {
    play_all(true, Writes::Dubbo, ZookeeperLayout::Dubbo).await;
    play_all(true, Writes::Curator, ZookeeperLayout::Curator).await;
}

async fn shared() -> ZookeeperHarness {
    ZookeeperHarness::shared(Writes::Curator, ZookeeperLayout::Curator).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet() {
    stories::a_fleet(&shared().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_before_recursive_watches() {
    stories::a_fleet(&ZookeeperHarness::old(Writes::Curator, ZookeeperLayout::Curator).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_swallows_everything() {
    stories::a_path_that_swallows_everything(&shared().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_wrong_then_right_then_revoked() {
    stories::credentials_wrong_then_right_then_revoked(&shared().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_and_without_its_data() {
    for keep in [true, false] {
        let harness = ZookeeperHarness::alone(Writes::Curator, ZookeeperLayout::Curator).await;
        stories::a_restart(&harness, keep).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_between_two_questions() {
    let harness = ZookeeperHarness::alone(Writes::Curator, ZookeeperLayout::Curator).await;
    stories::a_restart_between_two_questions(&harness).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_without_the_server() {
    let harness = ZookeeperHarness::alone(Writes::Curator, ZookeeperLayout::Curator).await;
    stories::a_minute_without_the_server(&harness).await;
}

fn key(service: &str) -> ServiceKey {
    ServiceKey::new("default", service)
}

async fn becomes(running: &Running, service: &str, what: impl Fn(&Reading) -> bool) {
    for _ in 0..8000 {
        if running.view.reading(&key(service)).is_some_and(|reading| what(&reading)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{service}: {:?}; {:?}", running.view.reading(&key(service)), running.view.unknowns());
}

fn with(count: usize) -> impl Fn(&Reading) -> bool {
    move |reading| reading.snapshot.instances.len() == count
}

/// A Dubbo that registers at both levels, Spring Cloud and Curator side by side, under roots that come into being later.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_decides_how_it_is_read() {
    let harness = ZookeeperHarness::shared(Writes::Curator, ZookeeperLayout::Auto).await;
    let running = Running::start(harness.route().await, Patterns::of("default", &["*"]), "default");
    running.complete(harness.limit()).await;
    assert!(running.view.services().is_empty(), "none of the roots is there yet");

    let client = harness.client().await;
    let provider =
        DubboProvider::new("lab.Hello", "10.0.0.9", 18370).with("version", "1.0.0").with("group", "g");
    client.make("/dubbo/metadata/lab.Hello/1.0.0/provider/demo").await.unwrap();
    client.make("/dubbo/mapping/lab.Hello").await.unwrap();
    client.make("/dubbo/lab.Hello/consumers").await.unwrap();
    client.put(&format!("{}/{}", provider.folder(DUBBO), provider.node()), b"10.0.0.9").await.unwrap();
    becomes(&running, "providers:lab.Hello:1.0.0:g", with(1)).await;

    let revision = [("dubbo.metadata.revision".to_owned(), "1".to_owned())].into();
    let lane = || [("lane".to_owned(), "blue".to_owned())].into();
    for (service, payload) in [
        ("demo", Payload::Dubbo(revision)),
        ("sc-app", Payload::SpringCloud(lane())),
        ("plain", Payload::Null),
    ] {
        let entry = CuratorEntry::new(service, "10.0.0.9", 80, payload);
        client.put(&entry.path(SERVICES), &entry.data()).await.unwrap();
        becomes(&running, service, with(1)).await;
    }
    let expected = ["demo", "plain", "providers:lab.Hello:1.0.0:g", "sc-app"].map(key);
    assert_eq!(running.view.services().into_iter().collect::<Vec<_>>(), expected);
    running.end().await;
}

/// Where a root is named, its first child that holds something tells.
#[tokio::test(flavor = "multi_thread")]
async fn a_named_root_is_read_by_what_it_holds() {
    let harness = shared().await;
    let client = harness.client().await;
    let provider = DubboProvider::new("lab.Outer$Inner", "10.0.0.1", 80);
    let entry = CuratorEntry::new("orders", "10.0.0.1", 80, Payload::Null);
    for (root, service) in [("/team/rpc", "providers:lab.Outer$Inner::"), ("/team/http", "orders")] {
        let settings = ZookeeperSettings { root: Some(root.to_owned()), ..ZookeeperSettings::default() };
        let route = harness.route_with(&settings).await;
        let running = Running::start(route, Patterns::of("default", &["*"]), "default");
        running.complete(harness.limit()).await;
        if service == "orders" {
            client.put(&entry.path(root), &entry.data()).await.unwrap();
        } else {
            client.put(&format!("{}/{}", provider.folder(root), provider.node()), b"").await.unwrap();
        }
        becomes(&running, service, with(1)).await;
        running.end().await;
    }
}

/// A provider that restarts has a node of another name, beside its old one until the old session ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_node_name_is_no_other_instance() {
    let harness = ZookeeperHarness::shared(Writes::Dubbo, ZookeeperLayout::Dubbo).await;
    let client = harness.client().await;
    let provider = |timestamp: &str, version: &str| {
        let provider = DubboProvider::new("lab.Hello", "10.0.0.1", 80);
        provider.with("timestamp", timestamp).with("release", version)
    };
    let (old, new) = (provider("1", "3.3.2"), provider("2", "3.3.3"));
    let path = |provider: &DubboProvider| format!("{}/{}", provider.folder(DUBBO), provider.node());
    client.put(&path(&old), b"").await.unwrap();
    let running = Running::start(harness.route().await, Patterns::of("default", &["*"]), "default");
    running.complete(harness.limit()).await;
    let mut events = running.view.subscribe();
    let service = "providers:lab.Hello::";
    let release = |reading: &Reading| {
        let instance = reading.snapshot.instances.get(&Address::new("10.0.0.1", 80));
        instance.map(|instance| instance.metadata["release"].clone())
    };

    client.put(&path(&new), b"").await.unwrap();
    becomes(&running, service, |reading| release(reading).as_deref() == Some("3.3.3")).await;
    client.delete(&path(&old)).await.unwrap();
    // What comes later is seen later, so by then the old node's end was seen.
    client
        .put(&format!("{DUBBO}/lab.Later/providers/{}", DubboProvider::new("lab.Later", "h", 1).node()), b"")
        .await
        .unwrap();
    becomes(&running, "providers:lab.Later::", with(1)).await;
    let mut told = 0;
    while let Ok(event) = events.try_recv() {
        told += usize::from(event == causeway::registries::ViewEvent::Service(key(service)));
    }
    assert_eq!(told, 1, "the old node's end changes nothing");
    assert_eq!(
        running.view.reading(&key(service)).and_then(|reading| release(&reading)).as_deref(),
        Some("3.3.3")
    );
    running.end().await;
}

/// Rights that are taken away keep events from us without a word, so everything is read again in turn.
#[tokio::test(flavor = "multi_thread")]
async fn one_unreadable_service_holds_up_no_other() {
    let harness = shared().await;
    let (orders, books) = (Inst::new("orders", "10.0.0.1", 80), Inst::new("books", "10.0.0.1", 80));
    for instance in [&orders, &books] {
        harness.put("default", instance).await;
    }
    let running = Running::start(harness.route().await, Patterns::of("default", &["*"]), "default");
    running.complete(harness.limit()).await;
    harness.client().await.restrict(&format!("{SERVICES}/orders"), "somebody", "else").await.unwrap();
    running.is_unknown(harness.limit(), true).await;
    let unknown: Vec<Scope> = running.view.unknowns().into_keys().collect();
    assert_eq!(unknown, [Scope::Service(key("orders"))]);
    running.shows(&harness, "orders", &[orders]).await;
    let changed = books.with("v", "2");
    harness.put("default", &changed).await;
    running.shows(&harness, "books", &[changed]).await;
    running.end().await;
}

/// What was an instance stays one while its data make no sense; what never was is left out.
#[tokio::test(flavor = "multi_thread")]
async fn senseless_data_end_no_instance() {
    let harness = shared().await;
    let (client, orders) = (harness.client().await, Inst::new("orders", "10.0.0.1", 80));
    harness.put("default", &orders).await;
    client.put(&format!("{SERVICES}/orders/lock"), b"").await.unwrap();
    let running = Running::start(harness.route().await, Patterns::of("default", &["*"]), "default");
    running.complete(harness.limit()).await;
    client.put(&format!("{SERVICES}/orders/10.0.0.1:80"), b"{").await.unwrap();
    let other = Inst::new("orders", "10.0.0.2", 80);
    harness.put("default", &other).await;
    running.shows(&harness, "orders", &[orders.clone(), other.clone()]).await;
    harness.remove("default", &orders).await;
    running.shows(&harness, "orders", &[other]).await;
    running.end().await;
}

/// A list of providers is their URLs, so that of a large service is larger than what a request may be (1 MiB).
#[tokio::test(flavor = "multi_thread")]
async fn a_list_may_be_larger_than_a_packet() {
    const PROVIDERS: u16 = 2000;
    let harness = ZookeeperHarness::shared(Writes::Dubbo, ZookeeperLayout::Dubbo).await;
    let client = harness.client().await;
    let provider =
        |port: u16| DubboProvider::new("lab.Hello", "10.0.0.1", port).with("methods", &"method,".repeat(80));
    let folder = provider(1).folder(DUBBO);
    client.make(&folder).await.unwrap();
    let nodes = (1..=PROVIDERS).map(|port| format!("{folder}/{}", provider(port).node()));
    assert!(nodes.clone().map(|node| node.len()).sum::<usize>() > 1 << 20);
    stream::iter(nodes).for_each_concurrent(32, async |node| client.put(&node, b"").await.unwrap()).await;
    let running = Running::start(harness.route().await, Patterns::of("default", &["*"]), "default");
    running.complete(harness.limit()).await;
    becomes(&running, "providers:lab.Hello::", with(usize::from(PROVIDERS))).await;
    client.put(&format!("{folder}/{}", provider(PROVIDERS + 1).node()), b"").await.unwrap();
    becomes(&running, "providers:lab.Hello::", with(usize::from(PROVIDERS) + 1)).await;
    running.end().await;
}

/// A chroot is made by people; one that isn't there is a mistake, not an empty registry.
#[tokio::test(flavor = "multi_thread")]
async fn a_chroot_that_is_not_there_is_unknown_and_not_empty() {
    let harness = shared().await;
    let addresses = vec![format!("{}/no/such", harness.address)];
    let settings = ZookeeperSettings { addresses, ..ZookeeperSettings::default() };
    let route = Route { source: Arc::new(Zookeeper::new(&settings).unwrap()), proxies: Vec::new() };
    let running = Running::start(route, Patterns::of("default", &["*"]), "default");
    let reasons = running.is_unknown(harness.limit(), true).await;
    assert!(reasons[0].contains("no node /no/such"), "{reasons:?}");
    assert!(!running.view.progress().borrow().complete);
    running.end().await;
}

/// Any of an ensemble's servers serves, and one that is lost costs no change.
#[tokio::test(flavor = "multi_thread")]
async fn an_ensemble_survives_each_of_its_servers() {
    let mut servers = ZookeeperServer::ensemble(Version::V3_9_3).await.unwrap();
    let addresses: Vec<String> = servers.iter().map(ZookeeperServer::address).collect();
    let harness = ZookeeperHarness::at(&addresses.join(","), Writes::Curator, ZookeeperLayout::Curator).await;
    let mut orders = Inst::new("orders", "10.0.0.1", 80);
    harness.put("default", &orders).await;
    let addresses = addresses.iter().map(|address| format!("{address}{}", harness.chroot)).collect();
    let settings = ZookeeperSettings { addresses, ..harness.settings.clone() };
    let route = Route { source: Arc::new(Zookeeper::new(&settings).unwrap()), proxies: Vec::new() };
    let running = Running::start(route, Patterns::of("default", &["*"]), "default");
    running.complete(harness.limit()).await;
    for (round, server) in servers.iter_mut().enumerate() {
        server.stop();
        orders = orders.with("round", &round.to_string());
        // The application's own client may be without a server for a moment, too.
        while harness
            .client()
            .await
            .put(&format!("{SERVICES}/orders/10.0.0.1:80"), &data_of(&orders))
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        running.shows(&harness, "orders", &[orders.clone()]).await;
        running.is_unknown(harness.limit(), false).await;
        server.start_again(false).await.unwrap();
    }
    running.end().await;
}

fn data_of(instance: &Inst) -> Vec<u8> {
    entry(Writes::Curator, instance).data()
}

/// Two of three are gone: the last one takes connections and serves nobody, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_quorum_is_told_in_the_servers_words() {
    let mut servers = ZookeeperServer::ensemble(Version::V3_9_3).await.unwrap();
    let last = servers.pop().unwrap();
    drop(servers);
    let settings = ZookeeperSettings { addresses: vec![last.address()], ..ZookeeperSettings::default() };
    let route = Route { source: Arc::new(Zookeeper::new(&settings).unwrap()), proxies: Vec::new() };
    let running = Running::start(route, Patterns::of("default", &["*"]), "default");
    let reasons = running.is_unknown(Duration::from_secs(40), true).await;
    assert!(reasons[0].contains("no quorum") || reasons[0].contains("may be starting"), "{reasons:?}");
    running.end().await;
}

/// A source that is stopped while it is cut off leaves nothing behind, and a refused port is told as such.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_where_nobody_is_is_told() {
    let harness = shared().await;
    let route = harness.route().await;
    route.proxies[0].set(Mode::Refuse);
    let running = Running::start(route, Patterns::of("default", &["*"]), "default");
    let reasons = running.is_unknown(harness.limit(), true).await;
    assert!(reasons[0].contains(&running.proxies[0].address()), "{reasons:?}");
    running.end().await;
}

/// MSE Sync's document with its source as a ZooKeeper.
#[tokio::test(flavor = "multi_thread")]
async fn mse_syncs_document_reads_what_it_finds() {
    let harness = shared().await;
    harness.put("default", &Inst::new("orders", "10.0.0.1", 80)).await;
    let proxy = Proxy::start(&harness.address).await.unwrap();
    let document = include_str!("../data/examples/mse-sync.yaml")
        .replacen("127.0.0.1:8848", &format!("{}{}", proxy.address(), harness.chroot), 1)
        .replacen("clusterType: NACOS ", "clusterType: ZOOKEEPER ", 1)
        .replacen("namespace: public,test ", "namespace: \"\" ", 1);
    let config = config::parse(&document, "mse-sync.yaml", &|_| None).unwrap().config;
    assert_eq!(config.registries["src"].layout, ZookeeperLayout::Auto);
    let route = Route { source: build(&config.registries["src"]).unwrap(), proxies: vec![proxy] };
    let task = &config.tasks[0];
    let running = Running::start(route, Patterns::of("default", &["*"]), "default");
    running.complete(harness.limit()).await;
    becomes(&running, "orders", with(1)).await;
    assert!(task.matches.iter().any(|entry| entry.fits("default", "orders")));
    running.end().await;
}
