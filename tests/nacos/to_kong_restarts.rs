//! Nacos restarts, and what it forgets: no live instance ever leaves Kong. Each has a server of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use causeway_test_support::Ports;
use causeway_test_support::kong::{Commit, Kind, KongStandIn, Operation};
use causeway_test_support::nacos::{Beats, NacosHttp, NacosOptions, NacosServer, Registration};
use tokio::time::{Instant, sleep, sleep_until};

use crate::causeway::{Causeway, RunningCauseway};

/// A patience that a busy machine needs; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(60);
const SERVICES: [&str; 4] = ["a", "b", "c", "d"];

fn config(nacos: &str, kong: &KongStandIn, admin: &Ports, hold: Duration) -> String {
    let (admin, hold) = (admin.base(), hold.as_secs());
    format!(
        r#"
version: 1
admin: {{ listen: "127.0.0.1:{admin}" }}
registries: [ {{ name: nacos, type: nacos, addresses: ["{nacos}"], protect: {{ hold: {hold}s }} }} ]
gateways: [ {{ name: kong, type: kong, addresses: ["{kong}"], retire_after: 2s }} ]
tasks: [ {{ name: t, source: nacos, destination: kong, match: [ {{ namespace: empty_ns, service: "*" }} ] }} ]
"#,
        kong = kong.admin_url()
    )
}

/// A port that commands find Causeway at.
fn admin_port() -> Ports {
    Ports::reserve("Causeway", &[0]).unwrap()
}

/// Every write that reaches Kong, as `METHOD path`.
fn record_writes(kong: &KongStandIn) -> Arc<std::sync::Mutex<Vec<String>>> {
    let writes = Arc::new(std::sync::Mutex::new(Vec::new()));
    let into = Arc::clone(&writes);
    kong.on_commit(move |commit| into.lock().unwrap().push(format!("{commit:?}")));
    writes
}

fn all_targets(kong: &KongStandIn) -> BTreeSet<(String, String)> {
    let named = |service: &str| format!("nacos.empty_ns.{service}.default");
    let each = SERVICES.iter().flat_map(|service| {
        let addresses = kong.weights(&named(service)).into_keys();
        addresses.map(move |address| ((*service).to_owned(), address))
    });
    each.collect()
}

const RECOVERED: &str = "can be read again";

/// Waits until these words have been logged.
async fn until_said(running: &RunningCauseway, since: usize, words: &str) {
    let begun = Instant::now();
    while !running.log()[since..].contains(words) {
        assert!(begun.elapsed() < PATIENCE, "{words}: {}", running.log());
        sleep(Duration::from_millis(100)).await;
    }
}

/// A server of the test's own.
async fn nacos() -> NacosServer {
    NacosServer::start(NacosOptions::default()).await.unwrap()
}

async fn register(http: &NacosHttp, service: &str, host: u8, version: &str) -> Registration {
    let instance = Registration::new("", service, &format!("10.0.0.{host}"), 8080).with("version", version);
    http.register(&instance).await.unwrap();
    instance
}

