//! Nacos as a destination, on a real Nacos 3.1.0.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use causeway::config::Secret;
use causeway::model::{Address, Instance, ServiceKey};
use causeway::registries::nacos::{NacosDestination, NacosSettings};
use causeway::registries::{Change, Destination, InstanceCopy, Renewed, WriteError, Written};
use causeway_gateways::Retry;
use causeway_test_support::nacos::{ADMIN_PASSWORD, ADMIN_USER, HttpFilter, NacosOptions, NacosServer};
use tokio::time::{Instant, sleep};

use crate::conformance::around::Around;
use crate::conformance::destination::{DestinationHarness, Way, mark, stories};
use crate::conformance::{Harness, Inst, Patterns, Running};
use crate::harness::{LEASE, NacosHarness, registration};

#[tokio::test(flavor = "multi_thread")]
async fn the_suite() {
    stories::the_suite(&NacosHarness::shared().await).await;
}

/// The same server without its v3 paths, as a 2.x one is.
struct OlderApi(NacosHarness, HttpFilter);

impl Around for OlderApi {
    type Inner = NacosHarness;

    fn inner(&self) -> &NacosHarness {
        &self.0
    }
}

#[async_trait]
impl DestinationHarness for OlderApi {
    async fn way(&self) -> Way {
        Way { destination: Arc::new(destination(vec![self.1.address()], None)), proxies: Vec::new() }
    }

    fn service(&self) -> &'static str {
        "TRADE__orders"
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_api_holds_copies_too() {
    let harness = NacosHarness::shared().await;
    let server = format!("127.0.0.1:{}", harness.ports.main);
    let filter = HttpFilter::start(&server, &[("/nacos/v3/", 404)]).await.unwrap();
    let older = OlderApi(harness, filter);
    stories::a_copy_s_life(&older).await;
    stories::health(&older).await;
    stories::the_native_one_stays(&older).await;
    stories::the_copies_of_others_stay(&older).await;
    stories::a_copy_changes_hands(&older).await;
    stories::a_lost_copy_is_told(&older).await;
}

fn destination(addresses: Vec<String>, user: Option<(&str, &str)>) -> NacosDestination {
    let (user, password) = user.map(|(user, password)| (user.to_owned(), Secret::new(password))).unzip();
    let settings = NacosSettings { addresses, user, password, lease: LEASE, ..NacosSettings::default() };
    NacosDestination::new(settings).unwrap()
}

async fn on_shared_server() -> (NacosHarness, NacosDestination) {
    let harness = NacosHarness::shared().await;
    let destination = destination(vec![format!("127.0.0.1:{}", harness.ports.main)], None);
    (harness, destination)
}

fn copy(namespace: &str, service: &str, host: &str) -> InstanceCopy {
    let mut instance = Instance::new(Address::new(host, 8080));
    mark("move").stamp(&mut instance.metadata);
    InstanceCopy::new(ServiceKey::new(namespace, service), mark("move"), instance)
}

async fn put(destination: &NacosDestination, copy: &InstanceCopy) -> Result<Written, WriteError> {
    destination.write(&copy.key, &[Change::put(copy.clone())]).await.remove(0)
}

async fn renew(destination: &NacosDestination, copy: &InstanceCopy) -> Result<Renewed, WriteError> {
    let standing = InstanceCopy { instance: destination.as_shown(copy), ..copy.clone() };
    destination.renew(&[standing]).await.remove(0)
}

struct Seen {
    running: Running,
    key: ServiceKey,
}

impl Seen {
    async fn by(harness: &NacosHarness, copy: &InstanceCopy) -> Self {
        let (namespace, service) = (&copy.key.namespace, copy.key.service.as_str());
        let running = Running::start(harness.route().await, Patterns::of(namespace, &[service]), namespace);
        running.complete(harness.limit()).await;
        Self { running, key: copy.key.clone() }
    }

    fn at(&self, copy: &InstanceCopy) -> Option<Instance> {
        let reading = self.running.view.reading(&self.key)?;
        reading.snapshot.instances.get(&copy.instance.address).cloned()
    }

