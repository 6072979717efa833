//! Groups by the values of a metadata key: they come as values appear and go as values go.

use causeway_test_support::kong::{Kind, KongStandIn};

use crate::document::Document;
use crate::stage::{Deployment, Stage, note_orphans, of_version};

const LONG_HOLD: &str = "10m";
const HOLD: &str = "300ms";

fn document(entry: &str, hold: &str) -> String {
    let entry = &format!(r#"service: "*", {entry}"#);
    Document { hold, audit: "200ms", defaults: "group_by: version", entry, ..Document::default() }.text()
}

async fn ready(stage: &Stage, entry: &str, hold: &str) -> Deployment {
    stage.ready(&document(entry, hold)).await
}

/// One instance of each of these versions, at an address of its own.
fn register(stage: &Stage, versions: &[&str]) {
    let at = |version: &str| version.bytes().fold(0_u32, |sum, byte| (sum * 31 + u32::from(byte)) % 250);
    stage.register(
        "orders",
        versions
            .iter()
            .map(|version| of_version(&format!("10.0.{}.{}", version.len(), at(version)), version)),
    );
}

/// The groups for which there are upstreams.
fn groups(kong: &KongStandIn) -> Vec<String> {
    let names = kong.upstreams().into_iter().map(|upstream| upstream["name"].as_str().unwrap().to_owned());
    names.filter_map(|name| name.strip_prefix("r.default.orders.").map(str::to_owned)).collect()
}

async fn until_groups(stage: &Stage, wanted: &[&str]) {
    stage.until(&format!("the groups are {wanted:?}"), |kong| groups(kong) == wanted).await;
}

fn notes(deployment: &Deployment) -> Vec<String> {
    deployment.task().notes.into_iter().map(|note| note.reason).collect()
}

#[tokio::test]
async fn a_value_that_appears_has_an_upstream_and_one_that_goes_has_it_retired() {
    let stage = Stage::new().await;
    let orphans = note_orphans(&stage.kong);
    register(&stage, &["1.0.0"]);
    let deployment = ready(&stage, "", HOLD).await;
    until_groups(&stage, &["1_x2e0_x2e0", "default"]).await;
    register(&stage, &["1.0.0", "灰度", "a/b"]);
    until_groups(&stage, &["1_x2e0_x2e0", "_xe7_x81_xb0_xe5_xba_xa6", "a_x2fb", "default"]).await;
    stage
        .until("it has its target", |kong| {
            kong.weights("r.default.orders.a_x2fb").len() == 1
                && kong.weights("r.default.orders.default").len() == 3
        })
        .await;
    let upstream = stage.kong.entity(Kind::Upstreams, "r.default.orders.a_x2fb").unwrap();
    assert!(upstream["tags"].to_string().contains("causeway.group:a%2Fb"), "{upstream}");
    assert_eq!(stage.kong.services().len(), 1);
    assert_eq!(stage.kong.services()[0]["host"], "r.default.orders.default");

    register(&stage, &["1.0.0", "a/b"]);
    until_groups(&stage, &["1_x2e0_x2e0", "a_x2fb", "default"]).await;
    // An instance that changes its value leaves its group at once, and the group goes.
    stage.kong.reset_counts();
    register(&stage, &["1.0.0", "c/b"]);
    until_groups(&stage, &["1_x2e0_x2e0", "c_x2fb", "default"]).await;
    deployment.after_audits(2).await;
    assert!(deployment.plan("orders").await.is_empty());
    assert_eq!(notes(&deployment), [""; 0]);
    assert_eq!(*orphans.lock().unwrap(), [""; 0]);
    deployment.stop().await;
}

#[tokio::test]
async fn a_group_of_which_the_last_instance_is_held_stays() {
    let stage = Stage::new().await;
    register(&stage, &["1", "2"]);
    let deployment = ready(&stage, "", LONG_HOLD).await;
    until_groups(&stage, &["1", "2", "default"]).await;
    stage.kong.reset_counts();
    register(&stage, &["1"]);
    deployment
        .until("it is held", |status| {
            status.tasks[0].held.iter().any(|held| held.upstream.as_deref() == Some("r.default.orders.2"))
        })
        .await;
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    deployment.after_audits(2).await;
    let touched = stage.writes().into_iter().find(|write| write.contains("orders.2"));
    assert_eq!(touched, None, "only `default`, which has another, lets it go");
    deployment.supervisor.sources().for_each(|source| source.release());
    until_groups(&stage, &["1", "default"]).await;
    deployment.stop().await;
}

#[tokio::test]
async fn beyond_max_groups_newcomers_wait_behind_incumbents_and_who_is_out_is_told() {
    let stage = Stage::new().await;
    register(&stage, &["m", "n"]);
    let entry = r#"max_groups: 3, groups: [ { name: fixed, metadata: { track: stable } } ]"#;
    let deployment = ready(&stage, entry, HOLD).await;
    until_groups(&stage, &["default", "fixed", "m", "n"]).await;
    register(&stage, &["a", "m", "n", "z"]);
    let told = |values: &str, count: &str| {
        vec![format!(
            "{count} no group by `version`, since `max_groups` is 3 with the 1 configured: {values}"
        )]
    };
    deployment.until("they are told", |_| notes(&deployment) == told("a, z", "2 values have")).await;
    stage.until("they are targets", |kong| kong.weights("r.default.orders.default").len() == 4).await;
    assert_eq!(groups(&stage.kong), ["default", "fixed", "m", "n"]);

    // Who is in after a restart is read from the gateway.
    deployment.stop().await;
    stage.kong.reset_counts();
    let deployment = ready(&stage, entry, HOLD).await;
    deployment.after_audits(2).await;
    assert_eq!(stage.writes(), [""; 0]);
    assert_eq!(notes(&deployment), told("a, z", "2 values have"));

    register(&stage, &["a", "n", "z"]);
    until_groups(&stage, &["a", "default", "fixed", "n"]).await;
    deployment.until("one is left", |_| notes(&deployment) == told("z", "1 value has")).await;
    deployment.stop().await;
    let deployment = ready(&stage, "max_groups: 1", HOLD).await;
    until_groups(&stage, &["a", "default"]).await;
    deployment.stop().await;
}

#[tokio::test]
async fn values_with_names_that_are_taken_have_no_group_and_are_told() {
    let stage = Stage::new().await;
    register(&stage, &["default", "split", "v1", "v2", ""]);
    let groups_of =
        r#"groups: [ { name: v1, metadata: { track: "1" } }, { name: v2, metadata: { version: v2 } } ]"#;
    let deployment = ready(&stage, groups_of, HOLD).await;
    until_groups(&stage, &["default", "v1", "v2"]).await;
    assert_eq!(stage.kong.weights("r.default.orders.v1").len(), 0, "the configured group is another one");
    assert_eq!(stage.kong.weights("r.default.orders.v2").len(), 1);
    assert_eq!(
        notes(&deployment),
        [
            "`version: default` has no group, since the group name `default` is reserved",
            "`version: split` has no group, since the group name `split` is reserved",
            "`version: v1` has no group of its own, since a configured group with another filter is named `v1`",
        ]
    );
    deployment.stop().await;
}

#[tokio::test]
async fn shares_may_name_values_and_these_come_before_others() {
    let stage = Stage::new().await;
    register(&stage, &["a", "b", "z"]);
    let deployment = ready(&stage, "max_groups: 2, split: { z: 25, a: 75, later: 100 }", HOLD).await;
    until_groups(&stage, &["a", "default", "split", "z"]).await;
    let weights: Vec<i64> = stage.kong.weights("r.default.orders.split").into_values().collect();
    assert_eq!(weights.len(), 2);
    let all: i64 = weights.iter().sum();
    assert!(weights.iter().any(|weight| weight * 4 == all), "{weights:?}");
    let told = notes(&deployment);
    assert!(told[0].starts_with("1 value has no group by `version`") && told[0].ends_with(": b"), "{told:?}");
    assert!(told[1].starts_with("group later has nobody to take its 50% of the split"), "{told:?}");
    register(&stage, &["a", "b", "later", "z"]);
    stage.until("it is in the split", |kong| kong.weights("r.default.orders.split").len() == 3).await;
    deployment.stop().await;
}
