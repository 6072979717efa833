//! Consul as a destination, on a real Consul 1.15.4.

use causeway::config::Secret;
use causeway::model::{Address, Instance, Metadata, ServiceKey};
use causeway::registries::consul::{ConsulDestination, ConsulSettings};
use causeway::registries::{Change, Destination, InstanceCopy, Written};
use causeway_gateways::Retry;
use causeway_test_support::consul::{ConsulOptions, Registration};
use serde_json::Value;

use crate::conformance::destination::{Reader, Writer, mark, stories};
use crate::conformance::stories::Restarts;
use crate::harness::ConsulHarness;

#[tokio::test(flavor = "multi_thread")]
async fn the_suite() {
    stories::the_suite(&ConsulHarness::plain().await).await;
}

fn with(mut copy: InstanceCopy, change: impl FnOnce(&mut Instance)) -> InstanceCopy {
    change(&mut copy.instance);
    copy
}

fn node_of(destination: &dyn Destination, copy: &InstanceCopy) -> String {
    destination.as_shown(copy).attributes["node"].clone()
}

async fn node(harness: &ConsulHarness, name: &str) -> Value {
    harness.http.get(&format!("/v1/catalog/node-services/{name}")).await.unwrap()["Node"].clone()
}

/// A change of a node wakes everybody who watches one of its services.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_has_a_node_of_its_own_which_never_changes_and_goes_with_the_last_copy() {
    let harness = ConsulHarness::plain().await;
    let writer = Writer::start(&harness, "default").await;
    let (first, second) = (writer.copy("10.0.0.1"), writer.copy("10.0.0.2"));
    let other = writer.copy_of(&mark("another-task"), "10.0.0.3");
    let payments = InstanceCopy { key: ServiceKey::new("default", "payments"), ..second.clone() };
    let name = node_of(&*writer.destination, &first);
    writer.put(&first).await;
    let made = node(&harness, &name).await;
    assert_eq!(
        (made["Meta"]["external-node"].as_str(), made["Meta"]["causeway-task"].as_str()),
        (Some("true"), Some("move"))
    );
    writer.put(&other).await;
    writer.put(&second).await;
    let outcomes = writer.destination.write(&payments.key, &[Change::put(payments.clone())]).await;
    assert_eq!(outcomes, [Ok(Written::Done)]);
    assert_eq!(node(&harness, &name).await, made, "as it was made");

    writer.write(&[Change::remove(first), Change::remove(second)]).await;
    assert_eq!(node(&harness, &name).await, made, "it has another service");
    let outcomes = writer.destination.write(&payments.key, &[Change::remove(payments.clone())]).await;
    assert_eq!(outcomes, [Ok(Written::Done)]);
    assert!(node(&harness, &name).await.is_null(), "it is empty");
    assert!(!node(&harness, &node_of(&*writer.destination, &other)).await.is_null(), "another task's");
    writer.end().await;
}

/// An agent would take the copies away, and lose its address to us.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_somebody_else_is_not_touched() {
    let harness = ConsulHarness::plain().await;
    let writer = Writer::start(&harness, "default").await;
    let copy = writer.copy("10.0.0.1");
    let name = node_of(&*writer.destination, &copy);
    let theirs = Registration { node: name.clone(), ..Registration::new("theirs", "10.0.0.9", 80) };
    harness.http.register(&theirs).await.unwrap();
    let before = node(&harness, &name).await;
    let error =
        writer.destination.write(&copy.key, &[Change::put(copy.clone())]).await.remove(0).unwrap_err();
    assert_eq!(error.retry, Retry::Never);
    assert!(error.message.contains(&format!("the node {name}")), "{error}");
    assert_eq!(node(&harness, &name).await, before);
    writer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_refused_takes_no_other_with_it() {
    let harness = ConsulHarness::plain().await;
    let (writer, reader) =
        (Writer::start(&harness, "default").await, Reader::start(&harness, "default").await);
    let hosts = ["10.0.0.1", "0.0.0.0", "10.0.0.2"];
    let copies = hosts.map(|host| writer.copy(host));
    let outcomes = writer.destination.write(&copies[0].key, &copies.clone().map(Change::put)).await;
    let error = outcomes[1].clone().unwrap_err();
    assert_eq!(error.retry, Retry::Never);
    assert!(
        error.message.contains("0.0.0.0:8080 of default/orders")
            && error.message.contains("Invalid service address"),
        "{error}"
    );
    assert_eq!((&outcomes[0], &outcomes[2]), (&Ok(Written::Done), &Ok(Written::Done)));
    reader.shows(&writer, &copies[0]).await;
    reader.shows(&writer, &copies[2]).await;
    reader.end().await;
    writer.end().await;
}

fn metadata(pairs: usize, length: usize) -> Metadata {
    (0..pairs).map(|n| (format!("key-{n:03}"), "v".repeat(length))).collect()
}