/// Four services of three instances each stand in Kong, and Causeway has been started anew on them, so that levels are known.
async fn fleet(http: &NacosHttp) -> Vec<Registration> {
    let mut all = Vec::new();
    for (s, service) in SERVICES.iter().enumerate() {
        for i in 0..3 {
            let host = u8::try_from(s * 10 + i).unwrap();
            all.push(register(http, service, host, "1").await);
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn nacos_comes_back_empty_and_its_clients_one_by_one() {
    let (mut nacos, kong) = (nacos().await, KongStandIn::start().await);
    let all = fleet(&nacos.http()).await;
    let (admin, hold) = (admin_port(), Duration::from_secs(60));
    let causeway = Causeway::with(&config(&nacos.address(), &kong, &admin, hold));
    let mut first = causeway.run();
    assert!(kong.wait_until(PATIENCE, |kong| all_targets(kong).len() == 12).await, "{}", first.log());
    assert!(first.terminate().await.success());
    let running = causeway.run();
    running.until_ready().await;
    let complete = all_targets(&kong);
    let writes = record_writes(&kong);

    let before = running.log().len();
    nacos.start_again(true).await.unwrap();
    let http = nacos.http();
    until_said(&running, before, RECOVERED).await;
    let recovered = Instant::now();
    let mut beats = Vec::new();
    // The last ones are back when half of the hold has passed.
    for instance in all.chunks(2) {
        sleep(hold / 12).await;
        beats.push(Beats::start(http.clone(), instance.to_vec(), Duration::from_secs(5)));
        assert_eq!(all_targets(&kong), complete, "{}", running.log());
    }
    sleep_until(recovered + hold + Duration::from_secs(5)).await;
    assert_eq!(all_targets(&kong), complete, "{}", running.log());
    assert_eq!(*writes.lock().unwrap(), Vec::<String>::new(), "nothing is written: {}", running.log());
    drop(beats);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_back_until_a_person_releases_it() {
    let (mut nacos, kong) = (nacos().await, KongStandIn::start().await);
    let all = fleet(&nacos.http()).await;
    let (admin, hold) = (admin_port(), Duration::from_secs(5));
    let causeway = Causeway::with(&config(&nacos.address(), &kong, &admin, hold));
    let mut first = causeway.run();
    assert!(kong.wait_until(PATIENCE, |kong| all_targets(kong).len() == 12).await, "{}", first.log());
    assert!(first.terminate().await.success());
    let running = causeway.run();
    running.until_ready().await;

    // A single service that is emptied goes after the hold: its loss alone opens no breaker. Nacos may push once or
    // thrice for the three, and those before the last go at once.
    kong.reset_counts();
    for instance in &all[..2] {
        nacos.http().deregister(instance).await.unwrap();
    }
    let last = Instant::now();
    nacos.http().deregister(&all[2]).await.unwrap();
    assert!(kong.wait_until(PATIENCE, |kong| all_targets(kong).len() == 9).await, "{}", running.log());
    let is_removal =
        |commit: &&Commit| (commit.kind, commit.operation) == (Kind::Targets, Operation::Deleted);
    let held = kong.commits().iter().rfind(is_removal).unwrap().at - last;
    assert!(held >= hold, "the last of them is held, for {held:?}: {}", running.log());

    let before = running.log().len();
    nacos.start_again(true).await.unwrap();
    until_said(&running, before, RECOVERED).await;
    until_said(&running, before, "vanished at once").await;
    sleep(hold * 4).await;
    assert_eq!(all_targets(&kong).len(), 9, "the breaker holds them: {}", running.log());
    let (code, told, errors) = causeway.call(&["release", "nacos"]).await;
    assert_eq!(code, 0, "{told}{errors}");
    assert!(kong.wait_until(PATIENCE, |kong| all_targets(kong).is_empty()).await, "{}", running.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn nacos_back_with_its_data_costs_no_write() {
    let (mut nacos, kong) = (nacos().await, KongStandIn::start().await);
    let mut instance = Registration::new("", "a", "10.0.0.1", 8080);
    instance.ephemeral = false;
    nacos.http().register(&instance).await.unwrap();
    let (admin, hold) = (admin_port(), Duration::from_secs(5));
    let causeway = Causeway::with(&config(&nacos.address(), &kong, &admin, hold));
    let running = causeway.run();
    let stands = |kong: &KongStandIn| all_targets(kong).len() == 1 && kong.services().len() == 1;
    assert!(kong.wait_until(PATIENCE, stands).await, "{}", running.log());
    let writes = record_writes(&kong);
    let before = running.log().len();
    nacos.start_again(false).await.unwrap();
    until_said(&running, before, RECOVERED).await;
    sleep(hold + Duration::from_secs(3)).await;
    assert_eq!(*writes.lock().unwrap(), Vec::<String>::new(), "{}", running.log());
}
