//! Eureka as a source, on a real Eureka 2.0.5.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use causeway::config::Secret;
use causeway::model::Instance;
use causeway::registries::ViewEvent;
use causeway::registries::eureka::{Eureka, EurekaSettings};
use causeway_test_support::eureka::{EurekaOptions, Registration};
use tokio::time::{Instant, sleep};

use crate::conformance::stories::{self, Guarded, Restarts, Stranger};
use crate::conformance::{Harness, Inst, Patterns, Route, Running, play, scenarios};
use crate::harness::{EurekaHarness, POLL, registration};

const LIMIT: Duration = Duration::from_secs(60);

/// One server for all of it, since each start takes seconds; it has no namespaces, so one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn the_suite() {
    let harness = EurekaHarness::start(EurekaOptions::default()).await;
    for scenario in scenarios::all() {
        println!("{} …", scenario.name);
        play(&harness, &scenario).await;
    }
    println!("a fleet …");
    stories::a_fleet(&harness).await;
    println!("a path that swallows everything …");
    stories::a_path_that_swallows_everything(&harness).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_eureka_has() {
    let harness = EurekaHarness::start(EurekaOptions::default()).await;
    an_operator_overrides_a_status(&harness).await;
    metadata_alone_changes(&harness).await;
    a_swap_of_two_instances(&harness).await;
    a_lease_runs_out(&harness).await;
    ports_and_zones(&harness).await;
    names_in_capitals(&harness).await;
    any_of_several_addresses_serves(&harness).await;
    connections_that_the_server_ends_after_a_hundred_questions_are_no_doubt(&harness).await;
}

async fn watching(harness: &EurekaHarness) -> Running {
    let namespace = harness.namespace().await;
    let running = Running::start(harness.route().await, Patterns::of(&namespace, &["*"]), &namespace);
    running.complete(LIMIT).await;
    running
}

/// Waits until a service's instances, by host, are as wanted.
async fn becomes(running: &Running, service: &str, wanted: impl Fn(&BTreeMap<String, Instance>) -> bool) {
    let until = Instant::now() + LIMIT;
    loop {
        let reading = running.view.reading(&running.key(service));
        let instances = reading.iter().flat_map(|reading| reading.snapshot.instances.values());
        let by_host = instances.map(|instance| (instance.address.host.clone(), instance.clone())).collect();
        if wanted(&by_host) {
            return;
        }
        assert!(Instant::now() < until, "{service} shows {by_host:#?}; {:?}", running.view.unknowns());
        sleep(Duration::from_millis(10)).await;
    }
}

/// It outlives the application's own word, until the operator takes it back.
async fn an_operator_overrides_a_status(harness: &EurekaHarness) {
    let running = watching(harness).await;
    let instance = Registration::new("orders", "10.0.0.1", 80);
    harness.register(instance.clone()).await;
    becomes(&running, "orders", |all| all.get("10.0.0.1").is_some_and(Instance::usable)).await;
    harness.http.override_status(&instance, Some("OUT_OF_SERVICE")).await.unwrap();
    becomes(&running, "orders", |all| all.get("10.0.0.1").is_some_and(|i| i.isolated && i.healthy)).await;
    let mut again = instance.clone();
    again.metadata.insert("version".to_owned(), "2".to_owned());
    harness.register(again).await;
    let isolated = |i: &Instance| i.isolated && i.metadata.contains_key("version");
    becomes(&running, "orders", |all| all.get("10.0.0.1").is_some_and(isolated)).await;
    harness.http.override_status(&instance, None).await.unwrap();
    becomes(&running, "orders", |all| all.get("10.0.0.1").is_some_and(Instance::usable)).await;
    running.end().await;
}

/// The hash of a delta counts statuses only.
async fn metadata_alone_changes(harness: &EurekaHarness) {
    let running = watching(harness).await;
    let instance = Registration::new("orders", "10.0.0.1", 80);
    harness.register(instance.clone()).await;
    becomes(&running, "orders", |all| all.len() == 1).await;
    harness.http.set_metadata(&instance, "version", "2.0.0").await.unwrap();
    let updated = |i: &Instance| i.metadata.get("version").is_some_and(|version| version == "2.0.0");
    becomes(&running, "orders", |all| all.get("10.0.0.1").is_some_and(updated)).await;
    running.end().await;
}

