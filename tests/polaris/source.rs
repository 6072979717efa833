//! Polaris as a source, on the stand-in that answers as a real 1.18.1 was recorded to.

use std::sync::Arc;
use std::time::Duration;

use causeway::config::Tls;
use causeway::guard::Scope;
use causeway::model::ServiceKey;
use causeway::registries::polaris::{Polaris, PolarisSettings};
use causeway_test_support::polaris::{Fault, PolarisStandIn, Recorded, Scope as Struck};
use causeway_test_support::proxy::Proxy;
use causeway_test_support::tls;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::conformance::{Harness, Inst, Patterns, Route, Running, play, scenarios, stories};
use crate::harness::PolarisHarness;

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario() {
    let harness = PolarisHarness::start().await;
    let all = scenarios::all();
    futures::future::join_all(all.iter().map(|scenario| play(&harness, scenario))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet() {
    stories::a_fleet(&PolarisHarness::start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts() {
    let harness = PolarisHarness::start().await;
    stories::a_restart(&harness, true).await;
    stories::a_restart(&harness, false).await;
    stories::a_restart_between_two_questions(&harness).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_without_the_server() {
    stories::a_minute_without_the_server(&PolarisHarness::start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_swallows_everything() {
    stories::a_path_that_swallows_everything(&PolarisHarness::start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_wrong_then_right_then_revoked() {
    let harness = PolarisHarness::with(PolarisStandIn::builder().auth()).await;
    stories::credentials_wrong_then_right_then_revoked(&harness).await;
    let nobody = Running::start(harness.route().await, Patterns::everywhere(&["*"], &["*"]), "default");
    let reasons = nobody.is_unknown(harness.limit(), true).await;
    assert!(reasons[0].contains("wants a token") && reasons[0].contains("`token`"), "{reasons:?}");
    nobody.end().await;
}

async fn until(what: &str, harness: &PolarisHarness, holds: impl Fn() -> bool) {
    let until = Instant::now() + harness.limit();
    while !holds() {
        assert!(Instant::now() < until, "{what}: not within {:?}", harness.limit());
        sleep(Duration::from_millis(10)).await;
    }
}

async fn shows_hosts(running: &Running, key: &ServiceKey, hosts: &[&str]) {
    let until = Instant::now() + Duration::from_secs(40);
    loop {
        let reading = running.view.reading(key);
        let shown: Option<Vec<String>> = reading
            .map(|reading| reading.snapshot.instances.keys().map(|address| address.host.clone()).collect());
        if shown.as_deref().is_some_and(|shown| shown == hosts) {
            return;
        }
        assert!(
            Instant::now() < until,
            "{key} shows {shown:?}, not {hosts:?}: {:?}",
            running.view.unknowns()
        );
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_namespace_is_listed_and_those_that_are_configured_bound_it() {
    let harness = PolarisHarness::start().await;
    for (namespace, service) in [("one", "all-a"), ("two", "all-b"), ("two", "other")] {
        harness.put(namespace, &Inst::new(service, "10.0.0.1", 80)).await;
    }
    harness.settled().await;
    let everywhere = || Patterns::everywhere(&["*"], &["all-*"]);
    let running = Running::start(harness.route().await, everywhere(), "one");
    running.complete(harness.limit()).await;
    shows_hosts(&running, &ServiceKey::new("one", "all-a"), &["10.0.0.1"]).await;
    shows_hosts(&running, &ServiceKey::new("two", "all-b"), &["10.0.0.1"]).await;
    harness.put("three", &Inst::new("all-late", "10.0.0.2", 80)).await;
    shows_hosts(&running, &ServiceKey::new("three", "all-late"), &["10.0.0.2"]).await;
    assert!(running.view.services().iter().all(|key| key.service.starts_with("all-")));
    running.end().await;

    let settings = PolarisSettings {
        addresses: vec!["grpc://127.0.0.1:1".to_owned(), harness.server.address()],
        namespaces: vec!["two".to_owned()],
        ..PolarisSettings::default()
    };
    let route = Route { source: Arc::new(Polaris::new(settings).unwrap()), proxies: Vec::new() };
    let running = Running::start(route, everywhere(), "two");
    running.complete(harness.limit()).await;
    assert_eq!(running.view.services().into_iter().collect::<Vec<_>>(), [ServiceKey::new("two", "all-b")]);
    running.end().await;
}

/// The server is asked with the revision that it gave, every 200 to 500 ms, however many tasks want the service.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_unchanged_is_asked_for_with_its_revision_twice_to_five_times_a_second() {
    let harness = PolarisHarness::start().await;
    let orders = [Inst::new("orders", "10.0.0.1", 80)];
    harness.put("pace", &orders[0]).await;
    harness.settled().await;
    let running = Running::start(harness.route().await, Patterns::of("pace", &["*"]), "pace");
    running.complete(harness.limit()).await;
    let asked_for = |kind: &str| {
        let all = harness.server.requests().into_iter();
        all.filter(|request| request.body["type"] == kind).collect::<Vec<_>>()
    };
    let has_revision = |request: &Recorded| {
        request.body["service"]["revision"].as_str().is_some_and(|revision| revision.len() == 40)
    };
    let kinds = ["INSTANCE", "SERVICES"];
    let with_revisions = || kinds.iter().all(|kind| asked_for(kind).last().is_some_and(has_revision));
    until("both are asked for with what was last seen", &harness, with_revisions).await;
    harness.server.reset_counts();
    let often = || kinds.iter().all(|kind| asked_for(kind).len() > 20);
    until("both are asked for again and again", &harness, often).await;
    for kind in kinds {
        let asked = asked_for(kind);
        assert!(asked.iter().all(has_revision), "{asked:?}");
        // A machine that stands still for a while makes few of the gaps longer or shorter.
        let mut gaps: Vec<Duration> = asked.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
        gaps.sort();
        let usual = gaps[gaps.len() / 2];
        assert!((200..=500).contains(&usual.as_millis()), "{kind}: each {usual:?}");
    }
    let (connections, questions) = (running.proxies[0].ever_open(), running.proxies[0].answered());
    assert!(connections * 4 <= questions, "they are kept: {connections} for {questions} questions");
    running.end().await;
}

/// 600 services: the interval stretches, so that the server sees no more than 500 questions in any second, on few connections: those
/// of 16 questions, and as many at rest. Whoever asks when none is at rest begins one, and may be given another one first.
#[tokio::test(flavor = "multi_thread")]
async fn many_services_are_asked_for_at_a_bounded_rate() {
    let harness = PolarisHarness::start().await;
    for service in 0..600 {
        harness.put("rate", &Inst::new(&format!("s-{service}"), "10.0.0.1", 80)).await;
    }
    harness.settled().await;
    let running = Running::start(harness.route().await, Patterns::of("rate", &["*"]), "rate");
    running.complete(harness.limit()).await;
    until("each is asked for again", &harness, || harness.server.reads() >= 1300).await;
    let at: Vec<Instant> = harness.server.requests().iter().map(|request| request.at).collect();
    let within = |from: &Instant| {
        let after = at.iter().filter(|at| **at >= *from);
        after.filter(|at| **at < *from + Duration::from_secs(1)).count()
    };
    let most = at.iter().map(within).max().unwrap();
    assert!(most <= 500, "{most} in one second");
    until("spare connections are ended", &harness, || running.proxies[0].open() <= 16 + 16).await;
    running.end().await;
}

/// The console's lists are cut at 100 in silence; what is asked for here isn't.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_three_hundred_instances_is_whole() {
    let harness = PolarisHarness::start().await;
    let orders: Vec<Inst> = (1..=300).map(|port| Inst::new("orders", "10.0.0.1", port)).collect();
    for instance in &orders {
        harness.put("large", instance).await;
    }
    harness.settled().await;
    let running = Running::start(harness.route().await, Patterns::of("large", &["*"]), "large");
    running.complete(harness.limit()).await;
    running.was_first_told_with(&harness, "orders", &orders).await;
    running.end().await;
}

/// "There is no such service" is a complete reading; an error about one service is that service's alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_gone_is_told_apart_from_an_error() {
    let harness = PolarisHarness::start().await;
    for service in ["gone", "broken", "sound"] {
        harness.put("gone", &Inst::new(service, "10.0.0.1", 80)).await;
    }
    harness.settled().await;
    let running = Running::start(harness.route().await, Patterns::of("gone", &["*"]), "gone");
    running.complete(harness.limit()).await;
    let gone = json!({ "code": 400_202, "info": "not found resource" });
    let broken = json!({ "code": 500_000, "info": "the store is away" });
    let faults = harness.server.faults();
    faults.chance(Struck::Saying("\"name\":\"gone\"".into()), 1.0, Fault::Answer(400, gone));
    faults.chance(Struck::Saying("\"broken\"".into()), 1.0, Fault::Answer(500, broken));
    shows_hosts(&running, &running.key("gone"), &[]).await;
    let reasons = running.is_unknown(harness.limit(), true).await;
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert!(reasons[0].contains("gone/broken") && reasons[0].contains("the store is away"), "{reasons:?}");
    assert_eq!(running.view.unknowns().into_keys().next(), Some(Scope::Service(running.key("broken"))));
    shows_hosts(&running, &running.key("broken"), &["10.0.0.1"]).await;
    faults.clear();
    shows_hosts(&running, &running.key("gone"), &["10.0.0.1"]).await;
    running.is_unknown(harness.limit(), false).await;
    shows_hosts(&running, &running.key("sound"), &["10.0.0.1"]).await;
    running.end().await;
}

/// What the real server shows for ever is shown here too: nothing tells it from an instance that is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_is_shown_until_the_server_forgets_it() {
    let harness = PolarisHarness::start().await;
    let orders = [Inst::new("orders", "10.0.0.1", 80), Inst::new("orders", "10.0.0.2", 80)];
    for instance in &orders {
        harness.put("ghost", instance).await;
    }
    harness.server.skip(Duration::from_secs(10));
    let running = Running::start(harness.route().await, Patterns::of("ghost", &["*"]), "ghost");
    running.complete(harness.limit()).await;
    harness.delete_carelessly("ghost", &orders[1]);
    sleep(Duration::from_secs(3)).await;
    running.shows(&harness, "orders", &orders).await;
    harness.server.restart(false).await;
    running.shows(&harness, "orders", &orders[..1]).await;
    running.end().await;
}

/// The instance's own fields are metadata to groups, as the server has it.
#[tokio::test(flavor = "multi_thread")]
async fn fields_are_injected_into_the_metadata() {
    let harness = PolarisHarness::start().await;
    let item = json!({
        "namespace": "inject", "service": "s", "host": "10.0.0.1", "port": 80, "version": "v1",
        "metadata": { "version": "1.0.0", "own": "1" }, "location": { "region": "r", "zone": "z", "campus": "" },
    });
    harness.write("POST", "/naming/v1/instances", item);
    harness.settled().await;
    let running = Running::start(harness.route().await, Patterns::of("inject", &["*"]), "inject");
    running.complete(harness.limit()).await;
    shows_hosts(&running, &running.key("s"), &["10.0.0.1"]).await;
    let reading = running.view.reading(&running.key("s")).unwrap();
    let instance = reading.snapshot.instances.values().next().unwrap();
    let metadata = ["version", "region", "zone", "own"].map(|key| instance.metadata[key].as_str());
    assert_eq!(metadata, ["v1", "r", "z", "1"]);
    assert_eq!((instance.attributes["version"].as_str(), instance.attributes["zone"].as_str()), ("v1", "z"));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_of_several_addresses_serves() {
    let harness = PolarisHarness::start().await;
    let orders = [Inst::new("orders", "10.0.0.1", 80)];
    harness.put("several", &orders[0]).await;
    harness.settled().await;
    let (gone, stays) = (
        Proxy::start(&harness.server.address()).await.unwrap(),
        Proxy::start(&harness.server.address()).await.unwrap(),
    );
    let addresses = vec!["127.0.0.1:1".to_owned(), gone.address(), stays.address()];
    let source = Arc::new(Polaris::new(PolarisSettings { addresses, ..PolarisSettings::default() }).unwrap());
    let running =
        Running::start(Route { source, proxies: vec![stays] }, Patterns::of("several", &["*"]), "several");
    running.complete(harness.limit()).await;
    drop(gone);
    let changed = [orders[0].clone().weight(7.0)];
    harness.put("several", &changed[0]).await;
    running.shows(&harness, "orders", &changed).await;
    running.is_unknown(harness.limit(), false).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_trusts_the_configured_authority_and_no_other() {
    let harness = PolarisHarness::start().await;
    let orders = [Inst::new("orders", "10.0.0.1", 80)];
    harness.put("tls", &orders[0]).await;
    harness.settled().await;
    let folder = tempfile::tempdir().unwrap();
    for (name, ca, works) in [("ours", tls::CA, true), ("other", tls::OTHER_CA, false)] {
        let ca_file = folder.path().join(name);
        std::fs::write(&ca_file, ca).unwrap();
        let config = Some(tls::server_config().unwrap());
        let proxy = Proxy::start_on(0, &harness.server.address(), config).await.unwrap();
        let settings = PolarisSettings {
            addresses: vec![format!("localhost:{}", proxy.port())],
            tls: Some(Tls { ca_file: Some(ca_file), insecure_skip_verify: false }),
            ..PolarisSettings::default()
        };
        let route = Route { source: Arc::new(Polaris::new(settings).unwrap()), proxies: vec![proxy] };
        let running = Running::start(route, Patterns::of("tls", &["*"]), "tls");
        if works {
            running.complete(harness.limit()).await;
            running.shows(&harness, "orders", &orders).await;
        } else {
            let reasons = running.is_unknown(harness.limit(), true).await;
            assert!(reasons[0].contains("certificate"), "{reasons:?}");
        }
        running.end().await;
    }
}
