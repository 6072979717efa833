//! Polaris as a destination, on the stand-in that answers as a real 1.18.1 was recorded to.

use std::time::Duration;

use causeway::model::{Address, Instance, ServiceKey};
use causeway::registries::polaris::PolarisDestination;
use causeway::registries::{Change, Destination, InstanceCopy, Life, Renewed, WriteError, Written};
use causeway_gateways::Retry;
use causeway_test_support::polaris::PolarisStandIn;
use serde_json::{Value, json};

use crate::conformance::destination::{mark, stories};
use crate::harness::{PolarisHarness, settings};

#[tokio::test(flavor = "multi_thread")]
async fn the_suite() {
    stories::the_suite(&PolarisHarness::start().await).await;
}

fn copy(service: &str, host: &str) -> InstanceCopy {
    let mut instance = Instance::new(Address::new(host, 8080));
    mark("move").stamp(&mut instance.metadata);
    InstanceCopy::new(ServiceKey::new("prod", service), mark("move"), instance)
}

fn destination(server: &PolarisStandIn, token: Option<&str>) -> PolarisDestination {
    PolarisDestination::new(settings(server.address(), token)).unwrap()
}

async fn write(destination: &PolarisDestination, change: Change) -> Result<Written, WriteError> {
    let key = change.copy().key.clone();
    destination.write(&key, &[change]).await.remove(0)
}

/// What Discover answers of a service: the code and the instances.
fn discovered(server: &PolarisStandIn, key: &ServiceKey) -> (u64, Vec<Value>) {
    let service = json!({ "namespace": key.namespace, "name": key.service });
    let question = json!({ "type": "INSTANCE", "service": service });
    let (_, answer) = server.write("POST", "/v1/Discover", &question);
    (answer["code"].as_u64().unwrap(), answer["instances"].as_array().cloned().unwrap_or_default())
}

/// The server overlooks the deletion of what has not changed for a while: a copy goes all the same, isolated before or not.
#[tokio::test(flavor = "multi_thread")]
async fn old_copies_leave_no_ghosts() {
    let server = PolarisStandIn::start().await;
    let destination = destination(&server, None);
    let (plain, mut isolated) = (copy("orders", "10.0.0.1"), copy("orders", "10.0.0.2"));
    isolated.instance.isolated = true;
    isolated.instance.weight = causeway::model::Weight::ZERO;
    let changes = [plain.clone(), isolated.clone()];
    let puts = changes.clone().map(Change::put);
    assert_eq!(destination.write(&plain.key, &puts).await, [Ok(Written::Done), Ok(Written::Done)]);
    server.skip(Duration::from_secs(10));
    assert_eq!(discovered(&server, &plain.key).1.len(), 2);
    let removals = changes.map(Change::remove);
    assert_eq!(destination.write(&plain.key, &removals).await, [Ok(Written::Done), Ok(Written::Done)]);
    server.skip(Duration::from_secs(2));
    assert_eq!(
        discovered(&server, &plain.key),
        (200_000, Vec::new()),
        "the service is left, and nothing in it"
    );
}

/// A native instance that registers at the address of a copy has an entry of its own, so that no write of ours can hit it, however
/// little Causeway has seen of it yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_native_one_that_nobody_has_seen_yet_is_not_hit() {
    let server = PolarisStandIn::start().await;
    let destination = destination(&server, None);
    let copy = copy("orders", "10.0.0.1");
    assert_eq!(write(&destination, Change::put(copy.clone())).await, Ok(Written::Done));
    server.skip(Duration::from_secs(2));
    let native =
        json!([{ "namespace": "prod", "service": "orders", "host": "10.0.0.1", "port": 8080, "weight": 7 }]);
    assert_eq!(server.write("POST", "/naming/v1/instances", &native).0, 200);
    let mut changed = copy.clone();
    changed.instance.weight = causeway::model::Weight::from_ratio(3.0);
    write(&destination, Change::put(changed)).await.unwrap();
    server.skip(Duration::from_secs(2));
    assert_eq!(discovered(&server, &copy.key).1.len(), 2, "both, for a moment");
    assert_eq!(write(&destination, Change::put(copy.clone())).await, Ok(Written::Taken));
    assert_eq!(write(&destination, Change::remove(copy.clone())).await, Ok(Written::Done));
    server.skip(Duration::from_secs(2));
    let (_, left) = discovered(&server, &copy.key);
    assert_eq!((left.len(), &left[0]["weight"]), (1, &json!(7)));
}

