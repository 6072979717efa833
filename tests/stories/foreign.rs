//! What somebody else has in the same Kong is left alone, and what stands in our way is told for as long as it does.

use std::collections::BTreeSet;

use causeway_test_support::kong::{Kind, KongStandIn};
use http::Method;
use serde_json::{Value, json};

use crate::stage::{Deployment, Stage, instance, is_ours};

const CONFIG: &str = r#"
version: 1
owner: me
registries: [ { name: r, type: nacos, addresses: ["127.0.0.1:1"], protect: { hold: 300ms } } ]
gateways: [ { name: kong, type: kong, addresses: ["KONG"], retire_after: 300ms } ]
tasks:
  - name: t
    source: r
    destination: kong
    match: [ { namespace: default, service: "*" } ]
methods: [ { type: watch, enable: true }, { type: pull, enable: true, interval: 300ms } ]
health_check: { enable: false }
"#;

const ORDERS: &str = "r.default.orders";
const UPSTREAM: &str = "r.default.orders.default";

/// A shop with all that belongs to it, and a service of theirs that uses an upstream of ours.
fn put_a_shop(stage: &Stage) {
    let kong = &stage.kong;
    kong.seed(Kind::Upstreams, &json!({ "name": "shop.upstream", "slots": 100, "tags": ["shop"] }));
    kong.seed_target("shop.upstream", &json!({ "target": "192.0.2.1:80", "weight": 7 }));
    kong.seed(Kind::Services, &json!({ "name": "shop", "host": "shop.upstream", "retries": 1 }));
    kong.seed(Kind::Routes, &json!({ "name": "shop", "paths": ["/shop"], "service": { "name": "shop" } }));
    kong.seed_plugin("shop", "key-auth");
}

/// What people do to objects of ours.
fn meddle(stage: &Stage) {
    let kong = &stage.kong;
    kong.seed_target(UPSTREAM, &json!({ "target": "192.0.2.9:80", "weight": 1 }));
    kong.seed(Kind::Routes, &json!({ "name": "theirs", "paths": ["/o"], "service": { "name": ORDERS } }));
    kong.seed_plugin(ORDERS, "rate-limiting");
    let patch = |path: String, body: Value| {
        let (status, answer) = kong.direct(&Method::PATCH, &path, &body);
        assert_eq!(status, 200, "{answer}");
    };
    patch(format!("/services/{ORDERS}"), json!({ "read_timeout": 1234, "retries": 9 }));
    let checks = json!({ "active": { "http_path": "/up", "healthy": { "interval": 5 } } });
    patch(
        format!("/upstreams/{UPSTREAM}"),
        json!({ "algorithm": "least-connections", "healthchecks": checks }),
    );
}

fn plugins(stage: &Stage) -> Value {
    stage.kong.direct(&Method::GET, "/plugins", &Value::Null).1["data"].clone()
}

#[tokio::test]
async fn nothing_of_anybody_elses_is_touched() {
    let stage = Stage::new().await;
    put_a_shop(&stage);
    let deployment = stage.deploy(CONFIG);
    stage.register("orders", ["10.0.0.1", "10.0.0.2"].map(instance));
    stage.until_targets(UPSTREAM, &["10.0.0.1:8080", "10.0.0.2:8080"]).await;
    deployment.until_ready().await;
    meddle(&stage);
    let (foreign, on_them) = (stage.foreign(), plugins(&stage));
    let ours = |kind, name: &str| stage.kong.entity(kind, name).unwrap();
    let (service, upstream) = (ours(Kind::Services, ORDERS), ours(Kind::Upstreams, UPSTREAM));

    deployment.after_audits(2).await;
    stage.register("orders", [instance("10.0.0.3")]);
    stage.until_targets(UPSTREAM, &["10.0.0.3:8080", "192.0.2.9:80"]).await;
    deployment.after_audits(3).await;
    assert_eq!(stage.foreign(), foreign);
    assert_eq!(plugins(&stage), on_them);
    assert_eq!(ours(Kind::Services, ORDERS), service, "settings that nobody named stay their user's");
    assert_eq!(ours(Kind::Upstreams, UPSTREAM), upstream);
    assert!(deployment.conflicts().is_empty());
    deployment.stop().await;
}

