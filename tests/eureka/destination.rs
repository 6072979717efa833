//! Eureka as a destination, on a real Eureka 2.0.5.

use std::time::Duration;

use causeway::config::Secret;
use causeway::model::{Instance, ServiceKey};
use causeway::registries::eureka::{EurekaDestination, EurekaSettings};
use causeway::registries::{Change, Destination, InstanceCopy, Life, Renewed, Written};
use causeway_gateways::Retry;
use causeway_test_support::eureka::{EurekaOptions, Registration};

use crate::conformance::Harness;
use crate::conformance::destination::{Reader, Writer, stories};
use crate::conformance::stories::Restarts;
use crate::harness::EurekaHarness;

/// A server takes seconds to start, so what isn't about its start is told on one.
#[tokio::test(flavor = "multi_thread")]
async fn the_suite_and_what_eureka_adds_to_it() {
    let harness = EurekaHarness::start(EurekaOptions::default()).await;
    stories::the_suite(&harness).await;
    a_later_change_of_somebody_else_s_is_written_over(&harness).await;
    an_operator_s_word_is_taken_back(&harness).await;
    ports_zones_and_weights(&harness).await;
    what_no_server_takes(&harness).await;
    the_next_of_several_addresses_serves(&harness).await;
    a_restart_forgets_copies(&harness).await;
}

fn with(mut copy: InstanceCopy, change: impl FnOnce(&mut Instance)) -> InstanceCopy {
    change(&mut copy.instance);
    copy
}

/// The copy as an application would register it.
fn as_registered(writer: &Writer, copy: &InstanceCopy) -> Registration {
    let id = writer.destination.as_shown(copy).attributes["id"].clone();
    let address = &copy.instance.address;
    let metadata = copy.instance.metadata.clone();
    Registration { id, metadata, ..Registration::new(&copy.key.service, &address.host, address.port) }
}

/// A server ignores, without a word, what is older than what it holds: here from a clock that is an hour ahead.
async fn a_later_change_of_somebody_else_s_is_written_over(harness: &EurekaHarness) {
    let namespace = harness.namespace().await;
    let (writer, reader) =
        (Writer::start(harness, &namespace).await, Reader::start(harness, &namespace).await);
    let copy = writer.copy("10.0.0.1");
    writer.put(&copy).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let in_an_hour = now + Duration::from_secs(3600);
    let by_hand =
        Registration { status: "DOWN".to_owned(), dirty: Some(in_an_hour), ..as_registered(&writer, &copy) };
    harness.http.register(&by_hand).await.unwrap();
    let address = &copy.instance.address;
    reader.until("it is down", |reader| reader.copies(address).iter().any(|copy| !copy.healthy)).await;
    assert_eq!(writer.put(&copy).await, Written::Done);
    reader.shows(&writer, &copy).await;
    writer.remove(&copy).await;
    reader.end().await;
    writer.end().await;
}

async fn an_operator_s_word_is_taken_back(harness: &EurekaHarness) {
    let namespace = harness.namespace().await;
    let (writer, reader) =
        (Writer::start(harness, &namespace).await, Reader::start(harness, &namespace).await);
    let copy = writer.copy("10.0.0.1");
    let address = &copy.instance.address;
    writer.put(&copy).await;
    let registered = as_registered(&writer, &copy);
    for status in ["OUT_OF_SERVICE", "DOWN"] {
        harness.http.override_status(&registered, Some(status)).await.unwrap();
        reader
            .until("it is switched off", |reader| reader.copies(address).iter().any(|copy| !copy.usable()))
            .await;
        assert!(writer.destination.differs(&copy, &reader.copies(address)[0]), "{status}");
        assert_eq!(writer.put(&copy).await, Written::Done, "{status}");
        reader.shows(&writer, &copy).await;
        assert_eq!(writer.renew(&[reader.standing(&copy)]).await, [Renewed::Alive]);
        reader.shows(&writer, &copy).await;
    }
    writer.remove(&copy).await;
    reader.end().await;
    writer.end().await;
}

async fn ports_zones_and_weights(harness: &EurekaHarness) {
    let namespace = harness.namespace().await;
    let (writer, reader) =
        (Writer::start(harness, &namespace).await, Reader::start(harness, &namespace).await);
    let attribute = |instance: &mut Instance, name: &str, value: &str| {
        instance.attributes.insert(name.to_owned(), value.to_owned());
    };
    let secure = with(writer.copy("10.0.0.1"), |instance| attribute(instance, "protocol", "https"));
    let both = with(writer.copy("10.0.0.2"), |instance| {
        attribute(instance, "secure_port", "8443");
        attribute(instance, "zone", "z1");
    });
    writer.write(&[Change::put(secure.clone()), Change::put(both.clone())]).await;
    for (copy, name, value) in
        [(&secure, "protocol", "https"), (&both, "secure_port", "8443"), (&both, "zone", "z1")]
    {
        reader.shows(&writer, copy).await;
        assert_eq!(reader.copies(&copy.instance.address)[0].attributes[name], value);
    }
    let all = harness.http.get("/eureka/apps/orders").await.unwrap();
    assert_eq!(all["application"]["instance"][0]["vipAddress"], "orders");
    writer.write(&[Change::remove(secure), Change::remove(both)]).await;
    reader.end().await;
    writer.end().await;
}

