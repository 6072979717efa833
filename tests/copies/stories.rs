//! What a user sees of a task between two registries.

use std::time::Duration;

use causeway::model::{Instance, ServiceKey, Weight, marks};
use causeway::reconcile::Removals;

use super::scene::{BOTH_WAYS, Scene, always, config, instance, until};
use super::server::{LEASE, Server, orders};

const AUDITS: Duration = Duration::from_secs(30 * 5 + 5);

fn hosts(instances: &[Instance]) -> Vec<String> {
    instances.iter().map(|instance| instance.address.host.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_copy_appears_follows_and_goes_and_nothing_echoes() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    let (at_a, at_b) = (orders("empty_ns"), orders("default"));
    a.register(&at_a, instance("10.0.0.1", 2.0, "1"));
    a.register(&at_a, instance("10.0.0.2", 1.0, "1"));
    let _deployment = scene.deploy(&config(BOTH_WAYS));
    until("both are copied", || b.copies(&at_b).len() == 2).await;
    let copy = b.copies(&at_b).remove(0);
    assert_eq!(copy.metadata[marks::ORIGIN], "a");
    assert_eq!((&*copy.metadata[marks::OWNER], &*copy.metadata[marks::TASK]), ("lab", "move"));
    assert_eq!((copy.weight, &*copy.metadata["version"]), (Weight::from_ratio(2.0), "1"));

    a.register(&at_a, instance("10.0.0.1", 4.0, "2"));
    until("it follows", || b.copies(&at_b)[0].metadata["version"] == "2").await;
    a.deregister(&at_a, "10.0.0.2");
    until("it goes", || hosts(&b.copies(&at_b)) == ["10.0.0.1"]).await;

    let _settling = (a.writes(), b.writes());
    always("it stays", AUDITS, || b.copies(&at_b).len() == 1).await;
    assert_eq!((a.writes(), b.writes()), (vec![], vec![]), "settled, nothing is written");
}

#[tokio::test(start_paused = true)]
async fn an_empty_destination_that_comes_up_later_is_filled_at_once() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    a.register(&orders("empty_ns"), instance("10.0.0.1", 1.0, "1"));
    b.goes_down(true);
    let _deployment = scene.deploy(&config(BOTH_WAYS));
    always("it is down", Duration::from_secs(3), || b.copies(&orders("default")).is_empty()).await;
    b.goes_down(false);
    let took = until("it is copied", || !b.copies(&orders("default")).is_empty()).await;
    assert!(took < Duration::from_secs(1), "not at an audit: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_moved_application_is_never_absent() {
    for lag in [0, 1, 4].map(Duration::from_secs) {
        let scene = Scene::of(&["a", "b"]);
        let (a, b) = (scene.server("a"), scene.server("b"));
        let (at_a, at_b) = (orders("empty_ns"), orders("default"));
        b.lags(lag);
        a.register(&at_a, instance("10.0.0.1", 1.0, "1"));
        let _deployment = scene.deploy(&config(BOTH_WAYS));
        until("it is copied", || !b.copies(&at_b).is_empty()).await;
        b.register(&at_b, instance("10.0.0.1", 1.0, "1"));
        always("it is there", lag * 3, || !b.entries(&at_b).is_empty()).await;
        until("the copy gives way", || b.copies(&at_b).is_empty()).await;
        a.deregister(&at_a, "10.0.0.1");
        until("the way back carries it", || !a.copies(&at_a).is_empty()).await;
        always("it is there", AUDITS, || !b.entries(&at_b).is_empty() && b.copies(&at_b).is_empty()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_ring_of_three_settles_without_an_echo() {
    let scene = Scene::of(&["a", "b", "c"]);
    let (a, b, c) = (scene.server("a"), scene.server("b"), scene.server("c"));
    let tasks = r#"
  - { name: ab, source: a, destination: b, mode: bidirectional, match: [ { service: "*" } ] }
  - { name: bc, source: b, destination: c, mode: bidirectional, match: [ { service: "*" } ] }
  - { name: ca, source: c, destination: a, mode: bidirectional, match: [ { service: "*" } ] }
"#;
    let _deployment = scene.deploy(&config(tasks));
    a.register(&orders("empty_ns"), instance("10.0.0.1", 1.0, "1"));
    b.register(&orders("default"), instance("10.0.0.2", 1.0, "1"));
    c.register(&orders("default"), instance("10.0.0.3", 1.0, "1"));
    let all = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
    let shows_all = |server: &Server, namespace: &str| {
        let mut hosts = hosts(&server.entries(&orders(namespace)));
        hosts.sort();
        hosts == all
    };
    let settled = || shows_all(&a, "empty_ns") && shows_all(&b, "default") && shows_all(&c, "default");
    until("each shows all three", settled).await;
    let _settling = (a.writes(), b.writes(), c.writes());
    always("it stays so", AUDITS, settled).await;
    assert_eq!(
        [a.writes(), b.writes(), c.writes()],
        [const { Vec::<String>::new() }; 3],
        "no echo over five audits"
    );
}

#[tokio::test(start_paused = true)]
async fn copies_outlive_a_kill_and_go_on_with_the_next_start() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    let (at_a, at_b) = (orders("empty_ns"), orders("default"));
    a.register(&at_a, instance("10.0.0.1", 1.0, "1"));
    let killed = scene.deploy(&config(BOTH_WAYS));
    until("it is copied", || !b.copies(&at_b).is_empty()).await;
    drop(killed);
    always("nobody renews, and it stays", Duration::from_secs(10), || !b.copies(&at_b).is_empty()).await;
    b.writes();
    let next = scene.deploy(&config(BOTH_WAYS));
    always("the next one renews it", LEASE * 3, || !b.copies(&at_b).is_empty()).await;
    assert_eq!(b.writes(), Vec::<String>::new(), "it stood as it should");
    next.end().await;
    always("an end keeps it too", LEASE - Duration::from_secs(25), || !b.copies(&at_b).is_empty()).await;
    until("without anybody its lease ends", || b.copies(&at_b).is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_starts_empty_is_filled_again() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    a.register(&orders("empty_ns"), instance("10.0.0.1", 1.0, "1"));
    let _deployment = scene.deploy(&config(BOTH_WAYS));
    until("it is copied", || !b.copies(&orders("default")).is_empty()).await;
    b.goes_down(true);
    always("it is down", Duration::from_secs(5), || true).await;
    b.forgets();
    b.goes_down(false);
    let took = until("it is copied again", || !b.copies(&orders("default")).is_empty()).await;
    assert!(took < Duration::from_secs(6), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_empties_takes_nothing_along() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    for service in 0..20 {
        let key = ServiceKey::new("empty_ns", format!("s{service}"));
        a.register(&key, instance("10.0.0.1", 1.0, "1"));
        a.register(&key, instance("10.0.0.2", 1.0, "1"));
    }
    let deployment = scene.deploy(&config(BOTH_WAYS));
    let count = || {
        let keys = (0..20).map(|n| ServiceKey::new("default", format!("s{n}")));
        keys.map(|key| b.copies(&key).len()).sum::<usize>()
    };
    until("all are copied", || count() == 40).await;
    always("levels form", Duration::from_secs(60), || true).await;
    a.forgets();
    always("the breaker keeps them", Duration::from_secs(300), || count() == 40).await;
    let status = deployment.status();
    assert!(status.registries.iter().any(|registry| registry.name == "a" && registry.breaker.open));
    assert_eq!(status.tasks[0].held.len(), 40);
    assert_eq!(status.tasks[0].directions.iter().map(|it| it.copies).collect::<Vec<_>>(), [40, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_others_put_there_is_left_and_what_they_changed_is_put_right() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    let (at_a, at_b) = (orders("empty_ns"), orders("default"));
    let mut foreign = instance("10.0.0.9", 1.0, "9");
    foreign.metadata.insert("__sync__".to_owned(), "nacos1".to_owned());
    b.register(&at_b, foreign.clone());
    b.register(&at_b, instance("10.0.0.8", 1.0, "native"));
    a.register(&at_a, instance("10.0.0.1", 1.0, "1"));
    a.register(&at_a, instance("10.0.0.9", 1.0, "1"));
    let deployment = scene.deploy(&config(BOTH_WAYS));
    until("what can be is copied", || b.copies(&at_b).len() == 2).await;
    always("levels form", Duration::from_secs(40), || true).await;
    assert!(b.entries(&at_b).contains(&foreign));
    assert_eq!(deployment.status().tasks[0].conflicts.len(), 1, "somebody else's copy is told");

    b.writes();
    b.meddle(|copy| copy.weight = Weight::ZERO);
    let took = until("it is put right", || b.copies(&at_b).iter().all(|copy| copy.weight != Weight::ZERO));
    assert!(took.await < Duration::from_secs(1), "the last put was long ago");
    b.meddle(|copy| copy.weight = Weight::ZERO);
    let took =
        until("and again at the audit", || b.copies(&at_b).iter().all(|copy| copy.weight != Weight::ZERO));
    assert!((20..=31).contains(&took.await.as_secs()), "no quarrel");
    assert_eq!(b.writes(), ["put default/orders 10.0.0.1:80"; 2]);
}

#[tokio::test(start_paused = true)]
async fn groups_carry_what_they_hold_together() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    let (at_a, at_b) = (orders("empty_ns"), orders("default"));
    for (host, version) in [("10.0.0.1", "1"), ("10.0.0.2", "2"), ("10.0.0.3", "3")] {
        a.register(&at_a, instance(host, 1.0, version));
    }
    let task = r#"
  - name: move
    source: a
    destination: b
    match:
      - service: orders
        groups: [ { name: one, metadata: { version: "1" } }, { name: two, metadata: { version: "2" } } ]
"#;
    let _deployment = scene.deploy(&config(task));
    until("two are copied", || hosts(&b.copies(&at_b)) == ["10.0.0.1", "10.0.0.2"]).await;
    a.register(&at_a, instance("10.0.0.2", 1.0, "3"));
    until("one has left its group", || hosts(&b.copies(&at_b)) == ["10.0.0.1"]).await;
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_copies_are_renewed_evenly() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    for n in 0..10_000 {
        let key = ServiceKey::new("empty_ns", format!("s{}", n / 10));
        a.register(&key, instance(&format!("10.0.{}.{}", n / 250, n % 250), 1.0, "1"));
    }
    let _deployment = scene.deploy(&config(BOTH_WAYS));
    tokio::time::sleep(Duration::from_secs(100)).await;
    let renewals = b.renewals();
    let second = |at: &tokio::time::Instant| at.duration_since(renewals[0]).as_secs();
    let last = renewals.last().map(second).unwrap();
    let mut counts = vec![0_usize; usize::try_from(last).unwrap()];
    for at in &renewals {
        if let Some(count) = counts.get_mut(usize::try_from(second(at)).unwrap()) {
            *count += 1;
        }
    }
    let mean = 10_000 / 20;
    assert!(counts.iter().all(|count| *count <= mean * 3 / 2), "{counts:?}");
    assert!(counts[20..].iter().sum::<usize>() > mean * (counts.len() - 22), "{counts:?}");
}

/// Where thousands of services are asked for one after the other, each is shown late: it is written once nevertheless.
#[tokio::test(start_paused = true)]
async fn five_thousand_services_that_are_shown_late_are_written_once() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    b.lags(Duration::from_secs(15));
    for n in 0..5_000 {
        let key = ServiceKey::new("empty_ns", format!("s{n}"));
        a.register(&key, instance(&format!("10.0.{}.{}", n / 250, n % 250), 1.0, "1"));
    }
    let deployment = scene.deploy(&config(BOTH_WAYS));
    let put_off = deployment.supervisor.copies[0].destination.shown().view().put_off();
    until("it is being filled", || put_off.is_in_force()).await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(b.writes().len(), 5_000, "each is written once");
    assert!(!put_off.is_in_force(), "it is read as ever");
}

#[tokio::test(start_paused = true)]
async fn observing_and_keeping_write_and_remove_nothing() {
    for (setting, copies) in [("policy: observe", 0), ("delete: false", 1)] {
        let scene = Scene::of(&["a", "b"]);
        let (a, b) = (scene.server("a"), scene.server("b"));
        a.register(&orders("empty_ns"), instance("10.0.0.1", 1.0, "1"));
        let task = format!(
            "  - {{ name: move, {setting}, source: a, destination: b, match: [ {{ service: orders }} ] }}"
        );
        let deployment = scene.deploy(&config(&task));
        always("levels form", Duration::from_secs(40), || true).await;
        assert_eq!(b.copies(&orders("default")).len(), copies, "{setting}");
        a.deregister(&orders("empty_ns"), "10.0.0.1");
        always("nothing is removed", Duration::from_secs(120), || {
            b.copies(&orders("default")).len() == copies
        })
        .await;
        let withheld = deployment.status().tasks[0].withheld;
        assert_eq!(withheld.delete, copies, "{setting}: it is told");
        let flow = &deployment.supervisor.copies[0];
        assert_eq!(flow.carry_out(&orders("default"), Removals::Now).await.changes, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn on_stop_withdraw_leaves_nothing_and_touches_nobody_elses() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    a.register(&orders("empty_ns"), instance("10.0.0.1", 1.0, "1"));
    b.register(&orders("default"), instance("10.0.0.8", 1.0, "native"));
    let task = BOTH_WAYS.replace("name: move", "name: move, on_stop: withdraw");
    let deployment = scene.deploy(&config(&task));
    let copies = || (a.copies(&orders("empty_ns")).len(), b.copies(&orders("default")).len());
    until("both are copied", || copies() == (1, 1)).await;
    deployment.end().await;
    assert_eq!(copies(), (0, 0));
    assert_eq!(hosts(&a.entries(&orders("empty_ns"))), ["10.0.0.1"]);
    assert_eq!(hosts(&b.entries(&orders("default"))), ["10.0.0.8"]);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_missing_is_no_obstacle() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    a.register(&orders("prod"), instance("10.0.0.1", 1.0, "1"));
    let task = BOTH_WAYS.replace("name: move", "name: move, namespace_map: { prod: production }");
    let _deployment = scene.deploy(&config(&task));
    until("it is copied", || b.copies(&orders("production")).len() == 1).await;
    b.register(&orders("production"), instance("10.0.0.2", 1.0, "1"));
    until("the way back takes the inverse", || a.copies(&orders("prod")).len() == 1).await;
}

/// The names of an Eureka's services have no capitals, so each copy tells its service's own.
#[tokio::test(start_paused = true)]
async fn a_name_that_was_folded_is_found_again() {
    let scene = Scene::of(&["a", "e"]);
    let (a, e) = (scene.server("a"), scene.server("e"));
    let (at_a, at_e) = (ServiceKey::new("empty_ns", "Orders"), orders("default"));
    let task = "  - { name: move, source: a, destination: e, match: [ { service: \"Orders*\" } ] }";
    let config = config(task);
    for n in 0..5 {
        let others = ServiceKey::new("empty_ns", "OrdersOfOthers");
        a.register(&others, instance(&format!("10.0.1.{n}"), 1.0, "1"));
    }
    a.register(&at_a, instance("10.0.0.1", 1.0, "1"));
    a.register(&at_a, instance("10.0.0.2", 1.0, "1"));
    let first = scene.deploy(&config);
    until("it is copied", || e.copies(&at_e).len() == 2).await;
    assert_eq!(e.copies(&at_e)[0].metadata[marks::SERVICE], "Orders");
    always("levels form", Duration::from_secs(40), || true).await;
    drop(first);
    a.deregister(&at_a, "10.0.0.1");
    a.deregister(&at_a, "10.0.0.2");
    let _next = scene.deploy(&config);
    always("what vanished is held first", Duration::from_secs(9), || e.copies(&at_e).len() == 2).await;
    until("and goes after the hold", || e.copies(&at_e).is_empty()).await;
}
