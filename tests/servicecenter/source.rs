//! Service-center as a source, on a real service-center 1.4.8.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use causeway::config::Tls;
use causeway::model::{Address, Instance};
use causeway::registries::ViewEvent;
use causeway::registries::servicecenter::{ServiceCenter, ServiceCenterSettings};
use causeway_test_support::proxy::Proxy;
use causeway_test_support::servicecenter::{Registration, Service};
use causeway_test_support::tls;
use tokio::time::{Instant, sleep};

use crate::conformance::{Harness, Inst, Patterns, Route, Running, play, scenarios, stories};
use crate::harness::{ServiceCenterHarness, registration};

const LIMIT: Duration = Duration::from_secs(40);

/// Waits until a service shows exactly this many instances, all as wanted.
async fn becomes(running: &Running, service: &str, instances: usize, wanted: impl Fn(&Instance) -> bool) {
    let until = Instant::now() + LIMIT;
    loop {
        let reading = running.view.reading(&running.key(service));
        let fits = reading.as_ref().is_some_and(|now| {
            now.snapshot.instances.len() == instances && now.snapshot.instances.values().all(&wanted)
        });
        if fits {
            return;
        }
        assert!(Instant::now() < until, "{service}: {reading:#?}; {:?}", running.view.unknowns());
        sleep(Duration::from_millis(5)).await;
    }
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

async fn watched(harness: &ServiceCenterHarness, namespace: &str, services: &[&str]) -> Running {
    let running = Running::start(harness.route().await, Patterns::of(namespace, services), namespace);
    running.complete(LIMIT).await;
    running
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario() {
    let harness = ServiceCenterHarness::plain().await;
    for scenario in scenarios::all() {
        println!("{} …", scenario.name);
        play(&harness, &scenario).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet() {
    stories::a_fleet(&ServiceCenterHarness::plain().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_swallows_everything() {
    stories::a_path_that_swallows_everything(&ServiceCenterHarness::plain().await).await;
}

/// Versions are one service; what each says of its instances is metadata, which an instance's own overrules.
#[tokio::test(flavor = "multi_thread")]
async fn versions_and_properties_of_services_are_metadata() {
    let harness = ServiceCenterHarness::plain().await;
    let one = Service {
        version: "1.2.3".to_owned(),
        properties: pairs(&[("tier", "web")]),
        ..Service::new("shop", "cart")
    };
    let two = Service { version: "2.0".to_owned(), ..one.clone() };
    let mut old = Registration::new(one.clone(), "10.0.0.1:80");
    old.endpoints.insert(0, "highway://10.0.0.1:7070".to_owned());
    let mut new = Registration::new(two.clone(), "10.0.0.2:443");
    new.endpoints = vec!["rest://10.0.0.2:443?sslEnabled=true".to_owned()];
    new.properties = pairs(&[("tier", "own"), ("weight", "0.5")]);
    let consumer =
        Registration { endpoints: vec![], id: "consumer".to_owned(), ..Registration::new(one.clone(), "") };
    for instance in [&old, &new, &consumer] {
        harness.register(instance).await;
    }
    let running = watched(&harness, "shop", &["*"]).await;
    let reading = running.view.reading(&running.key("cart")).unwrap();
    assert_eq!(reading.snapshot.instances.len(), 2, "who can't be called isn't shown: {reading:?}");
    let [first, second] = [("10.0.0.1", 80), ("10.0.0.2", 443)]
        .map(|(host, port)| reading.snapshot.instances[&Address::new(host, port)].clone());
    assert_eq!(first.metadata, pairs(&[("tier", "web"), ("version", "1.2.3")]));
    assert_eq!(
        (first.attributes["protocol"].as_str(), first.attributes["id"].as_str()),
        ("http", old.id.as_str())
    );
    assert_eq!(second.metadata, pairs(&[("tier", "own"), ("version", "2.0"), ("weight", "0.5")]));
    assert!((second.weight.ratio() - 0.5).abs() < f64::EPSILON && second.attributes["protocol"] == "https");

    // No revision moves with a service's properties.
    let id = harness.id(&one).await;
    harness.http().await.set_service_properties(&id, &pairs(&[("tier", "front")])).await.unwrap();
    let is_front = |now: &Instance| now.address.port == 443 || now.metadata["tier"] == "front";
    becomes(&running, "cart", 2, is_front).await;

    // A version that comes later is found with what it says.
    let three = Service { version: "3.0".to_owned(), properties: pairs(&[("tier", "new")]), ..one.clone() };
    harness.register(&Registration::new(three, "10.0.0.3:80")).await;
    becomes(&running, "cart", 3, |now| now.metadata.contains_key("tier")).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_that_stay_listed() {
    let harness = ServiceCenterHarness::plain().await;
    let service = Service::new("shop", "cart");
    let mut instance = Registration::new(service, "10.0.0.1:80");
    harness.register(&instance).await;
    let running = watched(&harness, "shop", &["*"]).await;
    for (status, healthy, wanted) in [
        ("DOWN", false, true),
        ("OUTOFSERVICE", true, false),
        ("STARTING", false, true),
        ("TESTING", true, false),
        ("UP", true, true),
    ] {
        instance.status = status.to_owned();
        harness.register(&instance).await;
        becomes(&running, "cart", 1, |now| {
            now.attributes["status"] == status && now.healthy == healthy && now.wanted() == wanted
        })
        .await;
    }
    running.end().await;
}

/// Registered again, an instance stays as it is; a heartbeat is no change; the same address twice is one instance.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_change_wakes_nobody() {
    let harness = ServiceCenterHarness::plain().await;
    let service = Service::new("shop", "cart");
    let mut instance = Registration::new(service.clone(), "10.0.0.1:80");
    instance.properties = pairs(&[("a", "1")]);
    harness.register(&instance).await;
    let running = watched(&harness, "shop", &["*"]).await;
    let mut events = running.view.subscribe();
    let (id, http) = (harness.id(&service).await, harness.http().await);
    http.heartbeat(&id, &instance).await.unwrap();
    let again = Registration { endpoints: vec!["rest://10.0.0.9:80".to_owned()], ..instance.clone() };
    http.register(&id, &again).await.unwrap();
    let twin = Registration { id: "twin".to_owned(), status: "DOWN".to_owned(), ..instance.clone() };
    http.register(&id, &twin).await.unwrap();
    // Something that is a change, to wait for.
    harness.register(&Registration::new(service, "10.0.0.2:80")).await;
    becomes(&running, "cart", 2, |now| now.address.host != "10.0.0.9").await;
    becomes(&running, "cart", 2, |now| now.healthy).await;
    let told: Vec<ViewEvent> = std::iter::from_fn(|| events.try_recv().ok()).collect();
    assert!(told.iter().all(|event| *event == ViewEvent::Service(running.key("cart"))), "{told:?}");
    running.end().await;
}

/// Somebody opens the console of a 1.4.8, which empties the properties in the server's cache for every reader.
#[tokio::test(flavor = "multi_thread")]
async fn properties_that_vanish_from_the_servers_cache_stay() {
    let harness = ServiceCenterHarness::plain().await;
    let service = Service { properties: pairs(&[("tier", "web")]), ..Service::new("shop", "cart") };
    let register = async |host: &str| {
        let mut instance = Registration::new(service.clone(), &format!("{host}:80"));
        instance.properties = pairs(&[("zone", "a")]);
        harness.register(&instance).await;
        instance
    };
    let first = register("10.0.0.1").await;
    let early = watched(&harness, "shop", &["*"]).await;
    harness.http().await.open_console().await.unwrap();
    let id = harness.id(&service).await;
    let cached = harness.http().await.instances(&id).await.unwrap();
    assert!(cached[0]["properties"].is_null(), "the server still does it: {cached}");

    // The revision moves, so all is read: by one who saw it before, and by one who starts now.
    register("10.0.0.2").await;
    let late = watched(&harness, "shop", &["*"]).await;
    let has_all = |now: &Instance| now.metadata.contains_key("zone") && now.metadata.contains_key("tier");
    for running in [&early, &late] {
        becomes(running, "cart", 2, has_all).await;
        // The next list of services is poisoned, too.
        sleep(Duration::from_secs(3)).await;
        becomes(running, "cart", 2, has_all).await;
    }
    // Properties that were taken away in earnest are gone.
    let http = harness.http().await;
    let bare = Registration { properties: BTreeMap::new(), ..first };
    harness.register(&bare).await;
    http.set_service_properties(&id, &BTreeMap::new()).await.unwrap();
    for running in [&early, &late] {
        becomes(running, "cart", 2, |now| {
            !now.metadata.contains_key("tier")
                && now.metadata.contains_key("zone") == (now.address.host == "10.0.0.2")
        })
        .await;
    }
    early.end().await;
    late.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn domain_project_and_environment_are_worlds_of_their_own() {
    let harness = ServiceCenterHarness::plain().await;
    let production = Service { environment: "production".to_owned(), ..Service::new("shop", "cart") };
    let places = [
        ("default", "default", Service::new("shop", "cart"), "10.0.0.1"),
        ("default", "default", production, "10.0.0.2"),
        ("tenant", "default", Service::new("shop", "cart"), "10.0.0.3"),
        ("default", "north", Service::new("shop", "cart"), "10.0.0.4"),
    ];
    for (domain, project, service, host) in &places {
        let http = harness.http().await.within(domain, project);
        let id = http.create(service).await.unwrap();
        http.register(&id, &Registration::new(service.clone(), &format!("{host}:80"))).await.unwrap();
    }
    for (domain, project, service, host) in places {
        let settings = ServiceCenterSettings {
            domain: domain.to_owned(),
            project: project.to_owned(),
            environment: service.environment,
            ..ServiceCenterSettings::default()
        };
        let route = harness.route_with(settings).await;
        let running = Running::start(route, Patterns::of("shop", &["*"]), "shop");
        running.complete(LIMIT).await;
        becomes(&running, "cart", 1, |now| now.address.host == host).await;
        running.end().await;
    }
}

/// The server registers itself as a service of the application `default`, which is nobody's to call.
#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_registration_is_left_out_and_namespaces_bound_what_is_read() {
    let harness = ServiceCenterHarness::plain().await;
    for app in ["default", "shop"] {
        harness.register(&Registration::new(Service::new(app, "cart"), "10.0.0.1:80")).await;
    }
    let names = async |settings: ServiceCenterSettings, namespace: &str| {
        let route = harness.route_with(settings).await;
        let running = Running::start(route, Patterns::everywhere(&["*"], &["*"]), namespace);
        running.complete(LIMIT).await;
        let names: Vec<String> = running.view.services().into_iter().map(|key| key.to_string()).collect();
        running.end().await;
        names
    };
    let production =
        ServiceCenterSettings { environment: "production".to_owned(), ..ServiceCenterSettings::default() };
    assert_eq!(names(production, "default").await, Vec::<String>::new(), "it is there in production");
    assert_eq!(names(ServiceCenterSettings::default(), "default").await.len(), 2);
    let shop =
        ServiceCenterSettings { namespaces: vec!["shop".to_owned()], ..ServiceCenterSettings::default() };
    let names = names(shop, "shop").await;
    assert!(names.len() == 1 && names[0].contains("shop"), "{names:?}");
}

/// A service that is removed, and one that only lost its instances.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_removed_is_gone_and_comes_back() {
    let harness = ServiceCenterHarness::plain().await;
    let orders = Inst::new("orders", "10.0.0.1", 80);
    harness.put("shop", &orders).await;
    let running = watched(&harness, "shop", &["*"]).await;
    let listed = || running.view.reading(&running.key("orders")).is_some_and(|reading| reading.listed);
    harness.remove("shop", &orders).await;
    running.shows(&harness, "orders", &[]).await;
    assert!(listed(), "it is still registered");
    let http = harness.http().await;
    let service = registration("shop", &orders).service;
    http.delete_service(&harness.id(&service).await).await.unwrap();
    let until = Instant::now() + LIMIT;
    while listed() {
        assert!(Instant::now() < until, "it is still listed");
        sleep(Duration::from_millis(5)).await;
    }
    assert!(running.view.unknowns().is_empty(), "{:?}", running.view.unknowns());
    let id = http.create(&service).await.unwrap();
    http.register(&id, &registration("shop", &orders)).await.unwrap();
    running.shows(&harness, "orders", &[orders]).await;
    running.end().await;
}

async fn tls_route(
    harness: &ServiceCenterHarness,
    ca: &str,
    insecure: bool,
) -> (Route, tempfile::NamedTempFile) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(ca.as_bytes()).unwrap();
    let proxy = Proxy::start_on(0, &harness.address, Some(tls::server_config().unwrap())).await.unwrap();
    let tls = Some(Tls { ca_file: Some(file.path().to_owned()), insecure_skip_verify: insecure });
    let addresses = vec![format!("localhost:{}", proxy.port())];
    let settings = ServiceCenterSettings { addresses, tls, ..ServiceCenterSettings::default() };
    (Route { source: Arc::new(ServiceCenter::new(settings).unwrap()), proxies: vec![proxy] }, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_trusts_the_configured_authority_and_no_other() {
    let harness = ServiceCenterHarness::plain().await;
    let orders = [Inst::new("orders", "10.0.0.1", 80)];
    harness.put("shop", &orders[0]).await;
    for (ca, insecure) in [(tls::CA, false), (tls::OTHER_CA, true)] {
        let (route, _file) = tls_route(&harness, ca, insecure).await;
        let running = Running::start(route, Patterns::of("shop", &["*"]), "shop");
        running.complete(LIMIT).await;
        running.shows(&harness, "orders", &orders).await;
        running.end().await;
    }
    let (route, _file) = tls_route(&harness, tls::OTHER_CA, false).await;
    let running = Running::start(route, Patterns::of("shop", &["*"]), "shop");
    let reasons = running.is_unknown(LIMIT, true).await;
    assert!(reasons[0].contains("certificate"), "{reasons:?}");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_address_takes_over() {
    let harness = ServiceCenterHarness::plain().await;
    let orders = [Inst::new("orders", "10.0.0.1", 80)];
    harness.put("shop", &orders[0]).await;
    let gone = Proxy::start(&harness.address).await.unwrap();
    let stays = Proxy::start(&harness.address).await.unwrap();
    let addresses = vec![gone.address(), stays.address()];
    let settings = ServiceCenterSettings { addresses, ..ServiceCenterSettings::default() };
    let route = Route { source: Arc::new(ServiceCenter::new(settings).unwrap()), proxies: vec![stays] };
    let running = Running::start(route, Patterns::of("shop", &["*"]), "shop");
    running.complete(LIMIT).await;
    let mut events = running.view.subscribe();
    drop(gone);
    let changed = [orders[0].clone().weight(7.0)];
    harness.put("shop", &changed[0]).await;
    running.shows(&harness, "orders", &changed).await;
    let told: Vec<ViewEvent> = std::iter::from_fn(|| events.try_recv().ok()).collect();
    assert_eq!(told, [ViewEvent::Service(running.key("orders"))], "nothing was unknown");
    running.end().await;
}
