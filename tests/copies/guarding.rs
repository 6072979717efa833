//! What the guard of a registry counts that holds natives and copies.

use std::time::Duration;

use causeway::model::ServiceKey;

use super::scene::{BOTH_WAYS, Deployment, Scene, always, config, instance, until};
use super::server::Server;

/// Two native instances of each of so many services.
fn fill(server: &Server, namespace: &str, prefix: &str, services: usize) {
    for key in keys(namespace, prefix, services) {
        server.register(&key, instance(&format!("{prefix}.0.0.1"), 1.0, "1"));
        server.register(&key, instance(&format!("{prefix}.0.0.2"), 1.0, "1"));
    }
}

fn keys(namespace: &str, prefix: &str, services: usize) -> Vec<ServiceKey> {
    (0..services).map(|n| ServiceKey::new(namespace, format!("{prefix}-{n}"))).collect()
}

fn copies(server: &Server, keys: &[ServiceKey]) -> usize {
    keys.iter().map(|key| server.copies(key).len()).sum()
}

fn breaker_is_open(deployment: &Deployment, registry: &str) -> bool {
    deployment.status().registries.iter().any(|it| it.name == registry && it.breaker.open)
}

#[tokio::test(start_paused = true)]
async fn copies_that_go_are_no_loss_of_the_registry_that_held_them() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    fill(&a, "empty_ns", "a", 20);
    fill(&b, "default", "b", 5);
    let deployment = scene.deploy(&config(BOTH_WAYS));
    let (of_a, of_b) = (keys("default", "a", 20), keys("empty_ns", "b", 5));
    until("all are copied", || (copies(&b, &of_a), copies(&a, &of_b)) == (40, 10)).await;
    always("levels form", Duration::from_secs(130), || true).await;
    for key in keys("empty_ns", "a", 20) {
        a.deregister(&key, "a.0.0.2");
    }
    until("half of a's copies go", || copies(&b, &of_a) == 20).await;
    always("b has lost nothing", Duration::from_secs(30), || !breaker_is_open(&deployment, "b")).await;
    b.deregister(&keys("default", "b", 1)[0], "b.0.0.2");
    let took = until("what leaves b goes from a", || copies(&a, &of_b) == 9).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn copies_do_not_hide_that_all_natives_are_gone() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    fill(&a, "empty_ns", "a", 20);
    fill(&b, "default", "b", 6);
    let deployment = scene.deploy(&config(BOTH_WAYS));
    let (of_a, of_b) = (keys("default", "a", 20), keys("empty_ns", "b", 6));
    until("all are copied", || (copies(&b, &of_a), copies(&a, &of_b)) == (40, 12)).await;
    always("levels form", Duration::from_secs(130), || true).await;
    for key in keys("default", "b", 6) {
        b.deregister(&key, "b.0.0.1");
        b.deregister(&key, "b.0.0.2");
    }
    until("b's breaker opens", || breaker_is_open(&deployment, "b")).await;
    always("their copies stay", Duration::from_secs(300), || copies(&a, &of_b) == 12).await;
}

/// Applications that move are no loss either: the way back has them.
#[tokio::test(start_paused = true)]
async fn many_may_move_at_once() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    fill(&a, "empty_ns", "a", 20);
    let deployment = scene.deploy(&config(BOTH_WAYS));
    let (at_a, at_b) = (keys("empty_ns", "a", 20), keys("default", "a", 20));
    until("all are copied", || copies(&b, &at_b) == 40).await;
    always("levels form", Duration::from_secs(130), || true).await;
    fill(&b, "default", "a", 20);
    until("their copies give way", || copies(&b, &at_b) == 0).await;
    for (key, host) in at_a.iter().flat_map(|key| [(key, "a.0.0.1"), (key, "a.0.0.2")]) {
        a.deregister(key, host);
    }
    until("the way back has them", || copies(&a, &at_a) == 40).await;
    let is_well = || !breaker_is_open(&deployment, "a") && !breaker_is_open(&deployment, "b");
    let took = until("all is well", is_well).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    always("it stays so", Duration::from_secs(60), is_well).await;
}
