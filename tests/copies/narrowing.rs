//! What a task has left that carries less than before, in a registry that keeps copies by itself.

use std::time::Duration;

use causeway::model::{Instance, ServiceKey};

use super::scene::{Deployment, Scene, always, config, instance, until};
use super::server::{Server, orders};

const ALL: &str = r#"
  - { name: move, source: a, destination: b, match: [ { service: "*" } ] }
"#;

const ORDERS_ONLY: &str = r#"
  - { name: move, source: a, destination: b, match: [ { service: "orders" } ] }
"#;

/// So many audits pass until every part was read once.
const ROTATION: Duration = Duration::from_secs(16 * 30 + 5);

fn books(namespace: &str) -> ServiceKey {
    ServiceKey::new(namespace, "books")
}

/// Orders and books of `a` stand at `b`, with a native book and somebody else's copy of one; nobody runs.
async fn copied() -> (Scene, Server, Server) {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    b.is_permanent();
    for key in [orders("empty_ns"), books("empty_ns")] {
        a.register(&key, instance("10.0.0.1", 1.0, "1"));
        a.register(&key, instance("10.0.0.2", 1.0, "1"));
    }
    let mut foreign = instance("10.0.0.9", 1.0, "1");
    foreign.metadata.insert("causeway-owner".to_owned(), "others".to_owned());
    foreign.metadata.insert("causeway-task".to_owned(), "move".to_owned());
    foreign.metadata.insert("causeway-origin".to_owned(), "a".to_owned());
    b.register(&books("default"), foreign);
    b.register(&books("default"), instance("10.0.0.8", 1.0, "1"));
    let before = scene.deploy(&config(ALL));
    until("all are copied", || {
        b.copies(&orders("default")).len() == 2 && b.copies(&books("default")).len() == 3
    })
    .await;
    drop(before);
    b.writes();
    (scene, a, b)
}

fn hosts(entries: Vec<Instance>) -> Vec<String> {
    entries.into_iter().map(|entry| entry.address.host).collect()
}

fn held(deployment: &Deployment) -> Vec<(String, String)> {
    let held = deployment.status().tasks.remove(0).held.into_iter();
    held.map(|held| (held.address, held.reason)).collect()
}

#[tokio::test(start_paused = true)]
async fn copies_of_what_matches_no_more_go_after_the_hold_and_nothing_else() {
    let (scene, _, b) = copied().await;
    let deployment = scene.deploy(&config(ORDERS_ONLY));
    let told = |host: &str| (format!("{host}:80"), "the task carries its service no more".to_owned());
    let took = until("they are found, and held first", || held(&deployment).len() == 2).await;
    assert!(took < ROTATION, "{took:?}");
    assert_eq!(held(&deployment), [told("10.0.0.1"), told("10.0.0.2")]);
    assert_eq!(b.copies(&books("default")).len(), 3);
    let took = until("they go", || b.copies(&books("default")).len() == 1).await;
    assert!((10..=31).contains(&took.as_secs()), "{took:?}");
    until("that is told", || held(&deployment).is_empty()).await;
    assert_eq!(hosts(b.entries(&books("default"))), ["10.0.0.8", "10.0.0.9"]);
    always("the rest stays", ROTATION, || b.copies(&orders("default")).len() == 2).await;
    let removals = ["remove default/books 10.0.0.1:80", "remove default/books 10.0.0.2:80"];
    assert_eq!(b.writes(), removals, "each once");
}

#[tokio::test(start_paused = true)]
async fn delete_false_keeps_them_and_so_does_a_source_in_doubt() {
    let (scene, a, b) = copied().await;
    let keeping = ORDERS_ONLY.replace("name: move", "name: move, delete: false");
    let deployment = scene.deploy(&config(&keeping));
    always("they stay", ROTATION, || b.copies(&books("default")).len() == 3).await;
    assert_eq!((held(&deployment), deployment.status().tasks[0].withheld.delete), (vec![], 2));
    drop(deployment);

    let deployment = scene.deploy(&config(ORDERS_ONLY));
    always("it is read", Duration::from_secs(1), || true).await;
    a.goes_down(true);
    always("they stay", ROTATION, || b.copies(&books("default")).len() == 3).await;
    let reason = "the registry in which it is native cannot be read at present";
    assert_eq!(held(&deployment)[0].1, reason);
    a.goes_down(false);
    until("they go", || b.copies(&books("default")).len() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn what_tasks_have_left_that_are_not_configured_any_more_is_told_and_left() {
    let (scene, _, b) = copied().await;
    let other = ORDERS_ONLY.replace("move", "another");
    let deployment = scene.deploy(&config(&other));
    let leftovers = || -> Vec<String> {
        let registries = deployment.status().registries.into_iter();
        registries.filter(|it| it.name == "b").flat_map(|it| it.leftovers).collect()
    };
    until("it is told", || leftovers() == ["move"]).await;
    always("it stays", ROTATION, || b.copies(&books("default")).len() == 3 && leftovers() == ["move"]).await;
    assert_eq!(b.writes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_part_is_read_at_a_time() {
    let scene = Scene::of(&["a", "b"]);
    let b = scene.server("b");
    b.is_permanent();
    for n in 0..320 {
        b.register(&ServiceKey::new("default", format!("s{n}")), instance("10.0.0.1", 1.0, "1"));
    }
    let _deployment = scene.deploy(&config(ORDERS_ONLY));
    always("a rotation passes", ROTATION, || true).await;
    let read = b.read();
    let (flow, parts) = read.split_first().unwrap();
    assert_eq!((*flow, parts.len()), (0, 16), "the task reads none of them: {read:?}");
    assert_eq!(parts.iter().sum::<usize>(), 320, "each is read once: {read:?}");
    assert!(parts.iter().all(|part| *part <= 40), "{read:?}");
}