async fn what_no_server_takes(harness: &EurekaHarness) {
    let namespace = harness.namespace().await;
    let writer = Writer::start(harness, &namespace).await;
    for (namespace, service, told) in
        [(namespace.as_str(), "x/y", "`x/y`"), ("elsewhere", "orders", "elsewhere")]
    {
        let copy = InstanceCopy { key: ServiceKey::new(namespace, service), ..writer.copy("10.0.0.1") };
        let error =
            writer.destination.write(&copy.key, &[Change::put(copy.clone())]).await.remove(0).unwrap_err();
        assert!(error.message.contains(told) && error.retry == Retry::Never, "{error}");
    }
    writer.end().await;
}

async fn the_next_of_several_addresses_serves(harness: &EurekaHarness) {
    let namespace = harness.namespace().await;
    let writer = Writer::start(harness, &namespace).await;
    let addresses = vec!["127.0.0.1:1".to_owned(), harness.address.clone()];
    let both = EurekaDestination::new(EurekaSettings { addresses, ..harness.settings.clone() }).unwrap();
    let copies = ["10.0.0.1", "10.0.0.2"].map(|host| writer.copy(host));
    let puts = copies.clone().map(Change::put);
    let errors = both.write(&copies[0].key, &puts).await;
    assert!(
        errors.iter().all(|outcome| outcome.clone().unwrap_err().message.contains("127.0.0.1:1 ")),
        "{errors:?}"
    );
    assert_eq!(both.write(&copies[0].key, &puts).await, [Ok(Written::Done), Ok(Written::Done)]);
    assert_eq!(both.renew(&copies).await, [Ok(Renewed::Alive), Ok(Renewed::Alive)]);
    let removed = both.write(&copies[0].key, &copies.clone().map(Change::remove)).await;
    assert_eq!(removed, [Ok(Written::Done), Ok(Written::Done)]);
    writer.end().await;
}

/// A server keeps nothing: after its start each renewal tells that the copy is lost, and it is put again.
async fn a_restart_forgets_copies(harness: &EurekaHarness) {
    let namespace = harness.namespace().await;
    let writer = Writer::start(harness, &namespace).await;
    let copy = writer.copy("10.0.0.1");
    writer.put(&copy).await;
    harness.stop_server().await;
    let error = writer.destination.renew(&vec![copy.clone(); 100]).await.remove(99).unwrap_err();
    assert!(
        error.message.contains(&writer.proxies[0].address()) && error.retry == Retry::Backoff(None),
        "{error}"
    );
    harness.start_server(true).await;
    assert_eq!(writer.renew(std::slice::from_ref(&copy)).await, [Renewed::Lost]);
    assert_eq!(writer.put(&copy).await, Written::Done);
    assert_eq!(writer.renew(std::slice::from_ref(&copy)).await, [Renewed::Alive]);
    let reader = Reader::start(harness, &namespace).await;
    reader.shows(&writer, &copy).await;
    reader.end().await;
    writer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights() {
    let mut harness = EurekaHarness::start(EurekaOptions { auth: true, ..EurekaOptions::default() }).await;
    let settings = |password: &str| EurekaSettings {
        user: Some("tester".to_owned()),
        password: Some(Secret::new(password)),
        ..EurekaSettings::default()
    };
    harness.settings = settings("wrong");
    let stranger = Writer::start(&harness, "default").await;
    let copy = stranger.copy("10.0.0.1");
    let error =
        stranger.destination.write(&copy.key, &[Change::put(copy.clone())]).await.remove(0).unwrap_err();
    assert!(error.message.contains("refuses us (401)") && error.retry == Retry::Backoff(None), "{error}");
    assert!(!error.message.contains("wrong"));
    stranger.end().await;
    harness.settings = settings("tester");
    let writer = Writer::start(&harness, "default").await;
    assert_eq!(writer.put(&copy).await, Written::Done);
    writer.end().await;
}

#[tokio::test]
async fn leases_are_those_that_servers_reckon_with() {
    let addresses = vec!["localhost".to_owned()];
    let destination =
        EurekaDestination::new(EurekaSettings { addresses, ..EurekaSettings::default() }).unwrap();
    let (renew_every, expires_after) = (Duration::from_secs(30), Duration::from_secs(90));
    assert_eq!(destination.life(), Life::Lease { renew_every, expires_after });
}