/// What a person sets on what is ours, and what they put beside it.
fn set_everything(kong: &KongStandIn) {
    let checks = json!({
        "active": { "http_path": "/up", "healthy": { "interval": 5 }, "unhealthy": { "interval": 3 } },
        "passive": { "unhealthy": { "http_failures": 4 } },
    });
    let upstream = json!({ "healthchecks": checks, "host_header": "orders.example.org", "slots": 500 });
    let timeouts =
        json!({ "connect_timeout": 1500, "read_timeout": 2500, "write_timeout": 3500, "retries": 1 });
    for (path, body) in
        [(format!("/upstreams/{UPSTREAM}"), upstream), (format!("/services/{ORDERS}"), timeouts)]
    {
        let (status, answer) = kong.direct(&Method::PATCH, &path, &body);
        assert_eq!(status, 200, "{answer}");
    }
    kong.seed_target(UPSTREAM, &json!({ "target": "192.0.2.1:80", "weight": 0 }));
    kong.seed(Kind::Upstreams, &json!({ "name": "shop", "tags": ["shop"] }));
    kong.seed_target("shop", &json!({ "target": "192.0.2.2:80", "weight": 0 }));
}

#[tokio::test]
async fn ten_audits_leave_a_persons_settings_and_foreign_weights_and_put_a_weight_of_ours_right() {
    let stage = Stage::new().await;
    stage.register("orders", ["10.0.0.1", "10.0.0.2"].map(instance));
    let deployment = stage.ready(CONFIG).await;
    let kong = &stage.kong;
    set_everything(kong);
    let all = || [kong.services(), kong.upstreams(), kong.all_targets()].concat();
    let before = all();
    deployment.after_audits(10).await;
    assert_eq!(all(), before);

    let ours = kong.targets(UPSTREAM).into_iter().find(is_ours).unwrap();
    let path = format!("/upstreams/{UPSTREAM}/targets/{}", ours["id"].as_str().unwrap());
    stage.kong.reset_counts();
    assert_eq!(kong.direct(&Method::PATCH, &path, &json!({ "weight": 0 })).0, 200);
    let right = |kong: &KongStandIn| kong.weights(UPSTREAM)[ours["target"].as_str().unwrap()] == 100;
    stage.until("our weight is put right", right).await;
    let rotations = stage.listed_until_written(UPSTREAM);
    assert!(rotations <= 2, "within one rotation: it was listed {rotations} times");
    assert_eq!(stage.writes().len(), 1, "{:?}", stage.writes());
    assert_eq!((kong.weights(UPSTREAM)["192.0.2.1:80"], kong.weights("shop")["192.0.2.2:80"]), (0, 0));
    deployment.stop().await;
}

#[tokio::test]
async fn a_target_put_by_hand_where_an_instance_comes_up_counts_as_present() {
    let stage = Stage::new().await;
    stage.register("orders", [instance("10.0.0.1")]);
    let deployment = stage.ready(CONFIG).await;
    stage.kong.seed_target(UPSTREAM, &json!({ "target": "10.0.0.2:8080", "weight": 7 }));
    let by_hand = stage.foreign();
    deployment.after_audits(2).await;
    stage.kong.reset_counts();
    stage.register("orders", ["10.0.0.1", "10.0.0.2"].map(instance));
    let told = |object: &str| object.contains("10.0.0.2:8080");
    deployment.until("it is told", |s| s.tasks[0].waiting.iter().any(|it| told(&it.object))).await;
    stage.register("orders", [instance("10.0.0.1")]);
    deployment.until("it is no more told", |status| status.tasks[0].waiting.is_empty()).await;
    deployment.after_audits(2).await;
    assert_eq!((stage.foreign(), stage.kong.weights(UPSTREAM).len()), (by_hand, 2));
    assert!(!stage.writes().iter().any(|write| write.starts_with("DELETE")), "{:?}", stage.writes());
    deployment.stop().await;
}

