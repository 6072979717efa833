//! Nacos restarts, and what it forgets: no live instance ever leaves Kong. Each has a server of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use causeway_test_support::http_client;
use causeway_test_support::kong::KongStandIn;
use causeway_test_support::nacos::{Beats, NacosHttp, NacosOptions, NacosServer, Registration};
use tokio::time::{Instant, sleep};

use crate::causeway::{Causeway, RunningCauseway};

/// A patience that a busy machine needs; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(60);
const SERVICES: [&str; 4] = ["a", "b", "c", "d"];

fn config(nacos: &str, kong: &KongStandIn, admin: u16, hold: u64) -> String {
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

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
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

async fn until_recovered(running: &RunningCauseway, since: usize) {
    let begun = Instant::now();
    while !running.log()[since..].contains("can be read again") {
        assert!(begun.elapsed() < PATIENCE, "{}", running.log());
        sleep(Duration::from_millis(100)).await;
    }
}

async fn until_ready(admin: u16, running: &RunningCauseway) {
    let begun = Instant::now();
    let url = format!("http://127.0.0.1:{admin}/readyz");
    while !http_client().get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
        assert!(begun.elapsed() < PATIENCE, "{}", running.log());
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
    let admin = free_port();
    let causeway = Causeway::with(&config(&nacos.address(), &kong, admin, 60));
    let mut first = causeway.run();
    assert!(kong.wait_until(PATIENCE, |kong| all_targets(kong).len() == 12).await, "{}", first.log());
    assert!(first.terminate().await.success());
    let running = causeway.run();
    until_ready(admin, &running).await;
    let complete = all_targets(&kong);
    let writes = record_writes(&kong);

    nacos.start_again(true).await.unwrap();
    let http = nacos.http();
    let mut beats = Vec::new();
    for instance in all.chunks(2) {
        sleep(Duration::from_secs(10)).await;
        beats.push(Beats::start(http.clone(), instance.to_vec(), Duration::from_secs(5)));
        assert_eq!(all_targets(&kong), complete, "{}", running.log());
    }
    sleep(Duration::from_secs(5)).await;
    assert_eq!(all_targets(&kong), complete, "{}", running.log());
    assert_eq!(*writes.lock().unwrap(), Vec::<String>::new(), "nothing is written: {}", running.log());
    drop(beats);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_back_until_a_person_releases_it() {
    let (mut nacos, kong) = (nacos().await, KongStandIn::start().await);
    let all = fleet(&nacos.http()).await;
    let admin = free_port();
    let causeway = Causeway::with(&config(&nacos.address(), &kong, admin, 5));
    let mut first = causeway.run();
    assert!(kong.wait_until(PATIENCE, |kong| all_targets(kong).len() == 12).await, "{}", first.log());
    assert!(first.terminate().await.success());
    let running = causeway.run();
    until_ready(admin, &running).await;

    // A single service that is emptied goes after the hold: its loss alone opens no breaker. Nacos may push once or
    // thrice for the three, and those before the last go at once.
    for instance in &all[..3] {
        nacos.http().deregister(instance).await.unwrap();
    }
    sleep(Duration::from_secs(3)).await;
    assert!(all_targets(&kong).len() > 9, "the last of them is held: {}", running.log());
    assert!(kong.wait_until(PATIENCE, |kong| all_targets(kong).len() == 9).await, "{}", running.log());

    let before = running.log().len();
    nacos.start_again(true).await.unwrap();
    until_recovered(&running, before).await;
    sleep(Duration::from_secs(20)).await;
    assert_eq!(all_targets(&kong).len(), 9, "the breaker holds them: {}", running.log());
    assert!(running.log()[before..].contains("vanished at once"), "{}", running.log());
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
    let admin = free_port();
    let causeway = Causeway::with(&config(&nacos.address(), &kong, admin, 5));
    let running = causeway.run();
    let stands = |kong: &KongStandIn| all_targets(kong).len() == 1 && kong.services().len() == 1;
    assert!(kong.wait_until(PATIENCE, stands).await, "{}", running.log());
    let writes = record_writes(&kong);
    let before = running.log().len();
    nacos.start_again(false).await.unwrap();
    until_recovered(&running, before).await;
    sleep(Duration::from_secs(8)).await;
    assert_eq!(*writes.lock().unwrap(), Vec::<String>::new(), "{}", running.log());
}
