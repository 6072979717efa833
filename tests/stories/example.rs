//! The document that polaris-sync's users have, with Nacos as its source.

use std::time::Duration;

use serde_json::Value;

use crate::stage::{Deployment, Stage, is_ours, of_version, weighing};

/// A hold of 60 s is right for people and too long for tests.
pub const HOLD: Duration = Duration::from_millis(500);
const SERVICE: &str = "ins-3ad0f6e6.empty_ns.test.service.3";

/// polaris-sync's own example with another source; only the audit is quicker.
pub fn document() -> String {
    let example = include_str!("../data/examples/polaris-sync-kong.json");
    let adapted = [
        ("\"type\": \"polaris\"", "\"type\": \"nacos\""),
        ("\"127.0.0.1:8090\"", "\"127.0.0.1:8848\""),
        ("\"namespace\": \"default\"", "\"namespace\": \"empty_ns\""),
        ("\"127.0.0.1:8001\"", "\"KONG\""),
        ("\"interval\": \"60s\"", "\"interval\": \"300ms\""),
    ];
    adapted.iter().fold(example.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text.replace(from, to)
    })
}

fn upstream(group: &str) -> String {
    format!("{SERVICE}.{group}")
}

/// Each write's method and the upstream that it is about, in no order.
fn targets_written(stage: &Stage) -> Vec<(String, String)> {
    let about = |write: String| {
        let (method, path) = write.split_once(' ').unwrap();
        let upstream = path.strip_prefix("/upstreams/").unwrap().split_once("/targets/").unwrap().0;
        (method.to_owned(), upstream.to_owned())
    };
    let mut written: Vec<_> = stage.writes().into_iter().map(about).collect();
    written.sort();
    written
}

async fn first_pass(stage: &Stage) -> Deployment {
    let instances =
        [of_version("10.0.0.1", "1.0.0"), of_version("10.0.0.2", "1.0.0"), of_version("10.0.0.3", "2.0.0")];
    stage.register_in("empty_ns", "test.service.3", instances);
    let deployment = stage.deploy_holding(&document(), HOLD);
    deployment.until_ready().await;
    deployment
}

fn assert_tagged(entity: &Value) {
    let tags = entity["tags"].as_array().unwrap();
    for tag in [
        "causeway",
        "causeway.owner:causeway",
        "causeway.task:polaris1",
        "causeway.registry:ins-3ad0f6e6",
        "causeway.namespace:empty_ns",
        "causeway.service:test.service.3",
    ] {
        assert!(tags.contains(&tag.into()), "{tag} is missing in {entity}");
    }
}

#[tokio::test]
async fn one_service_and_an_upstream_for_each_group() {
    let stage = Stage::new().await;
    let deployment = first_pass(&stage).await;
    let kong = &stage.kong;
    let services = kong.services();
    assert_eq!(services.len(), 1);
    assert_eq!((&services[0]["name"], &services[0]["host"]), (&SERVICE.into(), &upstream("default").into()));
    let upstreams = kong.upstreams();
    let names: Vec<&str> = upstreams.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, [upstream("default"), upstream("version-1"), upstream("version-2")]);
    let held = |group: &str| kong.weights(&upstream(group)).into_keys().collect::<Vec<_>>();
    assert_eq!(held("default"), ["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.3:8080"]);
    assert_eq!(held("version-1"), ["10.0.0.1:8080", "10.0.0.2:8080"]);
    assert_eq!(held("version-2"), ["10.0.0.3:8080"]);
    for entity in [services, upstreams, kong.all_targets()].concat() {
        assert!(is_ours(&entity));
        assert_tagged(&entity);
    }
    assert_eq!(stage.writes().len(), 1 + 3 + 6, "{:?}", stage.writes());
    deployment.stop().await;
}

#[tokio::test]
async fn a_change_costs_one_write_for_each_upstream_that_holds_it_and_a_second_start_none() {
    let stage = Stage::new().await;
    let deployment = first_pass(&stage).await;

    stage.kong.reset_counts();
    let left = [of_version("10.0.0.2", "1.0.0"), of_version("10.0.0.3", "2.0.0")];
    stage.register_in("empty_ns", "test.service.3", left.clone());
    stage.until_targets(&upstream("version-1"), &["10.0.0.2:8080"]).await;
    stage.until_targets(&upstream("default"), &["10.0.0.2:8080", "10.0.0.3:8080"]).await;
    deployment.after_audits(2).await;
    let both = |method: &str, group| ["default", group].map(|group| (method.to_owned(), upstream(group)));
    assert_eq!(targets_written(&stage), both("DELETE", "version-1"));

    stage.kong.reset_counts();
    let [first, second] = left;
    stage.register_in("empty_ns", "test.service.3", [first, weighing(second, 0.5)]);
    let halved = |group: &'static str| {
        move |kong: &causeway_test_support::kong::KongStandIn| {
            kong.weights(&upstream(group)).get("10.0.0.3:8080") == Some(&50)
        }
    };
    stage.until("it weighs half in its group", halved("version-2")).await;
    stage.until("it weighs half among all", halved("default")).await;
    deployment.after_audits(2).await;
    assert_eq!(targets_written(&stage), both("PATCH", "version-2"));
    deployment.stop().await;

    stage.kong.reset_counts();
    let second_start = stage.ready(&document()).await;
    second_start.after_audits(2).await;
    assert_eq!(stage.writes(), [""; 0]);
    second_start.stop().await;
}