/// A transaction beyond 512 KiB isn't answered: the server ends the connection.
#[tokio::test(flavor = "multi_thread")]
async fn much_metadata_is_cut_into_transactions_and_too_much_is_left_out() {
    let harness = ConsulHarness::plain().await;
    let (writer, reader) =
        (Writer::start(&harness, "default").await, Reader::start(&harness, "default").await);
    let large = |n: usize| {
        with(writer.copy(&format!("10.0.0.{n}")), |instance| instance.metadata.extend(metadata(50, 500)))
    };
    let copies: Vec<InstanceCopy> = (1..=40).map(large).collect();
    let puts: Vec<Change> = copies.iter().cloned().map(Change::put).collect();
    assert!(writer.write(&puts).await.iter().all(|written| *written == Written::Done));
    reader.shows(&writer, &copies[0]).await;
    reader.shows(&writer, &copies[39]).await;
    let beyond = with(writer.copy("10.0.1.1"), |instance| {
        instance.metadata.extend(metadata(70, 1));
        instance.metadata.insert("long".to_owned(), "é".repeat(257));
    });
    assert_eq!(writer.put(&beyond).await, Written::Done);
    assert_eq!(writer.destination.as_shown(&beyond).metadata.len(), 64);
    reader.shows(&writer, &beyond).await;
    reader.end().await;
    writer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_carried_and_what_was_changed_by_hand_is_put_right() {
    let harness = ConsulHarness::plain().await;
    let (writer, reader) =
        (Writer::start(&harness, "default").await, Reader::start(&harness, "default").await);
    let copy = with(writer.copy("10.0.0.1"), |instance| {
        instance
            .metadata
            .extend([("tag.v1".to_owned(), "true".to_owned()), ("tag.v2".to_owned(), "no".to_owned())]);
    });
    writer.put(&copy).await;
    reader.shows(&writer, &copy).await;
    let shown = writer.destination.as_shown(&copy);
    let entries = harness.http.get("/v1/health/service/orders").await.unwrap();
    assert_eq!(entries[0]["Service"]["Tags"], serde_json::json!(["v1"]));
    let by_hand = Registration {
        node: shown.attributes["node"].clone(),
        id: shown.attributes["id"].clone(),
        meta: writer.copy("10.0.0.1").instance.metadata,
        ..Registration::new("orders", "10.0.0.1", 8080).check("critical")
    };
    harness.http.register(&by_hand).await.unwrap();
    let address = &copy.instance.address;
    reader.until("it is changed", |reader| reader.copies(address).iter().all(|copy| !copy.healthy)).await;
    assert!(writer.destination.differs(&copy, &reader.copies(address)[0]));
    assert_eq!(writer.put(&copy).await, Written::Done);
    reader.shows(&writer, &copy).await;

    let unmarked = Registration { meta: Metadata::new(), ..by_hand };
    harness.http.register(&unmarked).await.unwrap();
    reader
        .until("its marks are gone", |reader| {
            reader.copies(address).iter().all(|copy| copy.metadata.is_empty())
        })
        .await;
    assert_eq!(writer.put(&copy).await, Written::Done, "it is known by its id");
    reader.shows(&writer, &copy).await;

    let meta = Metadata::from([("causeway-owner".to_owned(), "somebody-else".to_owned())]);
    harness.http.register(&Registration { meta, ..unmarked }).await.unwrap();
    assert_eq!(writer.put(&copy).await, Written::Taken, "it is somebody else's now");
    assert_eq!(writer.remove(&copy).await, Written::Taken);
    reader.end().await;
    writer.end().await;
}

/// A server that lost everything lost the node, too.
#[tokio::test(flavor = "multi_thread")]
async fn after_an_empty_restart_everything_is_put_again() {
    let harness = ConsulHarness::plain().await;
    let writer = Writer::start(&harness, "default").await;
    let copy = writer.copy("10.0.0.1");
    writer.put(&copy).await;
    harness.stop_server().await;
    harness.start_server(true).await;
    assert!(node(&harness, &node_of(&*writer.destination, &copy)).await.is_null());
    assert_eq!(writer.put(&copy).await, Written::Done);
    let reader = Reader::start(&harness, "default").await;
    reader.shows(&writer, &copy).await;
    reader.end().await;
    writer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights() {
    const SECRET: &str = "0e0c2f4e-8a44-4b0e-bb0b-1d7b8c9a6f21";
    const READ: &str = "service_prefix \"\" { policy = \"read\" } node_prefix \"\" { policy = \"read\" }";
    let harness = ConsulHarness::start(ConsulOptions { acl: true, ..ConsulOptions::default() }).await;
    let mut instance = Instance::new(Address::new("10.0.0.1", 80));
    mark("move").stamp(&mut instance.metadata);
    let copy = InstanceCopy::new(ServiceKey::new("default", "orders"), mark("move"), instance);
    let put = [Change::put(copy.clone())];
    let settings = |token: Option<&str>| ConsulSettings {
        addresses: vec![harness.address.clone()],
        token: token.map(Secret::new),
        ..ConsulSettings::default()
    };
    let nobody = ConsulDestination::new(&settings(None)).unwrap();
    let error = nobody.write(&copy.key, &put).await.remove(0).unwrap_err();
    assert!(error.message.contains("set `token`") && error.retry == Retry::Backoff(None), "{error}");

    harness.http.set_policy("writer", READ).await.unwrap();
    harness.http.create_token(SECRET, "writer").await.unwrap();
    let writer = ConsulDestination::new(&settings(Some(SECRET))).unwrap();
    let error = writer.write(&copy.key, &put).await.remove(0).unwrap_err();
    let needed = format!(
        "service \"orders\" {{ policy = \"write\" }} node \"{}\" {{ policy = \"write\" }}",
        node_of(&writer, &copy)
    );
    assert!(error.message.contains(&needed) && error.retry == Retry::Backoff(None), "{error}");
    assert!(!error.message.contains(SECRET));
    harness.http.set_policy("writer", &format!("{READ} {needed}")).await.unwrap();
    assert_eq!(writer.write(&copy.key, &put).await, [Ok(Written::Done)], "what the error asked for");
}
