//! Nacos as a source, on a real Nacos 3.1.0.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use causeway::config::Tls;
use causeway::model::ServiceKey;
use causeway::registries::nacos::{Nacos, NacosSettings};
use causeway_test_support::nacos::{HttpFilter, Refused};
use causeway_test_support::proxy::Proxy;
use causeway_test_support::tls;

use crate::conformance::{Harness, Inst, Patterns, Route, Running, play, scenarios, stories};
use crate::harness::{NacosHarness, proxied, registration};

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario() {
    let harness = NacosHarness::shared().await;
    let all = scenarios::all();
    futures::future::join_all(all.iter().map(|scenario| async {
        println!("{} …", scenario.name);
        play(&harness, scenario).await;
        println!("{}: fine", scenario.name);
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet() {
    stories::a_fleet(&NacosHarness::shared().await).await;
}

fn route(settings: NacosSettings) -> Route {
    Route { source: Arc::new(Nacos::new(settings).unwrap()), proxies: Vec::new() }
}

async fn becomes(running: &Running, key: &ServiceKey, instances: usize) {
    for _ in 0..8000 {
        if running.view.reading(key).is_some_and(|reading| reading.snapshot.instances.len() == instances) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{key} shows {:?}, not {instances}; {:?}", running.view.reading(key), running.view.unknowns());
}

/// No push tells of what is switched off from its first moment.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_registered_switched_off_is_shown() {
    let harness = NacosHarness::shared().await;
    let namespace = harness.namespace().await;
    let orders = [Inst::new("orders", "10.0.0.1", 80), Inst::new("orders", "10.0.0.2", 80).disabled()];
    harness.put(&namespace, &orders[0]).await;
    let running = Running::start(harness.route().await, Patterns::of(&namespace, &["*"]), &namespace);
    running.complete(harness.limit()).await;
    running.shows(&harness, "orders", &orders[..1]).await;
    harness.put(&namespace, &orders[1]).await;
    running.shows(&harness, "orders", &orders).await;
    let alone = Inst::new("books", "10.0.0.1", 80).disabled();
    harness.put(&namespace, &alone).await;
    running.shows(&harness, "books", std::slice::from_ref(&alone)).await;
    harness.remove(&namespace, &orders[1]).await;
    running.shows(&harness, "orders", &orders[..1]).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_are_listed_and_groups_stand_in_names() {
    let harness = NacosHarness::shared().await;
    let (one, two) = (harness.namespace().await, harness.namespace().await);
    let places = [
        (one.as_str(), "nsg-bare"),
        (&one, "TRADE__nsg-grouped"),
        (&two, "nsg-bare"),
        ("empty_ns", "nsg-default"),
    ];
    let host = |place: usize| format!("10.0.0.{place}");
    for (place, (namespace, service)) in places.iter().enumerate() {
        harness.put(namespace, &Inst::new(service, &host(place), 80)).await;
    }
    let everywhere = Patterns::everywhere(&["*"], &["*nsg-*"]);
    let running = Running::start(harness.route().await, everywhere, &one);
    running.complete(harness.limit()).await;
    for (place, (namespace, service)) in places.into_iter().enumerate() {
        let key = ServiceKey::new(namespace, service);
        becomes(&running, &key, 1).await;
        // A push names no namespace, so services of one name must not be mixed up.
        let shown = running.view.reading(&key).unwrap().snapshot;
        assert_eq!(shown.instances.keys().next().unwrap().host, host(place), "{key}");
    }
    let late = harness.namespace().await;
    harness.put(&late, &Inst::new("PAY__nsg-late", "10.0.0.1", 80)).await;
    becomes(&running, &ServiceKey::new(&late, "PAY__nsg-late"), 1).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_configured_namespaces_are_read() {
    let harness = NacosHarness::shared().await;
    let (one, two) = (harness.namespace().await, harness.namespace().await);
    for namespace in [&one, &two] {
        harness.put(namespace, &Inst::new("only", "10.0.0.1", 80)).await;
    }
    let address = format!("127.0.0.1:{}", harness.ports.main);
    let settings =
        NacosSettings { addresses: vec![address], namespaces: vec![one.clone()], ..NacosSettings::default() };
    let running = Running::start(route(settings), Patterns::everywhere(&["*"], &["only"]), &one);
    running.complete(harness.limit()).await;
    becomes(&running, &ServiceKey::new(&one, "only"), 1).await;
    assert!(running.view.reading(&ServiceKey::new(&two, "only")).is_none());
    running.end().await;
}

/// A server takes registrations for a namespace that was never created, and doesn't list it then.
#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_was_never_created_is_read_by_its_name() {
    let harness = NacosHarness::shared().await;
    let orders = [Inst::new("orders", "10.0.0.1", 80)];
    harness.put("never-created", &orders[0]).await;
    let running =
        Running::start(harness.route().await, Patterns::of("never-created", &["*"]), "never-created");
    running.complete(harness.limit()).await;
    running.shows(&harness, "orders", &orders).await;
    running.end().await;
}

/// A server asks whoever is silent for 20 s whether it is still there, ends connections that don't answer, and pushes again and again
/// what isn't acknowledged. An unchanged push comes after each subscription, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_watch_stays_connected_and_wakes_nobody() {
    let harness = NacosHarness::shared().await;
    let namespace = harness.namespace().await;
    let orders = [Inst::new("orders", "10.0.0.1", 80)];
    harness.put(&namespace, &orders[0]).await;
    let running = Running::start(harness.route().await, Patterns::of(&namespace, &["*"]), &namespace);
    running.complete(harness.limit()).await;
    let mut events = running.view.subscribe();
    tokio::time::sleep(Duration::from_secs(50)).await;
    let told: Vec<_> = std::iter::from_fn(|| events.try_recv().ok()).collect();
    assert!(told.is_empty(), "{told:?}, {:?}", running.view.reading(&running.key("orders")));
    let changed = [orders[0].clone().weight(2.0)];
    harness.put(&namespace, &changed[0]).await;
    running.shows(&harness, "orders", &changed).await;
    running.end().await;
}

async fn tls_route(harness: &NacosHarness, ca: &str, insecure: bool) -> (Route, tempfile::NamedTempFile) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(ca.as_bytes()).unwrap();
    let start = |port: u16| async move {
        let server = format!("127.0.0.1:{port}");
        Proxy::start_on(0, &server, Some(tls::server_config().unwrap())).await.unwrap()
    };
    let proxies = vec![start(harness.ports.main).await, start(harness.ports.grpc()).await];
    let address = format!("https://localhost:{}?grpc_port={}", proxies[0].port(), proxies[1].port());
    let ca_file = Some(file.path().to_owned());
    let tls = Some(Tls { ca_file, insecure_skip_verify: insecure });
    let settings = NacosSettings { addresses: vec![address], tls, ..NacosSettings::default() };
    (Route { source: Arc::new(Nacos::new(settings).unwrap()), proxies }, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_trusts_the_configured_authority_and_no_other() {
    let harness = NacosHarness::shared().await;
    let namespace = harness.namespace().await;
    let orders = [Inst::new("orders", "10.0.0.1", 80)];
    harness.put(&namespace, &orders[0]).await;
    for (ca, insecure) in [(tls::CA, false), (tls::OTHER_CA, true)] {
        let (route, _file) = tls_route(&harness, ca, insecure).await;
        let running = Running::start(route, Patterns::of(&namespace, &["*"]), &namespace);
        running.complete(harness.limit()).await;
        running.shows(&harness, "orders", &orders).await;
        running.end().await;
    }
    let (route, _file) = tls_route(&harness, tls::OTHER_CA, false).await;
    let running = Running::start(route, Patterns::of(&namespace, &["*"]), &namespace);
    let reasons = running.is_unknown(harness.limit(), true).await;
    assert!(reasons[0].contains("certificate"), "{reasons:?}");
    running.end().await;
}

async fn filtered(harness: &NacosHarness, refused: Refused) -> (Route, HttpFilter) {
    let filter = HttpFilter::start(&format!("127.0.0.1:{}", harness.ports.main), refused).await.unwrap();
    let address = format!("{}?grpc_port={}", filter.address(), harness.ports.grpc());
    (route(NacosSettings { addresses: vec![address], ..NacosSettings::default() }), filter)
}

/// A 2.x server has no v3 paths; users without rights on lists of all groups read the groups that their tasks name.
#[tokio::test(flavor = "multi_thread")]
async fn older_apis_and_smaller_rights_lead_to_the_same_view() {
    const OLD: Refused = &[("/nacos/v3/", 404)];
    const ONE_GROUP: Refused = &[("/nacos/v3/admin/ns/", 403), ("/nacos/v1/ns/catalog/", 403)];
    let harness = NacosHarness::shared().await;
    let namespace = harness.namespace().await;
    let orders = [Inst::new("TRADE__orders", "10.0.0.1", 80), Inst::new("TRADE__orders", "10.0.0.2", 80)];
    for refused in [OLD, ONE_GROUP] {
        for instance in &orders {
            harness.put(&namespace, instance).await;
        }
        let (route, _filter) = filtered(&harness, refused).await;
        let running = Running::start(route, Patterns::of(&namespace, &["TRADE__*"]), &namespace);
        running.complete(harness.limit()).await;
        running.shows(&harness, "TRADE__orders", &orders).await;
        let off = orders[1].clone().disabled();
        harness.put(&namespace, &off).await;
        let shown = if refused == OLD { vec![orders[0].clone(), off] } else { vec![orders[0].clone()] };
        running.shows(&harness, "TRADE__orders", &shown).await;
        running.end().await;
    }
    let (route, _filter) = filtered(&harness, ONE_GROUP).await;
    let running = Running::start(route, Patterns::of(&namespace, &["*"]), &namespace);
    let reasons = running.is_unknown(harness.limit(), true).await;
    assert!(
        reasons[0].contains("refuses the list of services"),
        "one group is no complete list: {reasons:?}"
    );
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_under_the_protection_threshold_is_the_real_one() {
    let harness = NacosHarness::shared().await;
    let namespace = harness.namespace().await;
    let orders = [Inst::new("orders", "10.0.0.1", 80), Inst::new("orders", "10.0.0.2", 80)];
    for instance in &orders {
        harness.put(&namespace, instance).await;
    }
    harness.http.set_protect_threshold(&registration(&namespace, &orders[0]), 0.9).await.unwrap();
    let running = Running::start(harness.route().await, Patterns::of(&namespace, &["*"]), &namespace);
    running.complete(harness.limit()).await;
    let sick = orders[1].clone().unhealthy();
    harness.put(&namespace, &sick).await;
    running.shows(&harness, "orders", &[orders[0].clone(), sick]).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn persistent_instances_are_shown_as_such() {
    let harness = NacosHarness::shared().await;
    let namespace = harness.namespace().await;
    let mut persistent = registration(&namespace, &Inst::new("db", "10.0.0.1", 5432));
    persistent.ephemeral = false;
    harness.http.register(&persistent).await.unwrap();
    let running = Running::start(harness.route().await, Patterns::of(&namespace, &["*"]), &namespace);
    let key = running.key("db");
    becomes(&running, &key, 1).await;
    let reading = running.view.reading(&key).unwrap();
    let attributes = &reading.snapshot.instances.values().next().unwrap().attributes;
    assert_eq!((attributes["ephemeral"].as_str(), attributes["cluster"].as_str()), ("false", "DEFAULT"));
    harness.http.deregister(&persistent).await.unwrap();
    becomes(&running, &key, 0).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_of_several_addresses_serves() {
    let harness = NacosHarness::shared().await;
    let namespace = harness.namespace().await;
    let orders = [Inst::new("orders", "10.0.0.1", 80)];
    harness.put(&namespace, &orders[0]).await;
    let ((first, gone), (second, stays)) = (proxied(harness.ports).await, proxied(harness.ports).await);
    let addresses = vec!["127.0.0.1:1".to_owned(), first, second];
    let source = Arc::new(Nacos::new(NacosSettings { addresses, ..NacosSettings::default() }).unwrap());
    let route = Route { source, proxies: stays };
    let running = Running::start(route, Patterns::of(&namespace, &["*"]), &namespace);
    running.complete(harness.limit()).await;
    drop(gone);
    let changed = [orders[0].clone().weight(7.0)];
    harness.put(&namespace, &changed[0]).await;
    running.shows(&harness, "orders", &changed).await;
    running.is_unknown(harness.limit(), false).await;
    running.end().await;
}
