//! Who counts in a group, and who takes the share of one that is empty.

use super::{
    HOLD, LONG_HOLD, SPLIT, assert_safe, document, document_with, fleet, is_two, note_wheel, part_of_two,
    until_part,
};
use crate::stage::{Stage, of_version, weighing};

#[tokio::test]
async fn an_empty_groups_share_goes_to_the_others_and_that_is_said() {
    let stage = Stage::new().await;
    stage.register("orders", fleet(3, 2));
    let deployment = stage.ready(&document("split: { v1: 80, v2: 20 }", HOLD)).await;
    let mut isolated = fleet(3, 2);
    isolated.iter_mut().filter(|it| it.metadata["version"] == "2").for_each(|it| it.isolated = true);
    stage.register("orders", isolated);
    until_part(&stage, 0.0).await;
    let said = "group v2 has nobody to take its 20% of the split, which the other groups take in proportion";
    deployment
        .until("it is said", |status| status.tasks[0].notes.iter().any(|note| note.reason == said))
        .await;
    assert!(deployment.task().failing.is_empty());
    stage.register("orders", fleet(3, 2));
    until_part(&stage, 0.2).await;
    deployment.until("it is no longer said", |status| status.tasks[0].notes.is_empty()).await;
    deployment.stop().await;
}

#[tokio::test]
async fn what_is_held_keeps_counting_in_its_group() {
    let stage = Stage::new().await;
    stage.register("orders", fleet(3, 3));
    let split = document("split: { v1: 70, v2: 30 }", LONG_HOLD);
    stage.ready(&split).await.stop().await;
    // What a registry lost while Causeway was away may be the registry's fault.
    stage.kong.reset_counts();
    stage.register("orders", fleet(3, 1));
    let deployment = stage.ready(&split).await;
    deployment
        .until("both are held", |status| {
            status.tasks[0].held.iter().filter(|held| held.upstream.as_deref() == Some(SPLIT)).count() == 2
        })
        .await;
    deployment.after_audits(2).await;
    assert_eq!(stage.writes(), [""; 0], "two of three are missing, and their weights stand");
    let history = note_wheel(&stage.kong);
    stage.register("orders", fleet(4, 1));
    stage.until("the new one is there", |kong| kong.weights(SPLIT).len() == 7).await;
    until_part(&stage, 0.3).await;
    deployment.supervisor.sources().for_each(|source| source.release());
    stage.until("they are gone", |kong| kong.weights(SPLIT).len() == 5).await;
    until_part(&stage, 0.3).await;
    assert_safe(&history, 0.45);
    deployment.stop().await;
}

#[tokio::test]
async fn with_delete_false_what_has_gone_keeps_its_place_and_its_share_of_the_weight() {
    let stage = Stage::new().await;
    stage.register("orders", fleet(2, 2));
    let split = "split: { v1: 50, v2: 50 }";
    let deployment = stage.ready(&document_with("delete: false", split, HOLD)).await;
    stage.register("orders", fleet(1, 4));
    stage.until("the new ones are there", |kong| kong.weights(SPLIT).len() == 6).await;
    until_part(&stage, 0.5).await;
    deployment.after_audits(3).await;
    assert_eq!(stage.kong.weights(SPLIT).len(), 6);
    assert!(stage.writes().iter().all(|write| !write.starts_with("DELETE")));
    deployment.stop().await;
}

#[tokio::test]
async fn registered_weights_count_only_where_they_are_zero() {
    let stage = Stage::new().await;
    let drained = weighing(of_version("10.0.2.9", "2"), 0.0);
    let heavy = weighing(of_version("10.0.2.8", "2"), 5.0);
    stage.register("orders", fleet(2, 1).into_iter().chain([drained, heavy]));
    let deployment = stage.ready(&document("split: { v1: 50, v2: 50 }", HOLD)).await;
    let weights = stage.kong.weights(SPLIT);
    let two: Vec<i64> =
        weights.iter().filter(|(address, _)| is_two(address)).map(|(_, weight)| *weight).collect();
    assert_eq!(two, [2500, 2500, 0]);
    assert_eq!(part_of_two(&weights), Some(0.5));
    deployment.stop().await;
}

#[tokio::test]
async fn an_instance_in_two_groups_of_a_split_is_an_error_told_with_both_names() {
    let stage = Stage::new().await;
    let mut both = of_version("10.0.1.9", "1");
    both.metadata.insert("track".to_owned(), "canary".to_owned());
    stage.register("orders", fleet(2, 0).into_iter().chain([both.clone()]));
    let overlapping = document("split: { canary: 10, v1: 90 }", HOLD).replace(
        r#"{ name: v2, metadata: { version: "2" } }"#,
        "{ name: canary, metadata: { track: canary } }",
    );
    let deployment = stage.ready(&overlapping).await;
    let failing = deployment.task().failing;
    assert_eq!(failing.len(), 1, "{failing:?}");
    assert_eq!(failing[0].service, "default/orders");
    assert_eq!(
        failing[0].reason,
        "10.0.1.9:8080 is in two groups of the split, canary and v1; it counts in canary until it is in one"
    );
    assert_eq!(stage.kong.weights(SPLIT)["10.0.1.9:8080"], 1000, "a tenth");
    both.metadata.remove("version");
    stage.register("orders", fleet(2, 0).into_iter().chain([both]));
    deployment.until("it is told no more", |status| status.tasks[0].failing.is_empty()).await;
    deployment.stop().await;
}
