//! A task is brought in step by step: what each of its settings keeps back.

use causeway_test_support::kong::{Kind, KongStandIn};
use http::Method;
use serde_json::{Value, json};

use crate::document::Document;
use crate::program::{Desk, fleet};
use crate::stage::{Deployment, Stage, instance, of_version, weighing};

const UPSTREAM: &str = "r.default.orders.default";

/// A task with this setting.
fn document(task: &str) -> String {
    let entry = r#"namespace: default, service: "*", groups: [ { name: v1, metadata: { version: "1" } } ]"#;
    Document { audit: "200ms", task, entry, ..Document::default() }.text()
}

async fn ready(stage: &Stage, settings: &str) -> Deployment {
    stage.ready(&document(settings)).await
}

fn patch(stage: &Stage, path: &str, body: &Value) {
    let (status, answer) = stage.kong.direct(&Method::PATCH, path, body);
    assert_eq!(status, 200, "{answer}");
}

fn set_weight(stage: &Stage, upstream: &str, address: &str, weight: u32) {
    let targets = stage.kong.targets(upstream);
    let target = targets.iter().find(|target| target["target"] == address).unwrap();
    let path = format!("/upstreams/{upstream}/targets/{}", target["id"].as_str().unwrap());
    patch(stage, &path, &json!({ "weight": weight }));
}

/// Everything that can happen to a service: it comes, grows, shrinks, changes its weights, loses a version, moves, goes.
async fn play(stage: &Stage, deployment: &Deployment) {
    let of = |hosts: std::ops::Range<u8>| hosts.map(|n| of_version(&format!("10.0.0.{n}"), "1"));
    for round in 0..5_u8 {
        stage.register("orders", of(1..3 + round));
        stage.register("stock", [weighing(instance("10.0.1.1"), 0.1 * f64::from(round + 1))]);
        deployment.after_audits(1).await;
        stage.register("orders", of(round..2 + round).map(|it| weighing(it, 0.5)));
        stage.register("stock", []);
        stage.register("added", [instance("10.0.2.1")]);
        deployment.after_audits(1).await;
        stage.deregister("stock");
        stage.deregister("added");
        deployment.after_audits(1).await;
    }
}

#[tokio::test]
async fn a_task_that_observes_makes_no_write_whatever_happens() {
    let stage = Stage::new().await;
    stage.register("orders", [of_version("10.0.0.1", "1"), of_version("10.0.0.2", "2")]);
    stage.register("leaving", [instance("10.0.3.1")]);
    ready(&stage, "").await.stop().await;
    stage.deregister("leaving");
    stage.kong.seed_target(UPSTREAM, &json!({ "target": "192.0.2.1:80" }));
    set_weight(&stage, UPSTREAM, "10.0.0.1:8080", 0);
    stage.kong.reset_counts();
    let deployment = ready(&stage, "policy: observe").await;
    play(&stage, &deployment).await;
    deployment.until("it is told what it would do", |status| status.tasks[0].withheld.total() > 0).await;
    assert_eq!(deployment.task().policy, "observe");
    assert!(deployment.task().withheld.delete > 0, "{:?}", deployment.task().withheld);
    assert!(deployment.metric("causeway_withheld{").unwrap() > 0);
    deployment.stop().await;
    assert_eq!(stage.writes(), [""; 0]);
}

#[tokio::test]
async fn the_programs_commands_make_no_write_for_a_task_that_observes_either() {
    let desk = Desk::new(KongStandIn::start().await, "").await;
    desk.write(&fleet(3));
    desk.configure("source: r\n", "source: r\n    policy: observe\n");
    let (code, text) = desk.told(&["plan", "--exit-code"]).await;
    assert_eq!(code, Some(0), "nothing would change: {text}");
    assert!(text.contains("x + upstream r.default.s000.default: "), "{text}");
    assert!(text.contains("(withheld by `policy: observe`)"), "{text}");
    assert!(text.contains("plan: 0 to create") && text.contains(", 18 withheld"), "{text}");
    let (_, json) = desk.told(&["plan", "--output", "json"]).await;
    let plan: Value = serde_json::from_str(&json).unwrap();
    let first = &plan["tasks"][0]["services"][0];
    assert_eq!((&first["changes"], &first["withheld"][0]["by"]), (&json!([]), &json!("policy: observe")));
    let (code, text) = desk.told(&["sync"]).await;
    assert_eq!((code, text.trim()), (Some(0), "sync: 3 services, 0 changes made, 18 withheld"));
    let mut program = desk.start();
    program.until_ready().await;
    assert_eq!(program.status().await["tasks"][0]["withheld"]["create"], 18);
    program.terminate().await;
    assert_eq!(desk.kong.writes(), 0);
}

