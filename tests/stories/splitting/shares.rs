//! Shares hold whatever comes and goes, and on the way to others the wheel stays safe.

use std::time::Duration;

use causeway_test_support::kong::{Fault, Kind, Scope};
use http::Method;
use serde_json::{Value, json};

use super::{HOLD, SPLIT, assert_safe, document, fleet, is_two, note_wheel, part_of_two, until_part};
use crate::stage::{Stage, of_version};

#[tokio::test]
async fn a_service_leads_to_its_split_and_the_shares_hold_whatever_the_counts() {
    let stage = Stage::new().await;
    stage.register("orders", fleet(9, 1));
    let deployment = stage.ready(&document("split: { v1: 90, v2: 10 }", HOLD)).await;
    let weights = stage.kong.weights(SPLIT);
    assert_eq!(weights.len(), 10);
    assert!(weights.values().all(|weight| *weight == 1000), "{weights:?}");
    assert_eq!(stage.kong.entity(Kind::Services, "r.default.orders").unwrap()["host"], SPLIT);
    let tags = |target: &Value| target["tags"].to_string();
    let two =
        stage.kong.targets(SPLIT).into_iter().find(|it| is_two(it["target"].as_str().unwrap())).unwrap();
    assert!(tags(&two).contains("causeway.group:v2"), "{two}");
    assert!(stage.kong.weights("r.default.orders.default").values().all(|weight| *weight == 100));

    let history = note_wheel(&stage.kong);
    for (ones, twos) in [(9, 3), (2, 3), (2, 12), (30, 1)] {
        stage.register("orders", fleet(ones, twos));
        stage.until("all are there", |kong| kong.weights(SPLIT).len() == usize::from(ones + twos)).await;
        until_part(&stage, 0.1).await;
    }
    assert_safe(&history, 0.3);
    deployment.after_audits(2).await;
    assert!(deployment.plan("orders").await.is_empty());
    assert!(deployment.task().notes.is_empty(), "{:?}", deployment.task().notes);
    deployment.stop().await;
}

#[tokio::test]
async fn shares_that_change_go_out_as_weights_alone_one_at_a_time_and_safely() {
    let stage = Stage::new().await;
    stage.register("orders", fleet(6, 4));
    let split = |two: f64| document(&format!("split: {{ v1: {}, v2: {two} }}", 100.0 - two), HOLD);
    stage.ready(&split(10.0)).await.stop().await;
    for (before, after) in [(10.0, 50.0), (50.0, 100.0), (100.0, 1.0)] {
        stage.kong.reset_counts();
        let history = note_wheel(&stage.kong);
        let deployment = stage.ready(&split(after)).await;
        until_part(&stage, after / 100.0).await;
        deployment.after_audits(2).await;
        let writes = stage.writes();
        let is_weight = |write: &String| write.starts_with(&format!("PATCH /upstreams/{SPLIT}/targets/"));
        assert!(!writes.is_empty() && writes.len() <= 10 && writes.iter().all(is_weight), "{writes:?}");
        assert_safe(&history, f64::max(before, after) / 100.0 + 0.005);
        deployment.stop().await;
    }
}

#[tokio::test]
async fn on_the_way_from_one_share_to_another_nobody_gets_much_more_than_before_or_after() {
    let stage = Stage::new().await;
    stage.register("orders", fleet(6, 4));
    stage.ready(&document("split: { v1: 95, v2: 5 }", HOLD)).await.stop().await;
    let history = note_wheel(&stage.kong);
    // Slow answers would let writes that are made at once overtake each other.
    stage.kong.faults().set_latency(Duration::from_millis(20));
    let deployment = stage.ready(&document("split: { v1: 40, v2: 60 }", HOLD)).await;
    until_part(&stage, 0.6).await;
    assert_safe(&history, 0.605);
    let least = history.lock().unwrap().iter().filter_map(part_of_two).fold(1.0, f64::min);
    assert!(least >= 0.045, "{least}");
    deployment.stop().await;
}

#[tokio::test]
async fn a_change_that_breaks_off_is_taken_up_from_what_stands() {
    let stage = Stage::new().await;
    stage.register("orders", fleet(5, 5));
    stage.ready(&document("split: { v1: 90, v2: 10 }", HOLD)).await.stop().await;
    let history = note_wheel(&stage.kong);
    let patches = || Scope::On(Method::PATCH, "/targets/".to_owned());
    let faults = stage.kong.faults();
    for fault in
        [None, Some(Fault::Answer(404, json!({ "message": "Not found" }))), None, Some(Fault::LostAnswer)]
    {
        faults.next(patches(), fault);
    }
    faults.next_times(8, &patches(), &Fault::Status(500));
    let deployment = stage.ready(&document("split: { v1: 30, v2: 70 }", HOLD)).await;
    until_part(&stage, 0.7).await;
    assert_eq!(faults.pending(), 0, "every fault struck");
    assert_safe(&history, 0.705);
    deployment.after_audits(2).await;
    assert!(deployment.plan("orders").await.is_empty());
    deployment.stop().await;
}

#[tokio::test]
async fn a_group_whose_only_instance_is_replaced_never_leaves_the_wheel_empty() {
    let stage = Stage::new().await;
    let [one, two] = [of_version("10.0.1.1", "1"), of_version("10.0.2.1", "2")];
    stage.register("orders", [one.clone(), two]);
    let deployment = stage.ready(&document("split: { v1: 100, v2: 0 }", HOLD)).await;
    assert_eq!(part_of_two(&stage.kong.weights(SPLIT)), Some(0.0));
    let history = note_wheel(&stage.kong);
    for n in 2..6 {
        stage.register("orders", [of_version(&format!("10.0.1.{n}"), "1"), of_version("10.0.2.1", "2")]);
        let targets = [format!("10.0.1.{n}:8080"), "10.0.2.1:8080".to_owned()];
        stage.until_targets(SPLIT, &[&targets[0], &targets[1]]).await;
    }
    assert_safe(&history, 0.0);
    deployment.stop().await;
}
