//! Copies that pass from one task to another, and are never absent meanwhile.

use std::time::Duration;

use causeway::model::{Instance, marks};
use causeway::reconcile::CopyState;

use super::scene::{Scene, always, config, instance, until};
use super::server::{Server, orders};

/// Two ways into one registry.
const TWO_INTO_ONE: &str = r#"
  - { name: from-a, source: a, destination: c, match: [ { service: "*" } ] }
  - { name: from-b, source: b, destination: c, match: [ { service: "*" } ] }
"#;

const RING: &str = r#"
  - { name: ab, source: a, destination: b, mode: bidirectional, match: [ { service: "*" } ] }
  - { name: bc, source: b, destination: c, mode: bidirectional, match: [ { service: "*" } ] }
  - { name: ca, source: c, destination: a, mode: bidirectional, match: [ { service: "*" } ] }
"#;

/// The tasks that have a copy of the orders in a registry.
fn tasks(server: &Server, namespace: &str) -> Vec<String> {
    let copies = server.copies(&orders(namespace)).into_iter();
    copies.map(|copy: Instance| copy.metadata[marks::TASK].clone()).collect()
}

/// A registry where each address holds several entries, or one; and shows what is written at once, or late.
fn every_kind() -> impl Iterator<Item = (bool, Duration)> {
    let lags = [0, 1, 4].map(Duration::from_secs);
    [false, true].into_iter().flat_map(move |narrow| lags.map(|lag| (narrow, lag)))
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_leaves_one_of_two_sources_is_never_absent() {
    for (narrow, lag) in every_kind() {
        let scene = Scene::of(&["a", "b", "c"]);
        let (a, b, c) = (scene.server("a"), scene.server("b"), scene.server("c"));
        if narrow {
            c.is_narrow();
        }
        a.register(&orders("empty_ns"), instance("10.0.0.1", 1.0, "a"));
        a.register(&orders("empty_ns"), instance("10.0.0.2", 1.0, "a"));
        let _deployment = scene.deploy(&config(TWO_INTO_ONE));
        until("a's are copied", || tasks(&c, "default") == ["from-a", "from-a"]).await;
        b.register(&orders("default"), instance("10.0.0.1", 1.0, "b"));
        always("a's copy stays", Duration::from_secs(40), || tasks(&c, "default").len() == 2).await;
        c.lags(lag);
        a.deregister(&orders("empty_ns"), "10.0.0.1");
        let is_there = || c.entries(&orders("default")).iter().any(|it| it.address.host == "10.0.0.1");
        always("it is there", Duration::from_secs(20), is_there).await;
        let of_b = c.copies(&orders("default"));
        let of_b: Vec<&Instance> = of_b.iter().filter(|copy| copy.address.host == "10.0.0.1").collect();
        assert_eq!(of_b.len(), 1, "one copy of it");
        assert_eq!((&*of_b[0].metadata[marks::TASK], &*of_b[0].metadata["version"]), ("from-b", "b"));
        assert_eq!(c.emptied(), [""; 0], "narrow: {narrow}, {lag:?}");

        a.register(&orders("empty_ns"), instance("10.0.0.1", 1.0, "a"));
        c.writes();
        always("who has it keeps it", Duration::from_secs(60), is_there).await;
        assert_eq!(c.writes(), [""; 0], "nothing passes to and fro");
        b.deregister(&orders("default"), "10.0.0.1");
        until("and it goes back", || tasks(&c, "default") == ["from-a", "from-a"]).await;
        always("it stays", Duration::from_secs(20), is_there).await;
        assert_eq!(c.emptied(), [""; 0], "narrow: {narrow}, {lag:?}");
        a.deregister(&orders("empty_ns"), "10.0.0.1");
        until("when it has left both, its copy goes", || !is_there()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_application_moves_around_a_ring_and_is_never_absent() {
    for (narrow, lag) in every_kind() {
        let scene = Scene::of(&["a", "b", "c"]);
        let servers = ["a", "b", "c"].map(|name| scene.server(name));
        let namespaces = ["empty_ns", "default", "default"];
        for server in &servers {
            if narrow {
                server.is_narrow();
            }
            server.lags(lag);
        }
        let ends = || servers.iter().zip(namespaces);
        let shows_it = || ends().all(|(server, namespace)| !server.entries(&orders(namespace)).is_empty());
        servers[0].register(&orders(namespaces[0]), instance("10.0.0.1", 1.0, "1"));
        let _deployment = scene.deploy(&config(RING));
        until("it is everywhere", shows_it).await;
        for step in 0..3 {
            let (from, to) = (step, (step + 1) % 3);
            servers[to].register(&orders(namespaces[to]), instance("10.0.0.1", 1.0, "1"));
            always("it is there", lag * 3 + Duration::from_secs(1), shows_it).await;
            let moved = || servers[to].copies(&orders(namespaces[to])).is_empty();
            until("the copy gives way", moved).await;
            servers.iter().for_each(|server| drop(server.emptied()));
            servers[from].deregister(&orders(namespaces[from]), "10.0.0.1");
            let third = (step + 2) % 3;
            let stays = || !servers[third].entries(&orders(namespaces[third])).is_empty();
            always("the third has it all the time", Duration::from_secs(5), stays).await;
            until("it is everywhere again", shows_it).await;
            assert_eq!(servers[third].emptied(), [""; 0], "narrow: {narrow}, {lag:?}");
        }
        always("settled", Duration::from_secs(30), shows_it).await;
        ends().for_each(|(server, _)| drop(server.writes()));
        always("it stays so", Duration::from_secs(155), shows_it).await;
        let one_each = |(server, namespace): (&Server, &str)| server.entries(&orders(namespace)).len() == 1;
        assert!(ends().all(one_each) && ends().all(|(server, _)| server.writes().is_empty()), "no echo");
    }
}

/// What left while nobody ran is handed over by the next start, though it may remove what it knows to have gone.
#[tokio::test(start_paused = true)]
async fn a_start_hands_over_too() {
    for (narrow, _) in every_kind() {
        let scene = Scene::of(&["a", "b", "c"]);
        let (a, b, c) = (scene.server("a"), scene.server("b"), scene.server("c"));
        if narrow {
            c.is_narrow();
        }
        for last in 1..=3 {
            a.register(&orders("empty_ns"), instance(&format!("10.0.0.{last}"), 1.0, "a"));
        }
        let killed = scene.deploy(&config(TWO_INTO_ONE));
        until("all are copied", || tasks(&c, "default") == ["from-a"; 3]).await;
        drop(killed);
        b.register(&orders("default"), instance("10.0.0.1", 1.0, "b"));
        a.deregister(&orders("empty_ns"), "10.0.0.1");
        // Its source is there a while after the other one.
        b.goes_down(true);
        let deployment = scene.deploy(&config(TWO_INTO_ONE));
        let is_there = || c.entries(&orders("default")).iter().any(|it| it.address.host == "10.0.0.1");
        always("it is there", Duration::from_secs(2), is_there).await;
        b.goes_down(false);
        until("it is taken over", || tasks(&c, "default").contains(&"from-b".to_owned())).await;
        until("once", || tasks(&c, "default").len() == 3).await;
        assert_eq!(c.emptied(), [""; 0], "narrow: {narrow}");
        let conflicts = || deployment.status().tasks.iter().map(|task| task.conflicts.len()).sum::<usize>();
        until("and nobody complains", || conflicts() == 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_over_yet_stays_and_is_told() {
    let scene = Scene::of(&["a", "b", "c"]);
    let (a, b, c) = (scene.server("a"), scene.server("b"), scene.server("c"));
    a.register(&orders("empty_ns"), instance("10.0.0.1", 1.0, "a"));
    a.register(&orders("empty_ns"), instance("10.0.0.2", 1.0, "a"));
    let deployment = scene.deploy(&config(TWO_INTO_ONE));
    until("they are copied", || tasks(&c, "default").len() == 2).await;
    b.register(&orders("default"), instance("10.0.0.1", 1.0, "b"));
    always("levels form", Duration::from_secs(40), || true).await;
    c.refuses(true);
    a.deregister(&orders("empty_ns"), "10.0.0.1");
    always("it stays", Duration::from_secs(30), || tasks(&c, "default") == ["from-a", "from-a"]).await;
    let why = deployment.supervisor.why("orders").await;
    let state = |task: &str| {
        let chain = why.copies.iter().find(|chain| chain.task == task).unwrap();
        chain.stands.copies.iter().find(|copy| copy.address == "10.0.0.1:80").map(|copy| copy.state)
    };
    assert_eq!((state("from-a"), state("from-b")), (Some(CopyState::HandedOver), Some(CopyState::Missing)));
    c.refuses(false);
    let of_b = || tasks(&c, "default").contains(&"from-b".to_owned());
    until("it is taken over as soon as that can be", of_b).await;
    assert_eq!(c.emptied(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_single_pass_hands_over_what_it_can() {
    let scene = Scene::of(&["a", "b", "c"]);
    let (a, b, c) = (scene.server("a"), scene.server("b"), scene.server("c"));
    a.register(&orders("empty_ns"), instance("10.0.0.1", 1.0, "a"));
    a.register(&orders("empty_ns"), instance("10.0.0.2", 1.0, "a"));
    let killed = scene.deploy(&config(TWO_INTO_ONE));
    until("they are copied", || tasks(&c, "default").len() == 2).await;
    drop(killed);
    b.register(&orders("default"), instance("10.0.0.1", 1.0, "b"));
    a.deregister(&orders("empty_ns"), "10.0.0.1");
    let (supervisor, _watching) = scene.look(&config(TWO_INTO_ONE)).await;
    for pass in [1, 1, 0] {
        let mut changes = 0;
        for flow in &supervisor.copies {
            changes += flow.carry_out(&orders("default"), causeway::reconcile::Removals::Now).await.changes;
        }
        assert_eq!(changes, pass, "the one puts, then the other removes");
    }
    assert_eq!((tasks(&c, "default").len(), c.emptied()), (2, vec![]));
}
