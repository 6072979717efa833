//! ZooKeeper as a destination, on real servers: 3.9.3, and 3.5.10.

use std::sync::Arc;
use std::time::Duration;

use causeway::config::{Secret, ZookeeperLayout};
use causeway::model::{Address, Instance, ServiceKey};
use causeway::registries::zookeeper::{ZookeeperDestination, ZookeeperSettings};
use causeway::registries::{Change, Destination, InstanceCopy, Life, Renewed, WriteError, Written};
use causeway_gateways::Retry;
use causeway_test_support::zookeeper::{Version, ZookeeperServer};
use futures::future::join_all;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::conformance::destination::{Way, mark, stories};
use crate::conformance::{Harness, Inst};
use crate::harness::{SERVICES, Writes, ZookeeperHarness};

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_with_dubbos_interfaces() {
    stories::the_suite(&ZookeeperHarness::shared(Writes::Dubbo, ZookeeperLayout::Dubbo).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_with_curators_discovery() {
    stories::the_suite(&ZookeeperHarness::shared(Writes::Curator, ZookeeperLayout::Curator).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_with_spring_cloud() {
    stories::the_suite(&ZookeeperHarness::shared(Writes::SpringCloud, ZookeeperLayout::SpringCloud).await)
        .await;
}

/// Each layout with nodes that no session's end removes.
#[tokio::test(flavor = "multi_thread")]
async fn the_suite_with_persistent_copies() {
    let all = [(Writes::Dubbo, ZookeeperLayout::Dubbo), (Writes::Curator, ZookeeperLayout::Curator)];
    join_all(all.map(|(writes, layout)| async move {
        let mut harness = ZookeeperHarness::shared(writes, layout).await;
        harness.settings.persistent = true;
        stories::the_suite(&harness).await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_on_an_old_server_where_names_tell_the_layout() {
    let all = [Writes::Dubbo, Writes::Curator];
    join_all(all.map(|writes| async move {
        stories::the_suite(&ZookeeperHarness::old(writes, ZookeeperLayout::Auto).await).await;
    }))
    .await;
}

fn copy(service: &str) -> InstanceCopy {
    let mut instance = Instance::new(Address::new("10.0.0.1", 80));
    mark("move").stamp(&mut instance.metadata);
    InstanceCopy::new(ServiceKey::new("default", service), mark("move"), instance)
}

async fn put(destination: &dyn Destination, copy: &InstanceCopy) -> Result<Written, WriteError> {
    destination.write(&copy.key, &[Change::put(copy.clone())]).await.remove(0)
}

/// Waits until so many nodes stand in a folder.
async fn becomes(harness: &ZookeeperHarness, folder: &str, count: usize) -> Vec<String> {
    let until = Instant::now() + LIMIT;
    loop {
        let children = harness.client().await.children(folder).await.unwrap();
        if children.len() == count {
            return children;
        }
        assert!(Instant::now() < until, "{folder}: {children:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

fn tended(way: &Way) -> CancellationToken {
    let (stop, destination) = (CancellationToken::new(), Arc::clone(&way.destination));
    let until = stop.clone();
    tokio::spawn(async move { destination.tend(until).await });
    stop
}

/// Sessions end soon enough to wait for it, and not while a busy machine stands still for a moment.
async fn curator() -> ZookeeperHarness {
    let mut harness = ZookeeperHarness::shared(Writes::Curator, ZookeeperLayout::Curator).await;
    harness.settings.session_timeout = Some(Duration::from_secs(10));
    harness
}

/// A way that is closed for longer than the session lasts takes the copies along; they are there again without a word from anybody.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_expired_session_held_is_made_again_unless_a_native_one_came() {
    let harness = curator().await;
    let way = harness.way_with(&harness.settings).await;
    let stop = tended(&way);
    for service in ["orders", "books"] {
        assert_eq!(put(way.destination.as_ref(), &copy(service)).await, Ok(Written::Done));
    }
    way.proxies[0].set(causeway_test_support::proxy::Mode::Refuse);
    way.proxies[0].cut();
    becomes(&harness, "/services/orders", 0).await;
    becomes(&harness, "/services/books", 0).await;
    harness.put("default", &Inst::new("books", "10.0.0.1", 80)).await;
    way.proxies[0].set(causeway_test_support::proxy::Mode::Pass);
    assert!(becomes(&harness, "/services/orders", 1).await[0].starts_with("causeway-"));
    assert_eq!(becomes(&harness, "/services/books", 1).await, ["10.0.0.1:80"], "the native one alone");
    stop.cancel();
}

/// Copies of a process that has left go when its session has ended, and parents stay.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_s_copies_go_with_their_session() {
    let harness = curator().await;
    let way = harness.way_with(&harness.settings).await;
    let stop = tended(&way);
    assert_eq!(put(way.destination.as_ref(), &copy("orders")).await, Ok(Written::Done));
    stop.cancel();
    sleep(Duration::from_secs(1)).await;
    becomes(&harness, "/services/orders", 1).await;
    becomes(&harness, "/services/orders", 0).await;
    assert_eq!(harness.client().await.children(SERVICES).await.unwrap(), ["orders"]);
}

/// A copy may come to live otherwise: with a session, or without.
#[tokio::test(flavor = "multi_thread")]
async fn copies_become_persistent_and_back() {
    let harness = curator().await;
    let persistent = ZookeeperSettings { persistent: true, ..harness.settings.clone() };
    let (mortal, lasting) = (harness.way_with(&harness.settings).await, harness.way_with(&persistent).await);
    assert_eq!(lasting.destination.life(), Life::Permanent);
    let (copy, path) = (copy("orders"), "/services/orders");
    for (way, lives_on) in [(&mortal, false), (&lasting, true), (&mortal, false)] {
        assert_eq!(put(way.destination.as_ref(), &copy).await, Ok(Written::Done));
        let node = format!("{path}/{}", becomes(&harness, path, 1).await[0]);
        let data = String::from_utf8(harness.client().await.data(&node).await.unwrap()).unwrap();
        assert_eq!(data.contains("STATIC"), lives_on, "{data}");
        assert_eq!(way.destination.as_shown(&copy).attributes.contains_key("ephemeral"), lives_on);
    }
    let standing = copy.clone();
    assert_eq!(mortal.destination.renew(&[standing]).await, [Ok(Renewed::Alive)]);
}

/// New nodes have the rights of the folder that they stand in; where we have none, that is told in words.
#[tokio::test(flavor = "multi_thread")]
async fn rights_are_those_of_the_folder() {
    let harness = curator().await;
    harness.client().await.make(SERVICES).await.unwrap();
    harness.client().await.restrict(SERVICES, "reader", "pw").await.unwrap();
    let with = |password: &str| {
        let (user, password) = (Some("reader".to_owned()), Some(Secret::new(password)));
        ZookeeperSettings { user, password, ..harness.settings.clone() }
    };
    let stranger = harness.way_with(&with("not to be told")).await;
    let error = put(stranger.destination.as_ref(), &copy("orders")).await.unwrap_err();
    assert_eq!(error.retry, Retry::Never);
    assert!(error.message.contains("/services") && !error.message.contains("not to be told"), "{error}");
    let reader = harness.way_with(&with("pw")).await;
    assert_eq!(put(reader.destination.as_ref(), &copy("orders")).await, Ok(Written::Done));
    let others = harness.client().await.children("/services/orders").await.unwrap_err().to_string();
    assert!(others.contains("not authorized"), "as hidden as what stands beside it: {others}");
    assert_eq!(reader.destination.renew(&[copy("orders")]).await, [Ok(Renewed::Alive)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_written_is_told() {
    let harness = curator().await;
    let way = harness.way_with(&harness.settings).await;
    let error = put(way.destination.as_ref(), &copy("a/b")).await.unwrap_err();
    assert!(error.retry == Retry::Never && error.message.contains("no node can be named `a/b`"), "{error}");
    let addresses = vec![format!("{}/no/such", harness.address)];
    let settings = ZookeeperSettings { addresses, ..harness.settings.clone() };
    let error = put(&ZookeeperDestination::new(&settings).unwrap(), &copy("orders")).await.unwrap_err();
    assert!(error.message.contains("no node /no/such"), "{error}");
}

/// Sessions are an ensemble's, so copies outlive each of its servers.
#[tokio::test(flavor = "multi_thread")]
async fn copies_outlive_each_server_of_an_ensemble() {
    let mut servers = ZookeeperServer::ensemble(Version::V3_9_3).await.unwrap();
    let addresses: Vec<String> = servers.iter().map(ZookeeperServer::address).collect();
    let session_timeout = Some(Duration::from_secs(20));
    let settings = ZookeeperSettings {
        addresses,
        layout: ZookeeperLayout::Curator,
        session_timeout,
        ..ZookeeperSettings::default()
    };
    let destination = ZookeeperDestination::new(&settings).unwrap();
    let copy = copy("orders");
    assert_eq!(put(&destination, &copy).await, Ok(Written::Done));
    for server in &mut servers {
        server.stop();
        let until = Instant::now() + LIMIT;
        while destination.renew(std::slice::from_ref(&copy)).await != [Ok(Renewed::Alive)] {
            assert!(Instant::now() < until, "two of three serve");
            sleep(Duration::from_millis(200)).await;
        }
        server.start_again(false).await.unwrap();
    }
}