#[tokio::test]
async fn a_task_that_fills_writes_targets_only_and_picks_up_an_upstream_that_appears_later() {
    let stage = Stage::new().await;
    let kong = &stage.kong;
    kong.seed(
        Kind::Upstreams,
        &json!({ "name": UPSTREAM, "algorithm": "least-connections", "tags": ["shop"] }),
    );
    kong.seed_target(UPSTREAM, &json!({ "target": "192.0.2.1:80", "weight": 3 }));
    kong.seed(Kind::Services, &json!({ "name": "shop", "host": UPSTREAM }));
    stage.register("orders", ["10.0.0.1", "10.0.0.2"].map(instance));
    stage.register("stock", [instance("10.0.1.1")]);
    let made = stage.foreign();
    kong.reset_counts();
    let deployment = ready(&stage, "policy: fill").await;
    stage.until_targets(UPSTREAM, &["10.0.0.1:8080", "10.0.0.2:8080", "192.0.2.1:80"]).await;
    let waits = |name: &'static str| {
        move |status: &causeway::reconcile::Status| status.tasks[0].waiting.iter().any(|it| it.object == name)
    };
    deployment.until("it waits", waits("upstream r.default.stock.default")).await;
    assert_eq!(stage.foreign(), made);

    kong.seed(Kind::Upstreams, &json!({ "name": "r.default.stock.default" }));
    let made = stage.foreign();
    stage.until_targets("r.default.stock.default", &["10.0.1.1:8080"]).await;
    deployment.until("it waits no more", |status| !waits("upstream r.default.stock.default")(status)).await;
    play(&stage, &deployment).await;
    stage.register("orders", []);
    stage.until_targets(UPSTREAM, &["192.0.2.1:80"]).await;
    stage.until_targets("r.default.stock.default", &[]).await;
    deployment.after_audits(2).await;
    assert_eq!(stage.foreign(), made);
    assert!(stage.writes().iter().all(|write| write.contains("/targets")), "{:?}", stage.writes());
    deployment.stop().await;
}

#[tokio::test]
async fn a_task_that_may_not_delete_never_does_and_says_what_it_would() {
    let stage = Stage::new().await;
    stage.register("orders", ["10.0.0.1", "10.0.0.2"].map(instance));
    stage.register("stock", [instance("10.0.1.1")]);
    let deployment = ready(&stage, "delete: false").await;
    play(&stage, &deployment).await;
    stage.register("orders", [instance("10.0.0.9")]);
    stage.deregister("stock");
    stage.until("what comes is added", |kong| kong.weights(UPSTREAM).contains_key("10.0.0.9:8080")).await;
    deployment.until("what stays is told", |status| status.tasks[0].withheld.delete > 3).await;
    deployment.after_audits(2).await;
    assert!(stage.kong.weights(UPSTREAM).len() > 5, "{:?}", stage.kong.weights(UPSTREAM));
    assert!(stage.kong.entity(Kind::Services, "r.default.stock").is_some());
    assert!(!stage.writes().iter().any(|write| write.starts_with("DELETE")), "{:?}", stage.writes());
    deployment.stop().await;
}

/// What a person sets on objects, whosever they are, and sets to 0 on a target of their own.
fn settle_in(stage: &Stage) {
    let checks = json!({ "active": { "http_path": "/up", "healthy": { "interval": 5, "successes": 2 } },
                         "passive": { "unhealthy": { "http_failures": 3 } } });
    let upstream = json!({ "healthchecks": checks, "host_header": "orders.example.org" });
    patch(stage, &format!("/upstreams/{UPSTREAM}"), &upstream);
    let timeouts =
        json!({ "connect_timeout": 700, "read_timeout": 1234, "write_timeout": 4321, "retries": 9 });
    patch(stage, "/services/r.default.orders", &timeouts);
    stage.kong.seed_target(UPSTREAM, &json!({ "target": "192.0.2.9:80", "weight": 0 }));
}

#[tokio::test]
async fn a_persons_settings_are_as_they_were_after_ten_audits_and_our_weights_are_put_right() {
    let stage = Stage::new().await;
    stage.register("orders", ["10.0.0.1", "10.0.0.2"].map(instance));
    let deployment = ready(&stage, "").await;
    settle_in(&stage);
    let whole = |kind, name: &str| stage.kong.entity(kind, name).unwrap();
    let (upstream, service) = (whole(Kind::Upstreams, UPSTREAM), whole(Kind::Services, "r.default.orders"));
    let theirs = stage.foreign();
    set_weight(&stage, UPSTREAM, "10.0.0.1:8080", 0);
    stage.until("our own weight is put right", |kong| kong.weights(UPSTREAM)["10.0.0.1:8080"] == 100).await;
    deployment.after_audits(10).await;
    assert_eq!(whole(Kind::Upstreams, UPSTREAM), upstream);
    assert_eq!(whole(Kind::Services, "r.default.orders"), service);
    assert_eq!(stage.foreign(), theirs);
    assert_eq!(stage.kong.weights(UPSTREAM)["192.0.2.9:80"], 0);
    deployment.stop().await;
}

#[tokio::test]
async fn a_weight_that_is_create_only_is_set_once_and_then_left_alone() {
    let stage = Stage::new().await;
    stage.register("orders", [weighing(instance("10.0.0.1"), 0.3), instance("10.0.0.2")]);
    let deployment = ready(&stage, "fields: { weight: create-only }").await;
    assert_eq!(stage.kong.weights(UPSTREAM)["10.0.0.1:8080"], 30);
    set_weight(&stage, UPSTREAM, "10.0.0.1:8080", 0);
    stage.kong.reset_counts();
    stage.register("orders", [weighing(instance("10.0.0.1"), 0.9), instance("10.0.0.2")]);
    deployment.until("it is told", |status| status.tasks[0].withheld.patch == 1).await;
    deployment.after_audits(10).await;
    assert_eq!(stage.writes(), [""; 0]);
    stage.register("orders", ["10.0.0.2", "10.0.0.3"].map(instance));
    stage.until_targets(UPSTREAM, &["10.0.0.2:8080", "10.0.0.3:8080"]).await;
    deployment.stop().await;
}
