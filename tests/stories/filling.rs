//! Upstreams that people made, filled with our targets and nothing else.

use causeway_test_support::kong::Kind;
use http::Method;
use serde_json::json;

use crate::example::{HOLD, document};
use crate::stage::{Stage, instance, is_ours, of_version, weighing};

const DEFAULT: &str = "ins-3ad0f6e6.empty_ns.test.service.3.default";

/// As polaris-sync's users have it: its name, the type of the source as a tag, targets without tags.
fn put_as_polaris_sync(stage: &Stage) {
    stage.kong.seed(
        Kind::Upstreams,
        &json!({ "name": DEFAULT, "tags": ["NACOS"], "algorithm": "least-connections" }),
    );
    stage.kong.seed_target(DEFAULT, &json!({ "target": "10.0.0.1:8080", "weight": 100 }));
    stage.kong.seed_target(DEFAULT, &json!({ "target": "10.0.0.99:8080", "weight": 100 }));
}

#[tokio::test]
async fn an_upstream_as_polaris_sync_has_it_is_filled_without_a_conflict() {
    let stage = Stage::new().await;
    put_as_polaris_sync(&stage);
    let foreign = stage.foreign();
    stage.register_in("empty_ns", "test.service.3", ["10.0.0.1", "10.0.0.2"].map(instance));
    let deployment = stage.deploy_holding(&document(), HOLD);
    stage.until_targets(DEFAULT, &["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.99:8080"]).await;
    deployment.until_ready().await;
    assert!(deployment.conflicts().is_empty(), "{:?}", deployment.conflicts());
    let ours = stage.kong.targets(DEFAULT).into_iter().filter(is_ours).count();
    assert_eq!(ours, 1, "the untagged one at a wanted address counts as present");
    let service = stage.kong.entity(Kind::Services, "ins-3ad0f6e6.empty_ns.test.service.3").unwrap();
    assert_eq!(service["host"], DEFAULT);

    stage.register_in("empty_ns", "test.service.3", ["10.0.0.1", "10.0.0.3"].map(instance));
    stage.until_targets(DEFAULT, &["10.0.0.1:8080", "10.0.0.3:8080", "10.0.0.99:8080"]).await;
    deployment.after_audits(2).await;
    assert_eq!(stage.foreign(), foreign);
    deployment.stop().await;
}

#[tokio::test]
async fn what_was_filled_is_emptied_of_ours_when_the_service_has_gone_while_nothing_ran() {
    let stage = Stage::new().await;
    put_as_polaris_sync(&stage);
    let foreign = stage.foreign();
    stage.register_in("empty_ns", "test.service.3", ["10.0.0.1", "10.0.0.2"].map(instance));
    let deployment = stage.deploy_holding(&document(), HOLD);
    stage.until_targets(DEFAULT, &["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.99:8080"]).await;
    deployment.until_ready().await;
    deployment.stop().await;

    stage.registry.change(|content| content.services.clear());
    let deployment = stage.deploy_holding(&document(), HOLD);
    deployment.until_ready().await;
    stage.until_targets(DEFAULT, &["10.0.0.1:8080", "10.0.0.99:8080"]).await;
    deployment.after_audits(2).await;
    assert_eq!(stage.foreign(), foreign);
    deployment.stop().await;
}

const OWN_NAME: &str = r#"
version: 1
owner: me
registries: [ { name: r, type: nacos, addresses: ["127.0.0.1:1"], protect: { hold: 500ms } } ]
gateways: [ { name: kong, type: kong, addresses: ["KONG"] } ]
tasks:
  - name: t
    source: r
    destination: kong
    match:
      - namespace: default
        service: orders
        groups: [ { name: v2, metadata: { version: "2" }, upstreamName: my-own-upstream } ]
methods: [ { type: watch, enable: true }, { type: pull, enable: true, interval: 300ms } ]
health_check: { enable: false }
"#;

#[tokio::test]
async fn an_upstream_of_the_users_own_name_is_waited_for_and_filled() {
    let stage = Stage::new().await;
    stage.register("orders", [of_version("10.0.0.1", "1"), of_version("10.0.0.2", "2")]);
    let deployment = stage.deploy(OWN_NAME);
    stage.until_targets("r.default.orders.default", &["10.0.0.1:8080", "10.0.0.2:8080"]).await;
    let waits = |object: &str| object == "upstream my-own-upstream";
    deployment.until("it waits", |s| s.tasks[0].waiting.iter().any(|it| waits(&it.object))).await;
    assert!(deployment.plan("orders").await.waiting.iter().any(|it| waits(&it.key.to_string())));
    deployment.after_audits(2).await;
    assert!(stage.kong.entity(Kind::Upstreams, "my-own-upstream").is_none(), "it is its user's to make");

    stage.kong.seed(Kind::Upstreams, &json!({ "name": "my-own-upstream", "tags": ["mine"] }));
    let made = stage.foreign();
    stage.until_targets("my-own-upstream", &["10.0.0.2:8080"]).await;
    deployment.until("nothing waits", |status| status.tasks[0].waiting.is_empty()).await;
    stage.register("orders", [of_version("10.0.0.1", "1"), weighing(of_version("10.0.0.2", "2"), 0.3)]);
    stage.until("its weight follows", |kong| kong.weights("my-own-upstream")["10.0.0.2:8080"] == 30).await;
    assert_eq!(stage.foreign(), made);
    deployment.stop().await;
}

#[tokio::test]
async fn a_weight_changed_by_hand_in_a_filled_upstream_is_put_right() {
    let stage = Stage::new().await;
    stage.kong.seed(Kind::Upstreams, &json!({ "name": "my-own-upstream" }));
    stage.register("orders", [of_version("10.0.0.2", "2")]);
    let deployment = stage.deploy(OWN_NAME);
    stage.until_targets("my-own-upstream", &["10.0.0.2:8080"]).await;
    deployment.until_ready().await;
    let id = stage.kong.targets("my-own-upstream")[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/upstreams/my-own-upstream/targets/{id}");
    let (status, _) = stage.kong.direct(&Method::PATCH, &path, &json!({ "weight": 0 }));
    assert_eq!(status, 200);
    stage.until("it is put right", |kong| kong.weights("my-own-upstream")["10.0.0.2:8080"] == 100).await;
    deployment.stop().await;
}
