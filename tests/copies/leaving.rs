//! What tasks have left, and how it goes.

use causeway::config::Config;
use causeway::reconcile::{Leaves, Leaving, leaving};

use super::scene::{BOTH_WAYS, Scene, config, instance, until};
use super::server::{Server, orders};

const OTHER: &str = r#"
  - { name: other, source: a, destination: b, match: [ { service: "books" } ] }
"#;

/// A copy of every kind at `b`: of the task `move`, of somebody else's deployment, of another tool; and native ones.
async fn crowded() -> Scene {
    let scene = Scene::of(&["a", "b", "c", "e"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    a.register(&orders("empty_ns"), instance("10.0.0.1", 1.0, "1"));
    a.register(&orders("empty_ns"), instance("10.0.0.2", 1.0, "1"));
    b.register(&orders("default"), instance("10.0.0.3", 1.0, "1"));
    let deployment = scene.deploy(&config(BOTH_WAYS));
    until("all are copied", || {
        b.copies(&orders("default")).len() == 2 && a.copies(&orders("empty_ns")).len() == 1
    })
    .await;
    drop(deployment);
    let marks: [&[(&str, &str)]; 2] = [
        &[("causeway-origin", "a"), ("causeway-owner", "theirs"), ("causeway-task", "move")],
        &[("__sync__", "nacos1")],
    ];
    for (host, pairs) in ["10.0.0.8", "10.0.0.9"].into_iter().zip(marks) {
        let mut foreign = instance(host, 1.0, "1");
        foreign.metadata.extend(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        b.register(&orders("default"), foreign);
    }
    let _of_the_beginning = (a.writes(), b.writes());
    scene
}

fn found(left: &Leaving) -> Vec<(String, String, usize)> {
    let counts = left.copies.iter().map(|it| {
        let copies = it.services.values().map(Vec::len).sum();
        (it.registry.clone(), it.reason.clone(), copies)
    });
    counts.collect()
}

fn hosts(server: &Server, namespace: &str) -> Vec<String> {
    server.entries(&orders(namespace)).into_iter().map(|entry| entry.address.host).collect()
}

async fn removed(left: &Leaving) -> usize {
    let mut count = 0;
    for copies in &left.copies {
        let (removed, stay) = copies.remove().await;
        assert_eq!(stay, [""; 0]);
        count += removed;
    }
    count
}

async fn look(config: &Config, scene: &Scene, leaves: Leaves<'_>) -> Leaving {
    let left = leaving(config, scene, &leaves).await;
    assert_eq!(left.unread, [""; 0]);
    left
}

#[tokio::test(start_paused = true)]
async fn copies_of_a_task_that_is_not_configured_any_more_are_pruned_and_nothing_else() {
    let scene = crowded().await;
    let (a, b) = (scene.server("a"), scene.server("b"));
    let before = config(BOTH_WAYS);
    assert_eq!(
        found(&look(&before, &scene, Leaves::Unconfigured(&before)).await),
        [],
        "it is still configured"
    );
    let after = config(OTHER);
    let left = look(&after, &scene, Leaves::Unconfigured(&after)).await;
    let why = "task move is not configured any more";
    assert_eq!(found(&left), [("a".to_owned(), why.to_owned(), 1), ("b".to_owned(), why.to_owned(), 2)]);
    assert!(left.tasks.contains("move"));
    assert_eq!((a.writes(), b.writes()), (vec![], vec![]), "they are shown first");
    assert_eq!(removed(&left).await, 3);
    assert_eq!(hosts(&a, "empty_ns"), ["10.0.0.1", "10.0.0.2"]);
    assert_eq!(hosts(&b, "default"), ["10.0.0.3", "10.0.0.8", "10.0.0.9"]);
    assert_eq!(found(&look(&after, &scene, Leaves::Unconfigured(&after)).await), []);
}

#[tokio::test(start_paused = true)]
async fn a_configured_task_loses_what_it_carries_no_more() {
    let scene = crowded().await;
    let narrowed = config(
        r#"
  - { name: move, source: a, destination: b, match: [ { service: "orders" } ] }
"#,
    );
    let left = look(&narrowed, &scene, Leaves::Unconfigured(&narrowed)).await;
    let why = "task move does not carry this service here any more";
    assert_eq!(found(&left), [("a".to_owned(), why.to_owned(), 1)], "the way back is gone");
    assert!(left.tasks.is_empty(), "the task itself stays");
    let off = config(
        r#"
  - { name: move, enable: false, source: a, destination: b, mode: bidirectional, match: [ { service: "orders" } ] }
"#,
    );
    assert_eq!(
        found(&look(&off, &scene, Leaves::Unconfigured(&off)).await),
        [],
        "what is switched off stays"
    );
}

#[tokio::test(start_paused = true)]
async fn one_task_is_uninstalled_though_its_marks_were_lost() {
    let scene = crowded().await;
    let (a, b) = (scene.server("a"), scene.server("b"));
    b.meddle(|copy| copy.metadata.retain(|key, _| !key.starts_with("causeway-")));
    let config = config(BOTH_WAYS);
    let left = look(&config, &scene, Leaves::Task("move")).await;
    assert_eq!(left.copies.iter().map(|it| it.registry.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(removed(&left).await, 3, "they are known by their ids");
    assert_eq!(hosts(&b, "default"), ["10.0.0.3", "10.0.0.8", "10.0.0.9"]);
    assert_eq!(hosts(&a, "empty_ns"), ["10.0.0.1", "10.0.0.2"]);
    assert!(look(&config, &scene, Leaves::Task("nobody")).await.tasks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_cannot_be_read_is_told() {
    let scene = crowded().await;
    scene.server("b").goes_down(true);
    let config = config(OTHER);
    let left = leaving(&config, &scene, &Leaves::Unconfigured(&config)).await;
    assert_eq!(left.unread, ["registry b, the registry: connection refused"]);
    assert_eq!(found(&left).len(), 1, "the others are looked at all the same");
}