/// A server goes on listing an instance whose lease has run out until it sweeps, though it denies it when asked for it alone.
async fn a_lease_runs_out(harness: &EurekaHarness) {
    let running = watching(harness).await;
    // A sweep takes at most 15 % of all instances, so there must be some.
    for n in 1..=20 {
        harness.register(Registration::new("orders", &format!("10.0.0.{n}"), 80)).await;
    }
    let mortal = Registration { lease: 1, ..Registration::new("orders", "10.0.0.99", 80) };
    harness.http.register(&mortal).await.unwrap();
    becomes(&running, "orders", |all| all.len() == 21).await;
    becomes(&running, "orders", |all| all.len() == 20 && !all.contains_key("10.0.0.99")).await;
    running.end().await;
}

async fn ports_and_zones(harness: &EurekaHarness) {
    let running = watching(harness).await;
    let mut secure = Registration { secure_port: Some(8443), ..Registration::new("pay", "10.0.0.1", 80) };
    let both = Registration { id: "both".to_owned(), host: "10.0.0.2".to_owned(), ..secure.clone() };
    secure.port = None;
    secure.metadata.insert("zone".to_owned(), "z1".to_owned());
    harness.register(secure).await;
    harness.register(both).await;
    let port_and_protocol = |i: &Instance| (i.address.port, i.attributes["protocol"].clone());
    becomes(&running, "pay", |all| {
        let found: Vec<_> = all.values().map(port_and_protocol).collect();
        found == [(8443, "https".to_owned()), (80, "http".to_owned())]
            && all["10.0.0.1"].attributes["zone"] == "z1"
            && all["10.0.0.2"].attributes["secure_port"] == "8443"
    })
    .await;
    running.end().await;
}

async fn names_in_capitals(harness: &EurekaHarness) {
    let namespace = harness.namespace().await;
    harness.register(Registration::new("OrderService", "10.0.0.1", 80)).await;
    for (keep_case, shown) in [(false, "orderservice"), (true, "ORDERSERVICE")] {
        let settings = EurekaSettings { keep_case, ..harness.settings.clone() };
        let route = harness.route_with(settings).await;
        let running = Running::start(route, Patterns::of(&namespace, &["*"]), &namespace);
        running.complete(LIMIT).await;
        assert_eq!(running.view.services(), [running.key(shown)].into());
        running.end().await;
    }
}

/// Peers don't hold the same at every moment, so a change of server is a reason for doubt.
async fn any_of_several_addresses_serves(harness: &EurekaHarness) {
    let namespace = harness.namespace().await;
    let orders = [Inst::new("orders", "10.0.0.1", 80)];
    harness.put(&namespace, &orders[0]).await;
    let (first, second) = (harness.route().await.proxies, harness.route().await.proxies);
    let addresses = vec!["127.0.0.1:1".to_owned(), first[0].address(), second[0].address()];
    let settings = EurekaSettings { addresses, ..harness.settings.clone() };
    let route = Route { source: Arc::new(Eureka::new(settings).unwrap()), proxies: second };
    let running = Running::start(route, Patterns::of(&namespace, &["*"]), &namespace);
    running.complete(LIMIT).await;
    let mut events = running.view.subscribe();
    drop(first);
    let changed = [orders[0].clone().weight(7.0)];
    harness.put(&namespace, &changed[0]).await;
    running.shows(harness, "orders", &changed).await;
    assert!(running.view.unknowns().is_empty());
    let told: Vec<_> = std::iter::from_fn(|| events.try_recv().ok()).collect();
    assert!(matches!(told.first(), Some(ViewEvent::Reset(_))), "the guard hears of it first: {told:?}");
    running.end().await;
}

/// Tomcat does so by default, and says so in the hundredth answer. Questions are so far apart that each connection is at rest before
/// the next one, also on a busy machine.
async fn connections_that_the_server_ends_after_a_hundred_questions_are_no_doubt(harness: &EurekaHarness) {
    let namespace = harness.namespace().await;
    let often = EurekaSettings { poll_interval: Duration::from_millis(200), ..harness.settings.clone() };
    let route = harness.route_with(often).await;
    let running = Running::start(route, Patterns::of(&namespace, &["*"]), &namespace);
    running.complete(LIMIT).await;
    let mut events = running.view.subscribe();
    let proxy = &running.proxies[0];
    let until = Instant::now() + LIMIT * 2;
    while proxy.ever_open() < 2 || proxy.answered() < 110 {
        assert!(Instant::now() < until, "it ended none over {} answers", proxy.answered());
        sleep(Duration::from_millis(50)).await;
    }
    assert!(events.try_recv().is_err());
    running.end().await;
}

