//! Settings of services and targets that the instances' metadata says.

use causeway::admin::Backend as _;
use causeway::model::{Address, Instance};
use causeway_test_support::kong::Kind;
use http::Method;
use serde_json::{Value, json};

use crate::document::Document;
use crate::stage::{Deployment, Stage};

const ORDERS: &str = "r.default.orders";
const UPSTREAM: &str = "r.default.orders.default";

/// A task with this template for services. `hold` is for what vanishes.
fn document(service: &str, hold: &str) -> String {
    let entry = &format!(r#"namespace: default, service: "*", kong: {{ service: {{ {service} }} }}"#);
    Document { hold, entry, ..Document::default() }.text()
}

const PROTOCOL: &str = "protocol: { metadata: protocol, else: http }, tls_verify: false, retries: 2";
const PORT: &str = "protocol: grpc, port: { metadata: gRPC_port }";

fn with(host: &str, metadata: &[(&str, &str)]) -> Instance {
    let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Instance { metadata, ..Instance::new(Address::new(host, 8080)) }
}

async fn deploy(stage: &Stage, document: &str, instances: &[Instance]) -> Deployment {
    stage.register("orders", instances.to_vec());
    stage.ready(document).await
}

fn service(stage: &Stage) -> Value {
    stage.kong.entity(Kind::Services, ORDERS).unwrap()
}

async fn until_protocol(stage: &Stage, protocol: &str) {
    stage.until(&format!("it speaks {protocol}"), |_| service(stage)["protocol"] == protocol).await;
}

fn targets(stage: &Stage) -> Vec<String> {
    stage.kong.weights(UPSTREAM).into_keys().collect()
}

#[tokio::test]
async fn changed_metadata_changes_the_protocol_by_one_patch() {
    let stage = Stage::new().await;
    let deployment = deploy(&stage, &document(PROTOCOL, "300ms"), &[with("10.0.0.1", &[])]).await;
    assert_eq!(
        (service(&stage)["protocol"].clone(), service(&stage)["retries"].clone()),
        (json!("http"), json!(2))
    );
    let id = service(&stage)["id"].clone();
    for protocol in ["https", "http"] {
        stage.kong.reset_counts();
        stage.register("orders", [with("10.0.0.1", &[("protocol", protocol)])]);
        until_protocol(&stage, protocol).await;
        deployment.after_audits(2).await;
        assert_eq!(stage.writes(), [format!("PATCH /services/{}", id.as_str().unwrap())]);
        let verify = if protocol == "https" { json!(false) } else { Value::Null };
        assert_eq!(service(&stage)["tls_verify"], verify, "Kong takes it with https only");
    }
    deployment.stop().await;
}

#[tokio::test]
async fn instances_that_disagree_are_told_until_they_agree() {
    let stage = Stage::new().await;
    let deployment = deploy(&stage, &document(PROTOCOL, "300ms"), &[with("10.0.0.1", &[])]).await;
    let https = |host| with(host, &[("protocol", "https")]);
    stage.register("orders", [with("10.0.0.1", &[]), https("10.0.0.2")]);
    let object = format!("service {ORDERS}");
    deployment.until("it is told", |_| deployment.conflicts().contains_key(&object)).await;
    assert!(
        deployment.conflicts()[&object].starts_with("the instances disagree on protocol"),
        "{:?}",
        deployment.conflicts()
    );
    assert!(deployment.conflict_gauges().contains(&object));
    assert_eq!(service(&stage)["protocol"], "http");
    stage.register("orders", [https("10.0.0.1"), https("10.0.0.2")]);
    until_protocol(&stage, "https").await;
    deployment.until("nothing is told", |_| deployment.conflicts().is_empty()).await;
    assert!(deployment.conflict_gauges().is_empty());
    deployment.stop().await;
}

#[tokio::test]
async fn what_nobody_says_stays_as_it_stands() {
    let stage = Stage::new().await;
    let https = [with("10.0.0.1", &[("protocol", "https")])];
    let deployment = deploy(&stage, &document(PROTOCOL, "300ms"), &https).await;
    until_protocol(&stage, "https").await;
    stage.register("orders", []);
    stage.until_targets(UPSTREAM, &[]).await;
    deployment.after_audits(2).await;
    assert_eq!(service(&stage)["protocol"], "https", "an empty service says nothing");
    deployment.stop().await;

    // A field that is taken out of the template is its user's from then on.
    let deployment = stage.ready(&document("retries: 2", "300ms")).await;
    let path = format!("/services/{ORDERS}");
    let (status, _) = stage.kong.direct(
        &Method::PATCH,
        &path,
        &json!({ "protocol": "http", "tls_verify": null, "retries": 9, "read_timeout": 7 }),
    );
    assert_eq!(status, 200);
    stage.until("what is named is put right", |_| service(&stage)["retries"] == 2).await;
    deployment.after_audits(2).await;
    assert_eq!((&service(&stage)["protocol"], &service(&stage)["read_timeout"]), (&json!("http"), &json!(7)));
    deployment.stop().await;
}

#[tokio::test]
async fn targets_stand_at_the_port_that_the_metadata_says() {
    let stage = Stage::new().await;
    let at = |host, port| with(host, &[("gRPC_port", port)]);
    let document = document(PORT, "300ms");
    let deployment = deploy(&stage, &document, &[at("10.0.0.1", "9090"), at("10.0.0.2", "abc")]).await;
    assert_eq!(targets(&stage), ["10.0.0.1:9090", "10.0.0.2:8080"]);
    let object = format!("service {ORDERS}");
    deployment.until("`abc` is told", |_| deployment.conflicts().contains_key(&object)).await;
    assert!(
        deployment.conflicts()[&object].contains("10.0.0.2:8080 is `abc`"),
        "{:?}",
        deployment.conflicts()
    );

    let groups = deployment.supervisor.why("orders").await.services.remove(0).groups;
    assert_eq!((groups[0].members.len(), groups[0].others.len()), (2, 0), "{groups:?}");

    // What the registry still shows is not missing: its target moves at once, whatever the hold.
    stage.kong.reset_counts();
    stage.register("orders", [at("10.0.0.1", "9091"), at("10.0.0.2", "9090")]);
    stage.until_targets(UPSTREAM, &["10.0.0.1:9091", "10.0.0.2:9090"]).await;
    deployment.until("nothing is told", |_| deployment.conflicts().is_empty()).await;
    deployment.stop().await;

    stage.kong.reset_counts();
    let second = stage.ready(&document).await;
    second.after_audits(2).await;
    assert_eq!(stage.writes(), [""; 0]);
    second.stop().await;
}

/// The guard knows instances by the address that they are registered with.
#[tokio::test]
async fn what_vanishes_is_held_at_the_port_at_which_it_stands() {
    let stage = Stage::new().await;
    let at = |host| with(host, &[("gRPC_port", "9090")]);
    let document = document(PORT, "1h");
    deploy(&stage, &document, &[at("10.0.0.1"), at("10.0.0.2")]).await.stop().await;
    stage.kong.reset_counts();
    // A start anew, in which the registry shows only one of what stands.
    let held = |address: &'static str| {
        move |status: &causeway::reconcile::Status| {
            let held: Vec<&str> = status.tasks[0].held.iter().map(|held| held.address.as_str()).collect();
            held == [address]
        }
    };
    let deployment = deploy(&stage, &document, &[at("10.0.0.1")]).await;
    deployment.until("it is held", held("10.0.0.2:9090")).await;
    deployment.after_audits(2).await;
    assert_eq!((targets(&stage).len(), stage.writes()), (2, vec![]));
    stage.register("orders", [at("10.0.0.1"), at("10.0.0.2")]);
    deployment.until("nothing is held", |status| status.tasks[0].held.is_empty()).await;
    deployment.after_audits(1).await;
    assert_eq!((targets(&stage).len(), stage.writes()), (2, vec![]));
    deployment.stop().await;

    let deployment = deploy(&stage, &document, &[at("10.0.0.1")]).await;
    deployment.until("it is held again", held("10.0.0.2:9090")).await;
    deployment.supervisor.release("r").unwrap();
    stage.until_targets(UPSTREAM, &["10.0.0.1:9090"]).await;
    deployment.until("nothing is held", |status| status.tasks[0].held.is_empty()).await;
    let breaker = deployment.status().registries[0].breaker.clone();
    assert_eq!((breaker.level, breaker.loss), (1, 0), "each instance counts once");
    deployment.stop().await;
}