/// A copy whose marks somebody has taken away is known by its id.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_lost_its_marks_is_put_right() {
    let server = PolarisStandIn::start().await;
    let destination = destination(&server, None);
    let copy = copy("orders", "10.0.0.1");
    write(&destination, Change::put(copy.clone())).await.unwrap();
    server.skip(Duration::from_secs(2));
    let id = discovered(&server, &copy.key).1[0]["id"].clone();
    assert_eq!(server.write("PUT", "/naming/v1/instances", &json!([{ "id": id, "metadata": {} }])).0, 200);
    server.skip(Duration::from_secs(2));
    assert_eq!(write(&destination, Change::put(copy.clone())).await, Ok(Written::Done));
    server.skip(Duration::from_secs(2));
    let (_, shown) = discovered(&server, &copy.key);
    assert_eq!((shown.len(), &shown[0]["metadata"]["causeway-task"]), (1, &json!("move")));
}

/// One bad copy is told by itself, and the others of its request stand.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_refused_keeps_no_other_back() {
    let server = PolarisStandIn::start().await;
    let destination = destination(&server, None);
    let mut copies: Vec<InstanceCopy> = (0..150).map(|n| copy("orders", &format!("10.0.1.{n}"))).collect();
    copies[120].instance.metadata.insert("dubbo.metadata".to_owned(), "x".repeat(5000));
    let puts: Vec<Change> = copies.into_iter().map(Change::put).collect();
    let key = puts[0].copy().key.clone();
    let outcomes = destination.write(&key, &puts).await;
    let told = outcomes[120].clone().unwrap_err();
    assert_eq!(told.retry, Retry::Never);
    for word in ["400150", "10.0.1.120:8080", "dubbo.metadata with 5000 bytes"] {
        assert!(told.message.contains(word), "{told}");
    }
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Ok(Written::Done)).count(), 149);
    server.skip(Duration::from_secs(2));
    assert_eq!(discovered(&server, &key).1.len(), 149);
    let registrations = server.requests().iter().filter(|asked| asked.path == "/naming/v1/instances").count();
    assert_eq!(registrations, 2, "a hundred at a time");
    let misnamed = write(&destination, Change::put(copy("TRADE@@orders", "10.0.0.1"))).await.unwrap_err();
    assert!(misnamed.retry == Retry::Never && misnamed.message.contains("letters, digits"), "{misnamed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_needed_where_the_server_asks_for_one() {
    let server = PolarisStandIn::builder().auth().start().await;
    let change = Change::put(copy("orders", "10.0.0.1"));
    let cases = [(None, "wants a token"), (Some("a-wrong-token"), "refuses the token")];
    for (token, words) in cases {
        let told = write(&destination(&server, token), change.clone()).await.unwrap_err();
        assert!(told.retry == Retry::Backoff(None) && told.message.contains(words), "{told:?}");
        assert!(!told.message.contains("a-wrong-token"));
    }
    let admitted = destination(&server, Some(&server.token()));
    assert_eq!(write(&admitted, change.clone()).await, Ok(Written::Done));
    // One that may read and not write, as on a server that asks clients for no token.
    server.set_token("another");
    let told = write(&admitted, Change::Remove(change.copy().clone())).await.unwrap_err();
    assert!(told.message.contains("refuses the token"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_stay_without_anybody() {
    let server = PolarisStandIn::start().await;
    let destination = destination(&server, None);
    let copy = copy("orders", "10.0.0.1");
    assert_eq!(destination.life(), Life::Permanent);
    write(&destination, Change::put(copy.clone())).await.unwrap();
    server.skip(Duration::from_secs(3600));
    server.restart(false).await;
    let (_, shown) = discovered(&server, &copy.key);
    assert_eq!((shown.len(), &shown[0]["healthy"]), (1, &json!(true)));
    server.reset_counts();
    assert_eq!(destination.renew(&[copy]).await, [Ok(Renewed::Alive)]);
    assert_eq!(server.requests().len(), 0, "there is nothing to renew");
}