/// Everything that tells of conflicts names exactly these.
async fn until_told(deployment: &Deployment, objects: &[&str], services: &[&str]) {
    let wanted: BTreeSet<String> = objects.iter().map(|name| (*name).to_owned()).collect();
    let named = |status: &causeway::reconcile::Status| {
        let conflicts = &status.tasks[0].conflicts;
        conflicts.iter().map(|problem| problem.object.clone()).collect::<BTreeSet<_>>() == wanted
    };
    deployment.until(&format!("the conflicts are {objects:?}"), named).await;
    deployment.until("the gauges too", |_| deployment.conflict_gauges() == wanted).await;
    let mut planned = BTreeSet::new();
    for service in services {
        let conflicts = deployment.plan(service).await.conflicts;
        planned.extend(conflicts.iter().map(|conflict| conflict.key.to_string()));
    }
    assert_eq!(planned, wanted);
}

#[tokio::test]
async fn each_conflict_is_told_by_its_name_and_goes_when_it_is_solved() {
    const SERVICES: [&str; 3] = ["a", "b", "c"];
    let stage = Stage::new().await;
    let kong = &stage.kong;
    kong.seed(Kind::Upstreams, &json!({ "name": "r.default.a.default", "tags": ["somebody"] }));
    kong.seed_target("r.default.a.default", &json!({ "target": "192.0.2.1:80" }));
    kong.seed(Kind::Services, &json!({ "name": "r.default.b", "host": "example.org" }));
    let foreign = stage.foreign();
    for (host, service) in SERVICES.iter().enumerate() {
        stage.register(service, [instance(&format!("10.0.0.{host}"))]);
    }
    let deployment = stage.deploy(CONFIG);
    stage.until_targets("r.default.c.default", &["10.0.0.2:8080"]).await;
    stage.until_targets("r.default.b.default", &["10.0.0.1:8080"]).await;
    until_told(&deployment, &["upstream r.default.a.default", "service r.default.b"], &SERVICES).await;
    assert!(
        kong.entity(Kind::Services, "r.default.a").is_none(),
        "it would lead to somebody else's upstream"
    );
    // A target of another deployment in an upstream of ours.
    let tags = json!(["causeway", "causeway.owner:other", "causeway.task:t"]);
    kong.seed_target("r.default.c.default", &json!({ "target": "10.0.0.7:8080", "tags": tags }));
    stage.register("c", ["10.0.0.2", "10.0.0.7"].map(instance));
    let target = "target 10.0.0.7:8080 of upstream r.default.c.default";
    until_told(&deployment, &["upstream r.default.a.default", "service r.default.b", target], &SERVICES)
        .await;
    assert!(deployment.conflicts()[target].contains("other"), "{:?}", deployment.conflicts());
    deployment.after_audits(2).await;
    assert_eq!(stage.foreign(), foreign);

    let delete = |path: &str| assert_eq!(kong.direct(&Method::DELETE, path, &Value::Null).0, 204);
    delete("/services/r.default.b");
    until_told(&deployment, &["upstream r.default.a.default", target], &SERVICES).await;
    delete("/upstreams/r.default.a.default");
    until_told(&deployment, &[target], &SERVICES).await;
    delete("/upstreams/r.default.c.default/targets/10.0.0.7:8080");
    until_told(&deployment, &[], &SERVICES).await;
    stage.until_targets("r.default.c.default", &["10.0.0.2:8080", "10.0.0.7:8080"]).await;
    stage.until_targets("r.default.a.default", &["10.0.0.0:8080"]).await;
    assert_eq!(kong.entity(Kind::Services, "r.default.b").unwrap()["host"], "r.default.b.default");
    deployment.stop().await;
}
