//! `plan` and `sync`: one look, and one pass without time to wait.

use std::collections::BTreeMap;

use causeway::model::ServiceKey;
use causeway::reconcile::{Operation, Removals, Supervisor};

use super::scene::{BOTH_WAYS, Scene, config, instance, until};
use super::server::{Server, orders};

const SERVICES: usize = 20;

fn keys(namespace: &str) -> Vec<ServiceKey> {
    (0..SERVICES).map(|n| ServiceKey::new(namespace, format!("s{n:02}"))).collect()
}

fn count(b: &Server) -> usize {
    keys("default").iter().map(|key| b.copies(key).len()).sum()
}

/// Three instances of each service at `a`, all copied by a Causeway that is gone.
async fn copied() -> Scene {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    for key in keys("empty_ns") {
        for last in 1..=3 {
            a.register(&key, instance(&format!("10.0.0.{last}"), 1.0, "1"));
        }
    }
    let deployment = scene.deploy(&config(BOTH_WAYS));
    until("all are copied", || count(&b) == SERVICES * 3).await;
    drop(deployment);
    scene
}

/// What would be done, as `plan` has it.
fn planned(supervisor: &Supervisor) -> BTreeMap<Operation, usize> {
    let mut counts = BTreeMap::new();
    for flow in &supervisor.copies {
        let views = flow.all_keys().into_iter().map(|key| flow.explain(&key));
        for view in views {
            view.changes().for_each(|(operation, _)| *counts.entry(operation).or_default() += 1);
        }
    }
    counts
}

/// One pass, as `sync` makes it; answers the writes.
async fn passed(supervisor: &Supervisor) -> usize {
    let mut changes = 0;
    for flow in &supervisor.copies {
        for key in flow.all_keys() {
            changes += flow.carry_out(&key, Removals::Now).await.changes;
        }
    }
    changes
}

#[tokio::test(start_paused = true)]
async fn what_is_planned_is_what_a_pass_does_and_then_nothing_is_left() {
    let scene = copied().await;
    let (a, b) = (scene.server("a"), scene.server("b"));
    let (first, second, third) = (&keys("empty_ns")[0], &keys("empty_ns")[1], &keys("empty_ns")[2]);
    a.register(first, instance("10.0.0.4", 1.0, "1"));
    a.register(second, instance("10.0.0.1", 5.0, "1"));
    a.deregister(third, "10.0.0.3");
    b.writes();
    let (supervisor, _watching) = scene.look(&config(BOTH_WAYS)).await;
    let expected = [(Operation::Create, 1), (Operation::Patch, 1), (Operation::Delete, 1)];
    assert_eq!(planned(&supervisor), expected.into());
    assert_eq!((a.writes(), b.writes()), (vec![], vec![]), "a plan touches nothing");
    assert_eq!(passed(&supervisor).await, 3);
    let wrote =
        ["put default/s00 10.0.0.4:80", "put default/s01 10.0.0.1:80", "remove default/s02 10.0.0.3:80"];
    assert_eq!((a.writes(), b.writes()), (vec![], wrote.map(str::to_owned).to_vec()));
    assert_eq!(planned(&supervisor), BTreeMap::new());
    let (next, _watching) = scene.look(&config(BOTH_WAYS)).await;
    assert_eq!(passed(&next).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_pass_knows_what_stands_in_all_services_before_it_removes_from_one() {
    let scene = copied().await;
    let (a, b) = (scene.server("a"), scene.server("b"));
    for key in keys("empty_ns") {
        a.deregister(&key, "10.0.0.2");
        a.deregister(&key, "10.0.0.3");
    }
    let (supervisor, _watching) = scene.look(&config(BOTH_WAYS)).await;
    assert_eq!(
        planned(&supervisor),
        BTreeMap::new(),
        "two thirds of all are gone at once: the breaker is open"
    );
    assert_eq!(passed(&supervisor).await, 0);
    assert_eq!(count(&b), SERVICES * 3);
    supervisor.sources().for_each(|source| source.release());
    assert_eq!(planned(&supervisor), [(Operation::Delete, SERVICES * 2)].into());
    assert_eq!(passed(&supervisor).await, SERVICES * 2);
    assert_eq!(count(&b), SERVICES);
}

#[tokio::test(start_paused = true)]
async fn a_single_service_is_selected_by_its_name_at_either_end() {
    let scene = Scene::of(&["a", "b"]);
    scene.server("a").register(&ServiceKey::new("empty_ns", "legacy-orders"), instance("10.0.0.1", 1.0, "1"));
    let task = r#"
  - { name: move, source: a, destination: b, rename: [ { from: "legacy-*", to: "*" } ], match: [ { service: "*" } ] }
"#;
    let (supervisor, _watching) = scene.look(&config(task)).await;
    let flow = &supervisor.copies[0];
    for name in ["orders", "default/orders", "legacy-orders", "empty_ns/legacy-orders"] {
        assert!(flow.is_named(&orders("default"), name), "{name}");
    }
    assert!(!flow.is_named(&orders("default"), "books"));
}
