//! Instances that fall ill, change what they are, and are replaced.

use std::time::Duration;

use causeway::model::Instance;
use causeway::reconcile::Status;

use crate::stage::{Deployment, LIMIT, Stage, instance, of_version};

/// A hold that no test could wait for: what happens, happens without it.
const LONG_HOLD: &str = "10m";

fn document(hold: &str) -> String {
    format!(
        r#"
version: 1
owner: me
registries: [ {{ name: r, type: nacos, addresses: ["127.0.0.1:1"], protect: {{ hold: {hold} }} }} ]
gateways: [ {{ name: kong, type: kong, addresses: ["KONG"] }} ]
tasks:
  - name: t
    source: r
    destination: kong
    match:
      - namespace: default
        service: "*"
        groups: [ {{ name: v1, metadata: {{ version: "1" }} }}, {{ name: v2, metadata: {{ version: "2" }} }} ]
methods: [ {{ type: watch, enable: true }}, {{ type: pull, enable: true, interval: 300ms }} ]
health_check: {{ enable: false }}
"#
    )
}

fn ill(mut instance: Instance) -> Instance {
    instance.healthy = false;
    instance
}

#[tokio::test]
async fn when_all_are_unhealthy_all_are_kept() {
    let stage = Stage::new().await;
    let fleet = || ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(|host| of_version(host, "1"));
    stage.register("orders", fleet());
    let deployment = stage.ready(&document("200ms")).await;
    stage.kong.reset_counts();
    stage.register("orders", fleet().map(ill));
    deployment.after_audits(4).await;
    assert_eq!(stage.writes(), [""; 0]);
    let [first, second, third] = fleet();
    stage.register("orders", [first, second.clone(), ill(third)]);
    stage.until_targets("r.default.orders.v1", &["10.0.0.1:8080", "10.0.0.2:8080"]).await;
    stage.until_targets("r.default.orders.default", &["10.0.0.1:8080", "10.0.0.2:8080"]).await;
    let mut disabled = second;
    disabled.enabled = false;
    stage.register("orders", [ill(instance("10.0.0.1")), disabled]);
    stage.until_targets("r.default.orders.default", &["10.0.0.1:8080"]).await;
    deployment.stop().await;
}

#[tokio::test]
async fn a_lone_instance_that_changes_its_version_moves_at_once() {
    let stage = Stage::new().await;
    stage.register("orders", [of_version("10.0.0.1", "1")]);
    let deployment = stage.ready(&document(LONG_HOLD)).await;
    stage.kong.reset_counts();
    stage.register("orders", [of_version("10.0.0.1", "2")]);
    stage.until_targets("r.default.orders.v2", &["10.0.0.1:8080"]).await;
    stage.until_targets("r.default.orders.v1", &[]).await;
    deployment.after_audits(1).await;
    let writes = stage.writes();
    assert_eq!(writes.len(), 2, "{writes:?}");
    assert!(writes[0].starts_with("POST /upstreams/r.default.orders.v2/targets"), "{writes:?}");
    assert!(writes[1].starts_with("DELETE /upstreams/r.default.orders.v1/targets/"), "{writes:?}");
    assert!(deployment.task().held.is_empty());
    deployment.stop().await;
}

const SERVICES: usize = 40;
const REPLICAS: usize = 3;

/// The fleet of one service of which so many have been replaced; the next old one may still be there.
fn replaced(service: usize, count: usize, overlap: bool) -> Vec<Instance> {
    let host = |generation: usize, replica: usize| format!("10.{service}.{generation}.{replica}");
    let old = (count..REPLICAS).map(|replica| host(1, replica));
    let late = overlap.then(|| host(1, count - 1));
    let new = (0..count).map(|replica| host(2, replica));
    old.chain(late).chain(new).map(|host| of_version(&host, "1")).collect()
}

fn everywhere(stage: &Stage, count: usize, overlap: bool) {
    stage.registry.change(|content| {
        for service in 0..SERVICES {
            let key = causeway::model::ServiceKey::new("default", format!("s{service}"));
            content.services.insert(key, replaced(service, count, overlap));
        }
    });
}

async fn until_everywhere(stage: &Stage, count: usize, overlap: bool) {
    let wanted = |service: usize| {
        let hosts = replaced(service, count, overlap).into_iter();
        hosts.map(|instance| instance.address.to_string()).collect::<std::collections::BTreeSet<_>>()
    };
    stage
        .until(&format!("{count} of each are replaced (overlap: {overlap})"), |kong| {
            (0..SERVICES).all(|service| {
                let standing = kong.weights(&format!("r.default.s{service}.default"));
                standing.into_keys().collect::<std::collections::BTreeSet<_>>() == wanted(service)
            })
        })
        .await;
}

fn assert_unhindered(status: &Status) {
    assert!(!status.registries[0].breaker.open, "{:#?}", status.registries[0]);
    assert!(status.tasks[0].held.is_empty(), "{:#?}", status.tasks[0].held);
}

/// Looks at the status until it is dropped.
async fn never_hindered(deployment: &Deployment) {
    loop {
        assert_unhindered(&deployment.status());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_of_forty_services_is_neither_held_nor_opens_the_breaker() {
    let stage = Stage::new().await;
    everywhere(&stage, 0, false);
    let deployment = stage.ready(&document(LONG_HOLD)).await;
    let roll = async {
        for count in 1..=REPLICAS {
            everywhere(&stage, count, true);
            until_everywhere(&stage, count, true).await;
            everywhere(&stage, count, false);
            until_everywhere(&stage, count, false).await;
        }
    };
    tokio::select! {
        () = roll => {}
        () = never_hindered(&deployment) => {}
        () = tokio::time::sleep(LIMIT) => panic!("{}", stage.dump()),
    }
    assert_unhindered(&deployment.status());
    deployment.stop().await;
}

/// Instances that leave before their successors come, a few services at a time, in a registry that is trusted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_one_that_takes_the_old_ones_down_first() {
    let stage = Stage::new().await;
    everywhere(&stage, 0, false);
    let deployment = stage.ready(&document("200ms")).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let roll = async {
        for service in 0..10 {
            let name = format!("s{service}");
            let upstream = format!("r.default.{name}.default");
            stage.register(&name, replaced(service, 1, false).into_iter().take(REPLICAS - 1));
            stage.until("the old one has gone", |kong| kong.weights(&upstream).len() == REPLICAS - 1).await;
            stage.register(&name, replaced(service, 1, false));
            stage.until("the new one is there", |kong| kong.weights(&upstream).len() == REPLICAS).await;
        }
    };
    tokio::select! {
        () = roll => {}
        () = never_hindered(&deployment) => {}
    }
    deployment.stop().await;
}
