//! What `why` says of a service between two registries.

use std::time::Duration;

use causeway::model::{Instance, ServiceKey};
use causeway::reconcile::CopyState;
use causeway::reconcile::why::{CopyChain, Why};
use causeway::sync::Outcome;

use super::scene::{BOTH_WAYS, Deployment, Scene, always, config, instance, until};
use super::server::{Server, orders};

/// Everything that `a` and `b` can show of the orders at once.
fn in_every_way(a: &Server, b: &Server) {
    let (at_a, at_b) = (orders("empty_ns"), orders("default"));
    let marked = |host: &str, pairs: &[(&str, &str)]| {
        let mut copy = instance(host, 1.0, "1");
        copy.metadata.extend(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        copy
    };
    let sync = [("__sync__", "nacos1")];
    a.register(&at_a, instance("10.0.0.1", 1.0, "1"));
    a.register(&at_a, instance("10.0.0.2", 1.0, "1"));
    b.register(&at_b, instance("10.0.0.2", 1.0, "1"));
    b.register(&at_b, instance("10.0.0.3", 1.0, "1"));
    a.register(&at_a, instance("10.0.0.4", 1.0, "1"));
    b.register(&at_b, marked("10.0.0.4", &sync));
    b.register(&at_b, marked("10.0.0.5", &[("causeway-owner", "others")]));
}

async fn asked(deployment: &Deployment, name: &str) -> Why {
    let why = deployment.supervisor.why(name).await;
    let text = serde_json::to_string(&why).unwrap();
    assert_eq!(serde_json::from_str::<Why>(&text).unwrap(), why, "it is told over the wire");
    why
}

fn states(chain: &CopyChain) -> Vec<(String, Outcome, CopyState)> {
    let hosts = chain.stands.copies.iter();
    hosts.map(|copy| (copy.address.replace(":80", ""), copy.outcome, copy.state)).collect()
}

fn told(host: &str, outcome: Outcome, state: CopyState) -> (String, Outcome, CopyState) {
    (host.to_owned(), outcome, state)
}

fn tells_the_way_there(there: &CopyChain) {
    let expected = [
        told("10.0.0.1", Outcome::Maintain, CopyState::Present),
        told("10.0.0.2", Outcome::NativeAtBoth, CopyState::Native),
        told("10.0.0.3", Outcome::NativeAtDestination, CopyState::NativeThere),
        told("10.0.0.4", Outcome::LeftToOther, CopyState::Conflict),
        told("10.0.0.5", Outcome::OfOthers, CopyState::Foreign),
    ];
    assert_eq!(states(there), expected);
    let reason = |place: usize| there.stands.copies[place].reason.as_str();
    assert_eq!(reason(3), "a copy of another tool stands where ours would, and is left alone");
    assert_eq!(reason(4), "a copy of deployment others stands there; a doesn't show it");
}

fn tells_the_way_back(back: &CopyChain) {
    let expected = [
        told("10.0.0.1", Outcome::NativeAtDestination, CopyState::NativeThere),
        told("10.0.0.2", Outcome::NativeAtBoth, CopyState::Native),
        told("10.0.0.3", Outcome::Maintain, CopyState::Present),
        told("10.0.0.4", Outcome::NativeAtDestination, CopyState::NativeThere),
        told("10.0.0.5", Outcome::NoTransit, CopyState::NoTransit),
    ];
    assert_eq!(states(back), expected);
    let reason = |place: usize| back.stands.copies[place].reason.as_str();
    assert_eq!(reason(0), "native in a, and b holds a copy of it: nothing is written");
    assert_eq!(reason(4), "b holds only a copy of it, and copies are not carried on");
}

#[tokio::test(start_paused = true)]
async fn every_address_is_told_with_its_outcome_in_both_directions() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    in_every_way(&a, &b);
    let deployment = scene.deploy(&config(BOTH_WAYS));
    until("both directions are done", || {
        b.copies(&orders("default")).len() == 3 && a.copies(&orders("empty_ns")).len() == 1
    })
    .await;
    always("it is seen", Duration::from_secs(1), || true).await;
    let why = asked(&deployment, "orders").await;
    assert_eq!(why.copies.len(), 2, "one for each direction: {why:#?}");
    let (there, back) = (&why.copies[0], &why.copies[1]);
    assert_eq!(
        (there.service.as_deref(), there.name.as_deref()),
        (Some("empty_ns/orders"), Some("default/orders"))
    );
    assert_eq!(
        (back.service.as_deref(), back.name.as_deref()),
        (Some("default/orders"), Some("empty_ns/orders"))
    );
    assert_eq!((there.registered.registry.as_str(), there.destination.as_str()), ("a", "b"));
    assert!(there.matched.entry.is_some() && back.matched.entry.is_some());
    tells_the_way_there(there);
    tells_the_way_back(back);
    assert!(!why.is_well(), "somebody else's copy is in the way");
    let conflicts = &deployment.status().tasks[0].conflicts;
    assert_eq!(conflicts.len(), 1, "what is none of the task's is no conflict: {conflicts:?}");
}

