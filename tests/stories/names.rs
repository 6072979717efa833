//! Names and addresses of every kind, and an upstream of many targets.

use std::collections::BTreeSet;

use causeway::model::{Address, Instance, ServiceKey};
use causeway::project::naming;
use causeway_test_support::kong::Kind;

use crate::stage::{Stage, instance};

const CONFIG: &str = r#"
version: 1
owner: me
registries: [ { name: r, type: nacos, addresses: ["127.0.0.1:1"] } ]
gateways: [ { name: kong, type: kong, addresses: ["KONG"] } ]
tasks:
  - name: t
    source: r
    destination: kong
    match: [ { service: "*" } ]
methods: [ { type: watch, enable: true }, { type: pull, enable: true, interval: 500ms } ]
health_check: { enable: false }
"#;

fn keys() -> Vec<ServiceKey> {
    let long = "n".repeat(300);
    let named = [
        ("default", "DEFAULT_GROUP@@orders"),
        ("default", "orders"),
        ("default", "providers:com.foo.Bar:1.0.0:g1"),
        ("default", "UPPER-Case"),
        ("default", "upper-case"),
        ("default", "订单服务"),
        ("命名空间", "订单服务"),
        ("default", long.as_str()),
        ("a.b", "c"),
        ("a", "b.c"),
        ("default", "_x2e"),
        ("default", "."),
        ("default", "a,b/c d%"),
        ("default", "~"),
        ("default", "default"),
        ("8d2f1c9e-7a55-4a5e-9f0a-3c1f6f4f9f11", "10.0.0.1"),
    ];
    named.map(|(namespace, service)| ServiceKey::new(namespace, service)).to_vec()
}

#[tokio::test]
async fn every_name_gets_objects_of_its_own_and_can_be_read_back() {
    let stage = Stage::new().await;
    for (index, key) in keys().iter().enumerate() {
        stage.register_in(&key.namespace, &key.service, [instance(&format!("10.0.1.{index}"))]);
    }
    let deployment = stage.ready(CONFIG).await;
    let task = deployment.task();
    assert!(task.conflicts.is_empty() && task.failing.is_empty() && task.waiting.is_empty(), "{task:#?}");
    assert_eq!((stage.kong.services().len(), stage.kong.upstreams().len()), (keys().len(), keys().len()));
    let mut read_back = BTreeSet::new();
    for service in stage.kong.services() {
        let parts = naming::parse_service_name(service["name"].as_str().unwrap()).unwrap();
        let targets = stage.kong.weights(service["host"].as_str().unwrap());
        let place = keys().iter().position(|key| *key == parts.key).unwrap();
        assert_eq!(targets.into_keys().collect::<Vec<_>>(), [format!("10.0.1.{place}:8080")]);
        read_back.insert(parts.key);
    }
    assert_eq!(read_back, keys().into_iter().collect());
    deployment.stop().await;

    stage.kong.reset_counts();
    let again = stage.ready(CONFIG).await;
    again.after_audits(2).await;
    assert_eq!(stage.writes(), [""; 0], "marks are read back as they were written");
    again.stop().await;
}

#[tokio::test]
async fn ipv6_and_host_names_are_targets_and_what_cannot_be_one_is_told() {
    let stage = Stage::new().await;
    let hosts = ["::1", "2001:DB8::7", "Node-1.Example.COM", "worker_2", "fe80::1%eth0", "主机"];
    let mut instances: Vec<Instance> = hosts.map(|host| Instance::new(Address::new(host, 9000))).to_vec();
    instances.push(Instance::new(Address::new("no-port", 0)));
    stage.register("orders", instances);
    let deployment = stage.deploy(CONFIG);
    let targets = [
        "[0000:0000:0000:0000:0000:0000:0000:0001]:9000",
        "[2001:0db8:0000:0000:0000:0000:0000:0007]:9000",
        "Node-1.Example.COM:9000",
        "worker_2:9000",
    ];
    stage.until_targets("r.default.orders.default", &targets).await;
    deployment.until_ready().await;
    let told: Vec<String> = deployment.task().waiting.into_iter().map(|problem| problem.reason).collect();
    for address in ["fe80::1%eth0", "主机", "no-port"] {
        assert!(told.iter().any(|reason| reason.contains(address)), "{address}: {told:?}");
    }
    assert_eq!(told.len(), 3, "{told:?}");
    stage.kong.reset_counts();
    deployment.after_audits(2).await;
    assert_eq!(stage.writes(), [""; 0]);
    deployment.stop().await;
}

#[tokio::test]
async fn an_upstream_of_2500_targets() {
    let stage = Stage::new().await;
    let fleet = |count: usize| (0..count).map(|n| instance(&format!("10.{}.{}.1", n / 250, n % 250)));
    stage.register("fleet", fleet(2500));
    let deployment = stage.ready(CONFIG).await;
    const UPSTREAM: &str = "r.default.fleet.default";
    assert_eq!(stage.kong.weights(UPSTREAM).len(), 2500);
    assert_eq!(stage.writes().len(), 2502);
    deployment.stop().await;

    stage.kong.reset_counts();
    let again = stage.ready(CONFIG).await;
    again.after_audits(2).await;
    assert_eq!(stage.writes(), [""; 0], "every page was read");
    // What stood when it started is the level: less than that goes when the registry has been trusted for long enough.
    stage.register("fleet", fleet(2500).chain([instance("10.99.0.1")]));
    stage.until("the new one is there", |kong| kong.weights(UPSTREAM).len() == 2501).await;
    stage.register("fleet", fleet(2500));
    stage.until("it has gone", |kong| kong.weights(UPSTREAM).len() == 2500).await;
    let id = "/upstreams/r.default.fleet.default/targets";
    let writes = stage.writes();
    assert_eq!(writes.len(), 2, "{writes:?}");
    assert!(writes[0].starts_with(&format!("POST {id}")) && writes[1].starts_with(&format!("DELETE {id}/")));
    assert_eq!(stage.kong.entity(Kind::Upstreams, UPSTREAM).unwrap()["name"], UPSTREAM);
    again.stop().await;
}
