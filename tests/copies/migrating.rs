//! The migration board while applications move.

use std::time::Duration;

use causeway::admin::{Backend as _, Server as AdminServer};
use causeway::model::ServiceKey;
use causeway::reconcile::{Board, Place};
use tokio_util::sync::CancellationToken;

use super::scene::{BOTH_WAYS, Deployment, Scene, always, config, instance, until};
use super::server::orders;

fn board(deployment: &Deployment) -> Board {
    deployment.supervisor.migration("move").unwrap()
}

fn place(deployment: &Deployment, service: &str) -> Option<Place> {
    let board = board(deployment);
    assert_eq!(board.counts.values().sum::<usize>(), board.services.len(), "{board:#?}");
    board.services.iter().find(|row| row.service == service).map(|row| row.place)
}

#[tokio::test(start_paused = true)]
async fn an_application_passes_from_place_to_place() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    let (at_a, at_b) = (orders("empty_ns"), orders("default"));
    let service = "empty_ns/orders";
    for host in ["10.0.0.1", "10.0.0.2"] {
        a.register(&at_a, instance(host, 1.0, "1"));
    }
    let deployment = scene.deploy(&config(BOTH_WAYS));
    until("it is copied", || place(&deployment, service) == Some(Place::Copied)).await;
    assert!(!board(&deployment).moved);
    b.register(&at_b, instance("10.0.0.1", 1.0, "1"));
    until("one of two has moved", || place(&deployment, service) == Some(Place::AtBoth)).await;
    b.register(&at_b, instance("10.0.0.2", 1.0, "1"));
    until("no copy is left", || b.copies(&at_b).is_empty()).await;
    always("both are native at both ends", Duration::from_secs(60), || {
        place(&deployment, service) == Some(Place::AtBoth)
    })
    .await;
    a.deregister(&at_a, "10.0.0.1");
    a.deregister(&at_a, "10.0.0.2");
    until("both have moved", || place(&deployment, service) == Some(Place::AtDestination)).await;
    until("the way back has carried them", || a.copies(&at_a).len() == 2).await;
    until("that is on the board", || board(&deployment).services[0].counts.copies_at_source == 2).await;
    let board = board(&deployment);
    assert_eq!(board.services[0].name.as_deref(), Some("default/orders"));
    assert!(board.bidirectional);
}

#[tokio::test(start_paused = true)]
async fn what_vanished_without_moving_has_not_moved() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    for n in 0..10 {
        a.register(&ServiceKey::new("empty_ns", format!("s{n}")), instance("10.0.0.1", 1.0, "1"));
    }
    b.register(&orders("default"), instance("10.0.0.2", 1.0, "1"));
    let deployment = scene.deploy(&config(BOTH_WAYS));
    until("all are copied", || place(&deployment, "empty_ns/s9") == Some(Place::Copied)).await;
    always("levels form", Duration::from_secs(60), || true).await;
    a.forgets();
    until("it is seen", || place(&deployment, "empty_ns/s9") == Some(Place::Held)).await;
    let board = board(&deployment);
    assert_eq!(
        (board.counts[&Place::Held], board.counts[&Place::AtDestination], board.moved),
        (10, 1, false)
    );
    assert_eq!(board.doubts, ["registry a has lost many instances at once: its breaker is open"]);
    b.goes_down(true);
    let unknown = || self::board(&deployment).counts[&Place::Unknown] == 11;
    until("what cannot be read is not known", unknown).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_carried_stays_with_its_reason() {
    let scene = Scene::of(&["a", "b"]);
    let a = scene.server("a");
    let task = r#"
  - { name: move, source: a, destination: b, rename: [ { from: "legacy-*", to: "*" } ], match: [ { service: "*" } ] }
"#;
    for service in ["legacy-orders", "orders"] {
        a.register(&ServiceKey::new("empty_ns", service), instance("10.0.0.1", 1.0, "1"));
    }
    let deployment = scene.deploy(&config(task));
    until("one is copied", || place(&deployment, "empty_ns/legacy-orders") == Some(Place::Copied)).await;
    let board = board(&deployment);
    let row = board.services.iter().find(|row| row.service == "empty_ns/orders").unwrap();
    assert_eq!((row.place, &row.name), (Place::AtSource, &None));
    assert!(row.reason.as_ref().unwrap().starts_with("it is not carried, because "), "{row:?}");
    let refusal = deployment.supervisor.migration("nobody").unwrap_err();
    assert_eq!(refusal, "no task `nobody` between two registries runs (there are: move)");
}

#[tokio::test]
async fn the_board_and_what_is_copied_are_served() {
    let scene = Scene::of(&["a", "b"]);
    scene.server("a").register(&orders("empty_ns"), instance("10.0.0.1", 1.0, "1"));
    let deployment = scene.deploy(&config(BOTH_WAYS));
    until("it is copied", || place(&deployment, "empty_ns/orders") == Some(Place::Copied)).await;
    let listen = "127.0.0.1:0".parse().unwrap();
    let server = AdminServer::bind(listen, None, deployment.supervisor.clone()).await.unwrap();
    let url = format!("http://{}", server.address().unwrap());
    let stop = CancellationToken::new();
    let serving = tokio::spawn(server.serve(stop.clone()));
    causeway_gateways::http::install_crypto();
    let client = causeway_gateways::http::client_builder().build().unwrap();
    let get = |path: &str| client.get(format!("{url}{path}")).send();
    let told: Board = get("/api/v1/migration?task=move").await.unwrap().json().await.unwrap();
    assert_eq!(told, board(&deployment));
    let refused = get("/api/v1/migration?task=nobody").await.unwrap();
    assert_eq!(refused.status(), 404);
    assert!(refused.text().await.unwrap().contains("there are: move"));
    until("the first pass is done", || deployment.supervisor.ready().is_ok()).await;
    assert_eq!(get("/readyz").await.unwrap().status(), 200);
    let metrics = get("/metrics").await.unwrap().text().await.unwrap();
    for line in [
        r#"causeway_copies{registry="b"} 1"#,
        r#"causeway_renewing{registry="b"} 1"#,
        r#"causeway_changes_total{task="move",kind="copy",operation="put",result="ok"} 1"#,
        r#"causeway_held{task="move"} 0"#,
        r#"causeway_failing{task="move"} 0"#,
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
    stop.cancel();
    serving.await.unwrap();
    deployment.end().await;
}
