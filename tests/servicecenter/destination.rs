//! Service-center as a destination, on a real service-center 1.4.8.

use std::time::Duration;

use causeway::config::Secret;
use causeway::model::{Address, Instance, ServiceKey};
use causeway::registries::servicecenter::{ServiceCenterDestination, ServiceCenterSettings};
use causeway::registries::{Change, Destination, InstanceCopy, Renewed, WriteError, Written};
use causeway_gateways::Retry;
use causeway_test_support::proxy::Proxy;
use causeway_test_support::servicecenter::{Service, ServiceCenterHttp, ServiceCenterOptions};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::conformance::Inst;
use crate::conformance::destination::{mark, stories};
use crate::harness::{ServiceCenterHarness, registration};

const WRITER: &str = "writer";
const PASSWORD: &str = "Writing_is_allowed_1";

#[tokio::test(flavor = "multi_thread")]
async fn the_suite() {
    stories::the_suite(&ServiceCenterHarness::plain().await).await;
}

fn copy(service: &str, pairs: &[(&str, &str)]) -> InstanceCopy {
    let mut instance = Instance::new(Address::new("10.0.0.1", 80));
    instance.metadata.extend(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    mark("move").stamp(&mut instance.metadata);
    InstanceCopy::new(ServiceKey::new("shop", service), mark("move"), instance)
}

async fn put(destination: &dyn Destination, copy: &InstanceCopy) -> Result<Written, WriteError> {
    destination.write(&copy.key, &[Change::put(copy.clone())]).await.remove(0)
}

/// Waits until the server shows exactly one instance of a service, and it is as wanted.
async fn becomes(http: &ServiceCenterHttp, service: &str, wanted: impl Fn(&Value) -> bool) {
    let id = http.create(&Service::new("shop", service)).await.unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let shown = http.instances(&id).await.unwrap();
        if shown.as_array().is_some_and(|all| all.len() == 1 && wanted(&all[0])) {
            return;
        }
        assert!(Instant::now() < until, "{shown:#}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Whoever empties a copy by hand takes its marks away; it is known by its id.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_without_its_marks_is_put_right() {
    let harness = ServiceCenterHarness::plain().await;
    let (http, way) = (harness.http().await, harness.way_with(harness.settings.clone()).await);
    let destination = way.destination.as_ref();
    let copy = copy("cart", &[("zone", "a")]);
    assert_eq!(put(destination, &copy).await, Ok(Written::Done));
    let id = http.create(&Service::new("shop", "cart")).await.unwrap();
    let emptied = |instance: &str| {
        let mut registration = registration("shop", &Inst::new("cart", "h", 1));
        (registration.id, registration.properties) =
            (instance.to_owned(), [("by".to_owned(), "hand".to_owned())].into());
        registration
    };
    let given = http.instances(&id).await.unwrap()[0]["instanceId"].as_str().unwrap().to_owned();
    http.set_properties(&id, &emptied(&given)).await.unwrap();
    becomes(&http, "cart", |it| it["properties"]["by"] == "hand").await;
    assert_eq!(put(destination, &copy).await, Ok(Written::Done));
    becomes(&http, "cart", |it| {
        it["properties"]["zone"] == "a" && it["properties"]["causeway-task"] == "move"
    })
    .await;
}

/// Opening the console empties the properties in the cache of a 1.4.8, from which the server would write them back.
#[tokio::test(flavor = "multi_thread")]
async fn properties_that_vanished_from_the_servers_cache_are_not_lost() {
    let harness = ServiceCenterHarness::plain().await;
    let (http, way) = (harness.http().await, harness.way_with(harness.settings.clone()).await);
    let destination = way.destination.as_ref();
    let mut copy = copy("cart", &[("zone", "a")]);
    assert_eq!(put(destination, &copy).await, Ok(Written::Done));
    becomes(&http, "cart", |it| it["properties"]["zone"] == "a").await;
    http.open_console().await.unwrap();
    becomes(&http, "cart", |it| it["properties"].is_null()).await;
    copy.instance.healthy = false;
    assert_eq!(put(destination, &copy).await, Ok(Written::Done));
    becomes(&http, "cart", |it| it["status"] == "DOWN" && it["properties"]["zone"] == "a").await;
}

/// A copy that nobody renews is gone when its lease has ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_ends_is_told() {
    let harness = ServiceCenterHarness::plain().await;
    let settings = ServiceCenterSettings {
        heartbeat_interval: Duration::from_secs(1),
        missed_heartbeats: 1,
        ..harness.settings.clone()
    };
    let way = harness.way_with(settings).await;
    let destination = way.destination.as_ref();
    let copy = copy("cart", &[]);
    assert_eq!(put(destination, &copy).await, Ok(Written::Done));
    let until = Instant::now() + Duration::from_secs(60);
    while destination.renew(std::slice::from_ref(&copy)).await != [Ok(Renewed::Lost)] {
        assert!(Instant::now() < until, "its lease of two seconds never ends");
        sleep(Duration::from_secs(4)).await;
    }
    // With a lease that doesn't end meanwhile.
    let way = harness.way_with(harness.settings.clone()).await;
    assert_eq!(put(way.destination.as_ref(), &copy).await, Ok(Written::Done));
    assert_eq!(way.destination.renew(&[copy]).await, [Ok(Renewed::Alive)]);
}

/// What the server's grammar refuses is told in words, and asked of no server.
#[tokio::test(flavor = "multi_thread")]
async fn names_that_the_server_refuses_are_told() {
    let settings = ServiceCenterSettings {
        addresses: vec!["127.0.0.1:1".to_owned()],
        ..ServiceCenterSettings::default()
    };
    let destination = ServiceCenterDestination::new(&settings).unwrap();
    let error = put(&destination, &copy("providers:lab.Hello::", &[])).await.unwrap_err();
    assert_eq!(error.retry, Retry::Never);
    assert!(error.message.contains("`providers:lab.Hello::`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_asked_for_and_may_come_later() {
    let harness = ServiceCenterHarness::start(ServiceCenterOptions {
        accounts: true,
        ..ServiceCenterOptions::default()
    })
    .await;
    let way = async |account: Option<&str>| {
        let (user, password) = (account.map(str::to_owned), account.map(|_| Secret::new(PASSWORD)));
        harness.way_with(ServiceCenterSettings { user, password, ..ServiceCenterSettings::default() }).await
    };
    let (nobody, writer) = (way(None).await, way(Some(WRITER)).await);
    let (nobody, writer) = (nobody.destination.as_ref(), writer.destination.as_ref());
    let copy = copy("cart", &[]);
    for (destination, told) in [(nobody, "401002"), (writer, "check `user` and `password`")] {
        let error = put(destination, &copy).await.unwrap_err();
        assert!(matches!(error.retry, Retry::Backoff(_)), "{error:?}");
        assert!(error.message.contains(told) && !error.message.contains(PASSWORD), "{error}");
    }
    harness.http().await.create_account(WRITER, PASSWORD).await.unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while put(writer, &copy).await != Ok(Written::Done) {
        assert!(Instant::now() < until, "who was refused tries again after five seconds");
        sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(writer.renew(&[copy]).await, [Ok(Renewed::Alive)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_address_takes_over() {
    let harness = ServiceCenterHarness::plain().await;
    let (gone, stays) =
        (Proxy::start(&harness.address).await.unwrap(), Proxy::start(&harness.address).await.unwrap());
    let addresses = vec![gone.address(), stays.address()];
    let settings = ServiceCenterSettings { addresses, ..ServiceCenterSettings::default() };
    let destination = ServiceCenterDestination::new(&settings).unwrap();
    let copy = copy("cart", &[]);
    assert_eq!(put(&destination, &copy).await, Ok(Written::Done));
    drop(gone);
    let error = destination.renew(std::slice::from_ref(&copy)).await.remove(0).unwrap_err();
    assert!(matches!(error.retry, Retry::Backoff(_)), "{error:?}");
    assert_eq!(destination.renew(&[copy]).await, [Ok(Renewed::Alive)], "the next try asks the other one");
}
