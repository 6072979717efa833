//! Consul as a source, on a real Consul 1.15.4.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use causeway::config::Tls;
use causeway::model::{Address, Instance};
use causeway::registries::ViewEvent;
use causeway::registries::consul::{Consul, ConsulSettings};
use causeway_test_support::consul::{ConsulOptions, Registration};
use causeway_test_support::proxy::Proxy;
use causeway_test_support::tls;
use tokio::time::{Instant, sleep};

use crate::conformance::{Harness, Inst, Patterns, Route, Running, play, scenarios, stories};
use crate::harness::ConsulHarness;

const LIMIT: Duration = Duration::from_secs(40);
/// Within which any change has to be seen, whether its service has a query of its own or is read in turn.
const SEEN_WITHIN: Duration = Duration::from_secs(30);

fn everything() -> Patterns {
    Patterns::of("default", &["*"])
}

/// Waits until a service's only instance is as wanted.
async fn becomes(running: &Running, service: &str, what: &str, wanted: impl Fn(&Instance) -> bool) {
    let until = Instant::now() + SEEN_WITHIN;
    loop {
        let reading = running.view.reading(&running.key(service));
        if reading.as_ref().is_some_and(|now| now.snapshot.instances.values().any(&wanted)) {
            return;
        }
        assert!(Instant::now() < until, "{service}: not {what}: {reading:?}; {:?}", running.view.unknowns());
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario() {
    for scenario in scenarios::all() {
        println!("{} …", scenario.name);
        play(&ConsulHarness::plain().await, &scenario).await;
    }
}

/// The same with one place, so that nearly every service is read in turn.
#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_in_turn() {
    for scenario in scenarios::all() {
        println!("{} …", scenario.name);
        let mut harness = ConsulHarness::plain().await;
        harness.settings.places = 0;
        play(&harness, &scenario).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet() {
    stories::a_fleet(&ConsulHarness::plain().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_swallows_everything() {
    stories::a_path_that_swallows_everything(&ConsulHarness::plain().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_consul_says_of_an_instance() {
    let harness = ConsulHarness::plain().await;
    let mut orders = Registration::new("orders", "", 80).check("warning");
    orders.node_address = "10.0.0.7".to_owned();
    orders.weights = (5, 2);
    orders.tags = vec!["v1".to_owned(), "a b".to_owned()];
    orders.meta.insert("version".to_owned(), "1.0".to_owned());
    harness.http.register(&orders).await.unwrap();
    let running = Running::start(harness.route().await, everything(), "default");
    running.complete(LIMIT).await;
    let reading = running.view.reading(&running.key("orders")).unwrap();
    let instance = &reading.snapshot.instances[&Address::new("10.0.0.7", 80)];
    assert!(instance.healthy && instance.wanted(), "a warning is no failure");
    assert!((instance.weight.ratio() - 2.0).abs() < f64::EPSILON, "{}", instance.weight);
    let metadata = [("version", "1.0"), ("tag.v1", "true"), ("tag.a b", "true")];
    let metadata: BTreeMap<String, String> = metadata.map(|(k, v)| (k.into(), v.into())).into();
    assert_eq!(instance.metadata, metadata);
    assert_eq!(instance.attributes["datacenter"], "dc1");
    assert!(
        !running.view.services().contains(&running.key("consul")),
        "the servers' own service is left out"
    );

    harness.http.register(&orders.clone().check("critical")).await.unwrap();
    becomes(&running, "orders", "unhealthy", |now| !now.healthy && now.weight.ratio() > 4.0).await;
    let mut moved = orders.clone();
    moved.node_address = "10.0.0.8".to_owned();
    harness.http.move_node(&moved).await.unwrap();
    becomes(&running, "orders", "on the node's new address", |now| now.address.host == "10.0.0.8").await;
    running.end().await;
}

/// A server answers waiting queries for health out of its stream of events by default, without saying whether there is a leader.
/// Taken for a failure, each change would cost a second.
#[tokio::test(flavor = "multi_thread")]
async fn changes_in_a_row_are_seen_as_they_come() {
    let harness = ConsulHarness::plain().await;
    let orders = Registration::new("orders", "10.0.0.1", 80);
    harness.http.register(&orders).await.unwrap();
    let running = Running::start(harness.route().await, everything(), "default");
    running.complete(LIMIT).await;
    let mut took = Vec::new();
    for weight in 2..32 {
        let begun = Instant::now();
        harness.http.register(&Registration { weights: (weight, 1), ..orders.clone() }).await.unwrap();
        becomes(&running, "orders", "of its new weight", |now| now.weight.ratio() > f64::from(weight) - 0.5)
            .await;
        took.push(begun.elapsed());
    }
    // In the middle: a machine that stands still now and then holds up a few.
    took.sort();
    assert!(took[took.len() / 2] < Duration::from_millis(700), "{took:?}");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_node_that_changes_no_instance_wakes_nobody() {
    let harness = ConsulHarness::plain().await;
    let services: Vec<Registration> =
        (0..20).map(|n| Registration::new(&format!("s{n}"), "10.0.0.1", 80)).collect();
    for service in &services {
        harness.http.register(service).await.unwrap();
    }
    let running = Running::start(harness.route().await, everything(), "default");
    running.complete(LIMIT).await;
    let mut events = running.view.subscribe();
    harness.http.touch_node(&services[0], "1").await.unwrap();
    let last = Registration { weights: (3, 1), ..services[19].clone() };
    harness.http.register(&last).await.unwrap();
    becomes(&running, "s19", "of its new weight", |now| now.weight.ratio() > 2.0).await;
    assert_eq!(events.try_recv().unwrap(), ViewEvent::Service(running.key("s19")));
    assert!(events.try_recv().is_err());
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_every_kind_are_read() {
    const NAMES: [&str; 6] =
        ["a b", "x/y", "DEFAULT_GROUP@@svc", "providers:com.foo.Bar:1.0:", "50%+", "服务?x=1#y"];
    let harness = ConsulHarness::plain().await;
    let running = Running::start(harness.route().await, everything(), "default");
    running.complete(LIMIT).await;
    for name in NAMES {
        let instance = Inst::new(name, "10.0.0.1", 80);
        harness.put("default", &instance).await;
        running.shows(&harness, name, std::slice::from_ref(&instance)).await;
        harness.remove("default", &instance).await;
        running.shows(&harness, name, &[]).await;
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_namespace_is_a_label_and_the_datacenter_and_filter_are_sent() {
    let harness = ConsulHarness::plain().await;
    let mine = Inst::new("orders", "10.0.0.1", 80).with("tier", "web");
    let other = Inst::new("orders", "10.0.0.2", 80);
    harness.put("", &mine).await;
    harness.put("", &other).await;
    let settings = ConsulSettings {
        namespaces: vec!["prod".to_owned()],
        datacenter: Some("dc1".to_owned()),
        filter: Some("Service.Meta.tier == \"web\"".to_owned()),
        ..ConsulSettings::default()
    };
    let interest = || Patterns::of("prod", &["*"]);
    let running = Running::start(harness.route_with(settings.clone()).await, interest(), "prod");
    running.complete(LIMIT).await;
    running.shows(&harness, "orders", std::slice::from_ref(&mine)).await;
    let changed = mine.with("tier", "back");
    harness.put("", &changed).await;
    running.shows(&harness, "orders", &[]).await;
    running.end().await;

    let elsewhere = ConsulSettings { datacenter: Some("dc9".to_owned()), ..settings.clone() };
    let running = Running::start(harness.route_with(elsewhere).await, interest(), "prod");
    let reasons = running.is_unknown(LIMIT, true).await;
    assert!(reasons[0].contains("No path to datacenter"), "{reasons:?}");
    running.end().await;

    let malformed = ConsulSettings { filter: Some("Service.Meta.tier is".to_owned()), ..settings };
    let running = Running::start(harness.route_with(malformed).await, interest(), "prod");
    let reasons = running.is_unknown(LIMIT, true).await;
    assert!(reasons[0].contains("boolean expression"), "the server's own words: {reasons:?}");
    running.end().await;
}

/// Services that are read in turn: whatever changes in any table of the catalogue is seen.
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_change_is_seen_without_a_place() {
    let harness = ConsulHarness::plain().await;
    let service = |n: usize| Registration::new(&format!("s{n}"), "", 80);
    for n in 0..6 {
        harness.http.register(&service(n)).await.unwrap();
    }
    let settings = ConsulSettings { places: 1, ..ConsulSettings::default() };
    let running = Running::start(harness.route_with(settings).await, everything(), "default");
    running.complete(LIMIT).await;
    let heavier = Registration { weights: (4, 1), ..service(1) };
    harness.http.register(&heavier).await.unwrap();
    becomes(&running, "s1", "heavier", |now| now.weight.ratio() > 3.0).await;
    harness.http.register(&service(2).check("critical")).await.unwrap();
    becomes(&running, "s2", "unhealthy", |now| !now.healthy).await;
    harness.http.register(&service(2).check("passing")).await.unwrap();
    becomes(&running, "s2", "healthy", |now| now.healthy).await;
    let second = Registration::new("s3", "10.0.0.9", 80);
    harness.http.register(&second).await.unwrap();
    becomes(&running, "s3", "at two addresses", |now| now.address.host == "10.0.0.9").await;
    let mut moved = service(4);
    moved.node_address = "10.9.9.9".to_owned();
    harness.http.move_node(&moved).await.unwrap();
    becomes(&running, "s4", "on the node's new address", |now| now.address.host == "10.9.9.9").await;
    harness.http.deregister(&service(5)).await.unwrap();
    running.shows(&harness, "s5", &[]).await;
    running.end().await;
}

/// A server at its default limits, and more services than it allows connections.
#[tokio::test(flavor = "multi_thread")]
async fn more_services_than_connections() {
    let harness = ConsulHarness::plain().await;
    let services: Vec<Registration> =
        (0..400).map(|n| Registration::new(&format!("s{n:03}"), "10.0.0.1", 80)).collect();
    harness.http.register(&services[0]).await.unwrap();
    harness.http.register_all(&services).await.unwrap();
    let running = Running::start(harness.route().await, everything(), "default");
    running.complete(LIMIT).await;
    for service in [0, 399] {
        let heavier = Registration { weights: (4, 1), ..services[service].clone() };
        harness.http.register(&heavier).await.unwrap();
        becomes(&running, &heavier.service, "heavier", |now| now.weight.ratio() > 3.0).await;
    }
    let until = Instant::now() + LIMIT;
    while running.proxies[0].open() <= 100 {
        assert!(Instant::now() < until, "most have a connection of their own: {}", running.proxies[0].open());
        sleep(Duration::from_millis(10)).await;
    }
    let most = running.proxies[0].most_open();
    assert!(most < 200, "the limit of 200 isn't reached: {most}");
    assert_eq!(
        running.proxies[0].answers(429),
        0,
        "beyond 200 connections, as it counts them, the server refuses some"
    );
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_allows_fewer_connections_is_still_read_whole() {
    let options = ConsulOptions { connections: Some(40), ..ConsulOptions::default() };
    let harness = ConsulHarness::start(options).await;
    let services: Vec<Registration> =
        (0..100).map(|n| Registration::new(&format!("s{n:03}"), "10.0.0.1", 80)).collect();
    harness.http.register(&services[0]).await.unwrap();
    harness.http.register_all(&services).await.unwrap();
    let running = Running::start(harness.route().await, everything(), "default");
    running.complete(LIMIT).await;
    running.is_unknown(LIMIT, false).await;
    for service in [3, 97] {
        let heavier = Registration { weights: (4, 1), ..services[service].clone() };
        // This client's connections count in the limit too, so it may be refused as well.
        let until = Instant::now() + LIMIT;
        while let Err(error) = harness.http.register(&heavier).await {
            assert!(Instant::now() < until, "{error}");
            sleep(Duration::from_millis(100)).await;
        }
        becomes(&running, &heavier.service, "heavier", |now| now.weight.ratio() > 3.0).await;
    }
    assert!(running.proxies[0].answers(429) > 0, "the server has refused some");
    running.end().await;
}

async fn tls_route(harness: &ConsulHarness, ca: &str, insecure: bool) -> (Route, tempfile::NamedTempFile) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(ca.as_bytes()).unwrap();
    let proxy = Proxy::start_on(0, &harness.address, Some(tls::server_config().unwrap())).await.unwrap();
    let tls = Some(Tls { ca_file: Some(file.path().to_owned()), insecure_skip_verify: insecure });
    let addresses = vec![format!("localhost:{}", proxy.port())];
    let settings = ConsulSettings { addresses, tls, ..ConsulSettings::default() };
    (Route { source: Arc::new(Consul::new(settings).unwrap()), proxies: vec![proxy] }, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_trusts_the_configured_authority_and_no_other() {
    let harness = ConsulHarness::plain().await;
    let orders = [Inst::new("orders", "10.0.0.1", 80)];
    harness.put("", &orders[0]).await;
    for (ca, insecure) in [(tls::CA, false), (tls::OTHER_CA, true)] {
        let (route, _file) = tls_route(&harness, ca, insecure).await;
        let running = Running::start(route, everything(), "default");
        running.complete(LIMIT).await;
        running.shows(&harness, "orders", &orders).await;
        running.end().await;
    }
    let (route, _file) = tls_route(&harness, tls::OTHER_CA, false).await;
    let running = Running::start(route, everything(), "default");
    let reasons = running.is_unknown(LIMIT, true).await;
    assert!(reasons[0].contains("certificate"), "{reasons:?}");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_address_takes_over() {
    let harness = ConsulHarness::plain().await;
    let orders = [Inst::new("orders", "10.0.0.1", 80)];
    harness.put("", &orders[0]).await;
    let gone = Proxy::start(&harness.address).await.unwrap();
    let stays = Proxy::start(&harness.address).await.unwrap();
    let addresses = vec![gone.address(), stays.address()];
    let settings = ConsulSettings { addresses, ..ConsulSettings::default() };
    let route = Route { source: Arc::new(Consul::new(settings).unwrap()), proxies: vec![stays] };
    let running = Running::start(route, everything(), "default");
    running.complete(LIMIT).await;
    drop(gone);
    let changed = [orders[0].clone().weight(7.0)];
    harness.put("", &changed[0]).await;
    running.shows(&harness, "orders", &changed).await;
    running.is_unknown(LIMIT, false).await;
    running.end().await;
}