/// Servers answer from a cache of 30 s by default: what an older answer says brings nothing back, and nothing is told twice.
#[tokio::test(flavor = "multi_thread")]
async fn answers_from_a_cache() {
    let options = EurekaOptions { cache_seconds: Some(3), ..EurekaOptions::default() };
    let harness = EurekaHarness::start(options).await;
    let running = watching(&harness).await;
    let mut events = running.view.subscribe();
    let orders = [Inst::new("orders", "10.0.0.1", 80), Inst::new("orders", "10.0.0.2", 80)];
    for instance in &orders {
        harness.put("default", instance).await;
    }
    running.shows(&harness, "orders", &orders).await;
    harness.remove("default", &orders[1]).await;
    running.shows(&harness, "orders", &orders[..1]).await;
    sleep(Duration::from_secs(7)).await;
    running.shows(&harness, "orders", &orders[..1]).await;
    let told = std::iter::from_fn(|| events.try_recv().ok()).count();
    assert!((2..=3).contains(&told), "each change once, the two additions maybe apart: {told}");
    running.end().await;
}

/// An operator may switch deltas off.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_deltas_is_read_whole_each_time() {
    let harness = EurekaHarness::start(EurekaOptions { no_deltas: true, ..EurekaOptions::default() }).await;
    assert!(harness.http.get("/eureka/apps/delta").await.is_err(), "it gives none");
    let running = watching(&harness).await;
    let mut events = running.view.subscribe();
    let orders = Inst::new("orders", "10.0.0.1", 80);
    for instance in [orders.clone(), orders.clone().weight(3.0)] {
        harness.put("default", &instance).await;
        running.shows(&harness, "orders", std::slice::from_ref(&instance)).await;
    }
    let told: Vec<ViewEvent> = std::iter::from_fn(|| events.try_recv().ok()).collect();
    assert_eq!(told, [running.key("orders"), running.key("orders")].map(ViewEvent::Service));
    running.end().await;
}

/// Two instances change places: the hash of a delta counts statuses only, and says that nothing is amiss.
async fn a_swap_of_two_instances(harness: &EurekaHarness) {
    let namespace = harness.namespace().await;
    let (old, new) = (Inst::new("orders", "10.0.0.1", 80), Inst::new("orders", "10.0.0.2", 80));
    harness.put(&namespace, &old).await;
    let running = Running::start(harness.route().await, Patterns::of(&namespace, &["*"]), &namespace);
    running.complete(LIMIT).await;
    harness.put(&namespace, &new).await;
    harness.remove(&namespace, &old).await;
    running.shows(harness, "orders", &[new]).await;
    running.end().await;
}

fn user(name: &str, password: &str) -> EurekaSettings {
    EurekaSettings {
        user: Some(name.to_owned()),
        password: Some(Secret::new(password)),
        poll_interval: POLL,
        ..EurekaSettings::default()
    }
}

#[async_trait]
impl Guarded for EurekaHarness {
    async fn stranger(&self, _: &str) -> Stranger {
        let route = self.route_with(user("reader", "second")).await;
        Stranger { route, secret: "second", told: "refuses us (401)" }
    }

    async fn admit(&self, _: &str) {
        self.http.admit("reader", "second").await.unwrap();
    }

    async fn expel(&self, _: &str) {
        self.http.expel("reader").await.unwrap();
    }
}

/// A Eureka that starts knows nothing until its clients have told it again.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_and_restarts() {
    let mut harness = EurekaHarness::start(EurekaOptions { auth: true, ..EurekaOptions::default() }).await;
    stories::credentials_wrong_then_right_then_revoked(&harness).await;
    harness.settings = user("tester", "tester");
    stories::a_restart(&harness, false).await;
    stories::a_restart_between_two_questions(&harness).await;
    stories::a_minute_without_the_server(&harness).await;
    harness.stop_server().await;
}

#[tokio::test]
async fn registrations_are_as_scenarios_mean_them() {
    let sick = registration(&Inst::new("orders", "10.0.0.1", 80).unhealthy().weight(2.5));
    assert_eq!((sick.status.as_str(), sick.metadata["weight"].as_str()), ("DOWN", "3"));
}