    async fn until(&self, what: &str, copy: &InstanceCopy, holds: impl Fn(Option<Instance>) -> bool) {
        let until = Instant::now() + Duration::from_secs(40);
        while !holds(self.at(copy)) {
            assert!(Instant::now() < until, "{what}: {:?}", self.at(copy));
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A copy lives as long as its lease says after the last renewal; an ill one stays ill while it is renewed.
#[tokio::test(flavor = "multi_thread")]
async fn copies_outlive_their_writer_by_their_lease() {
    let (harness, destination) = on_shared_server().await;
    let namespace = harness.namespace().await;
    let (left, mut ill) = (copy(&namespace, "orders", "10.0.0.1"), copy(&namespace, "orders", "10.0.0.2"));
    ill.instance.healthy = false;
    let puts = [Change::put(left.clone()), Change::put(ill.clone())];
    // The server counts from when it takes them, so never from before this.
    let written = Instant::now();
    assert_eq!(destination.write(&left.key, &puts).await, [Ok(Written::Done), Ok(Written::Done)]);
    let seen = Seen::by(&harness, &left).await;
    seen.until("it stands", &left, |shown| shown == Some(destination.as_shown(&left))).await;
    let mut unhealthy_at = None;
    while seen.at(&left).is_some() {
        assert!(written.elapsed() < LEASE.gone_after * 4, "it goes by itself");
        if seen.at(&left).is_some_and(|shown| !shown.healthy) {
            unhealthy_at.get_or_insert_with(|| written.elapsed());
        }
        assert_eq!(renew(&destination, &ill).await, Ok(Renewed::Alive));
        assert_eq!(seen.at(&ill), Some(destination.as_shown(&ill)), "it is renewed, and stays ill");
        sleep(Duration::from_millis(500)).await;
    }
    let almost = Duration::from_secs(1);
    assert!(unhealthy_at.unwrap() >= LEASE.unhealthy_after - almost, "{unhealthy_at:?}");
    assert!(written.elapsed() >= LEASE.gone_after - almost, "{:?}", written.elapsed());
    assert_eq!(renew(&destination, &left).await, Ok(Renewed::Lost));
    seen.running.end().await;
}

/// What an operator sets in the console outranks the copy: that is told, and the copy stays.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_has_set_is_told_and_left() {
    let (harness, destination) = on_shared_server().await;
    let namespace = harness.namespace().await;
    let copy = copy(&namespace, "orders", "10.0.0.1");
    assert_eq!(put(&destination, &copy).await, Ok(Written::Done));
    let seen = Seen::by(&harness, &copy).await;
    seen.until("it stands", &copy, |shown| shown.is_some()).await;
    let by_hand = registration(&namespace, &Inst::new("orders", "10.0.0.1", 8080).weight(7.0));
    harness.http.operate(&by_hand).await.unwrap();
    let outranked = |shown: Option<Instance>| shown.is_some_and(|shown| destination.differs(&copy, &shown));
    seen.until("it is outranked", &copy, outranked).await;
    // Whoever writes a moment after the last write can't tell yet.
    sleep(Duration::from_secs(3)).await;
    assert_eq!(put(&destination, &copy).await, Ok(Written::Done), "it may have been another writer");
    sleep(Duration::from_secs(3)).await;
    let told = put(&destination, &copy).await.unwrap_err();
    assert!(told.retry == Retry::Never && told.message.contains("outranks it"), "{told:?}");
    assert!(outranked(seen.at(&copy)), "and it is left so");
    seen.running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nacos_refuses_for_good_says_what_to_do() {
    let (harness, destination) = on_shared_server().await;
    let namespace = harness.namespace().await;
    let mut persistent = registration(&namespace, &Inst::new("db", "10.0.0.9", 5432));
    persistent.ephemeral = false;
    harness.http.register(&persistent).await.unwrap();
    let mut long = copy(&namespace, "long", "10.0.0.1");
    long.instance.metadata.insert("dubbo.metadata".to_owned(), "x".repeat(1000));
    let misnamed = copy(&namespace, "not a name", "10.0.0.1");
    let cases = [
        (copy(&namespace, "db", "10.0.0.1"), ["is persistent service", "exclude the service"]),
        (long, ["should not exceed 1024", "dubbo.metadata (1014)"]),
        (misnamed, ["'serviceName' is illegal", "DEFAULT_GROUP@@not a name"]),
    ];
    for (copy, words) in cases {
        let told = put(&destination, &copy).await.unwrap_err();
        assert_eq!(told.retry, Retry::Never, "{told:?}");
        assert!(words.iter().all(|word| told.message.contains(word)), "{told:?}");
    }
    harness.http.deregister(&persistent).await.unwrap();
}

/// On a server with users: an admin's copies have their namespace created; one who may only write puts them all the same. A
/// restart of the server loses all copies, which the next renewal tells.
#[tokio::test(flavor = "multi_thread")]
async fn rights_namespaces_and_a_restart() {
    let mut server =
        NacosServer::start(NacosOptions { auth: true, ..NacosOptions::default() }).await.unwrap();
    let admin = server.admin().await.unwrap();
    let as_admin = destination(vec![server.address()], Some((ADMIN_USER, ADMIN_PASSWORD)));
    let missing = copy("made-by-a-copy", "orders", "10.0.0.1");
    assert_eq!(put(&as_admin, &missing).await, Ok(Written::Done));
    let refused = admin.create_namespace("made-by-a-copy").await.unwrap_err().to_string();
    assert!(refused.contains("already exist"), "{refused}");

    admin.create_user("writer", "writers-password", "unlisted", "rw").await.unwrap();
    let as_writer = destination(vec![server.address()], Some(("writer", "writers-password")));
    let unlisted = copy("unlisted", "orders", "10.0.0.1");
    assert_eq!(put(&as_writer, &unlisted).await, Ok(Written::Done));
    assert_eq!(renew(&as_writer, &unlisted).await, Ok(Renewed::Alive));
    let told = put(&as_writer, &copy("made-by-a-copy", "orders", "10.0.0.2")).await.unwrap_err();
    assert!(told.retry == Retry::Backoff(None) && told.message.contains("refuses"), "{told:?}");
    assert!(!told.message.contains("writers-password"));

    server.start_again(false).await.unwrap();
    assert_eq!(renew(&as_admin, &missing).await, Ok(Renewed::Lost));
    assert_eq!(put(&as_admin, &missing).await, Ok(Written::Done));
    assert_eq!(renew(&as_admin, &missing).await, Ok(Renewed::Alive));
}