#[tokio::test(start_paused = true)]
async fn it_goes_by_either_name_and_tells_what_is_held_and_what_is_not_carried() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    let at_a = ServiceKey::new("empty_ns", "legacy-orders");
    a.register(&at_a, instance("10.0.0.1", 1.0, "1"));
    a.register(&orders("empty_ns"), instance("10.0.0.2", 1.0, "1"));
    let task = r#"
  - name: move
    source: a
    destination: b
    rename: [ { from: "legacy-*", to: "*" } ]
    match: [ { service: "*", exclude: [ { service: "books" } ] } ]
"#;
    let deployment = scene.deploy(&config(task));
    until("it is copied", || b.copies(&orders("default")).len() == 1).await;
    always("it is seen", Duration::from_secs(1), || true).await;
    let by_old_name = asked(&deployment, "legacy-orders").await;
    assert_eq!(by_old_name.copies[0].name.as_deref(), Some("default/orders"));
    assert!(by_old_name.is_well(), "{by_old_name:#?}");
    let by_new_name = asked(&deployment, "orders").await;
    let [not_carried, carried] = &by_new_name.copies[..] else { panic!("{by_new_name:#?}") };
    assert_eq!(*carried, by_old_name.copies[0]);
    assert_eq!((not_carried.service.as_deref(), &not_carried.name), (Some("empty_ns/orders"), &None));
    assert_eq!(
        not_carried.unnamed.as_deref(),
        Some("the name `orders` is that of `legacy-orders` at the destination")
    );
    assert!(!by_new_name.is_well(), "an entry asks for what cannot be carried");
    assert!(asked(&deployment, "nobody").await.is_nobodys());

    a.deregister(&at_a, "10.0.0.1");
    let is_held = || !deployment.status().tasks[0].held.is_empty();
    until("its last copy is held", is_held).await;
    let why = asked(&deployment, "default/orders").await;
    let held = &why.copies[0].stands.copies[0];
    assert_eq!((held.outcome, held.state), (Outcome::Retire, CopyState::Held));
    assert!(held.reason.starts_with("a does not show it any more; it is held, because "), "{}", held.reason);
    assert!(held.for_seconds.is_some() && held.until_seconds.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_differs_is_told_field_by_field_and_what_fails_with_the_servers_words() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    a.register(&orders("empty_ns"), instance("10.0.0.1", 1.0, "1"));
    let task = |policy: &str| {
        config(&format!(
            "  - {{ name: move, source: a, destination: b, policy: {policy}, match: [ {{ service: orders }} ] }}"
        ))
    };
    let killed = scene.deploy(&task("own"));
    until("it is copied", || b.copies(&orders("default")).len() == 1).await;
    drop(killed);
    b.meddle(|copy| drop(copy.metadata.insert("version".to_owned(), "9".to_owned())));
    let deployment = scene.deploy(&task("observe"));
    until("it is observed", || deployment.status().tasks[0].withheld.patch == 1).await;
    let why = asked(&deployment, "orders").await;
    let copy = &why.copies[0].stands.copies[0];
    assert_eq!((copy.state, copy.withheld_by.as_deref()), (CopyState::Differs, Some("policy: observe")));
    assert_eq!((copy.stands.len(), &copy.stands["metadata.version"]), (1, &"9".into()));
    assert_eq!((copy.wanted.len(), &copy.wanted["metadata.version"]), (1, &"1".into()));
    drop(deployment);

    let deployment = scene.deploy(&task("own"));
    until("it is put right", || b.copies(&orders("default"))[0].metadata["version"] == "1").await;
    b.goes_down(true);
    until("it is seen", || deployment.supervisor.unread().len() == 1).await;
    let why = asked(&deployment, "orders").await;
    assert_eq!(why.copies[0].unknown.as_deref(), Some("connection refused"));
    assert!(!why.is_well());
    a.register(&orders("empty_ns"), Instance::new(causeway::model::Address::new("10.0.0.2", 80)));
    let waits = || !deployment.status().tasks[0].waiting.is_empty();
    until("what is new waits", waits).await;
    let stands = &asked(&deployment, "orders").await.copies[0].stands;
    assert_eq!(stands.waiting.as_deref(), Some("the destination can't be read: connection refused"));
    assert_eq!(stands.changes().count(), 0, "nothing can be done now");
    assert_eq!(stands.those(CopyState::Missing).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_direction_that_waits_says_why() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    a.register(&orders("empty_ns"), instance("10.0.0.1", 1.0, "1"));
    b.goes_down(true);
    let deployment = scene.deploy(&config(BOTH_WAYS));
    let waiting = || -> Vec<Option<String>> {
        deployment.status().tasks[0].directions.iter().map(|it| it.waiting.clone()).collect()
    };
    let reason = Some("b can't be read: connection refused".to_owned());
    until("both directions say why", || waiting() == [reason.clone(), reason.clone()]).await;
    assert_eq!(deployment.status().tasks[0].waiting, [], "once, and not for each service");
    let why = asked(&deployment, "orders").await;
    let stands = &why.copies[0].stands;
    assert!(stands.unread);
    assert_eq!(stands.waiting.as_deref(), Some("the destination can't be read: connection refused"));
    b.goes_down(false);
    until("it is copied", || b.copies(&orders("default")).len() == 1).await;
    assert_eq!(waiting(), [None, None]);
}

#[tokio::test(start_paused = true)]
async fn what_has_no_name_on_the_way_back_is_told() {
    let scene = Scene::of(&["a", "b"]);
    let (a, b) = (scene.server("a"), scene.server("b"));
    a.register(&orders("empty_ns"), instance("10.0.0.1", 1.0, "1"));
    b.register(&ServiceKey::new("default", "old-books"), instance("10.0.0.2", 1.0, "1"));
    let task = BOTH_WAYS.replace("name: move", "name: move, rename: [ { from: \"old-*\", to: \"new-*\" } ]");
    let deployment = scene.deploy(&config(&task));
    until("it is told", || !deployment.status().tasks[0].waiting.is_empty()).await;
    let waiting = deployment.status().tasks[0].waiting.remove(0);
    let reason = "it is not carried, because its name is none that the way there gives";
    assert_eq!((&*waiting.service, &*waiting.object, &*waiting.reason), ("default/old-books", "a", reason));
    let why = asked(&deployment, "old-books").await;
    let [back] = &why.copies[..] else { panic!("{why:#?}") };
    assert_eq!(back.unnamed.as_deref(), Some("its name is none that the way there gives"));
    assert!(a.entries(&ServiceKey::new("empty_ns", "old-books")).is_empty());
}
