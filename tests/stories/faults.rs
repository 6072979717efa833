//! A Kong that fails in every way the stand-in knows, one that refuses the token, and one that is away.

use std::collections::BTreeMap;
use std::time::Duration;

use causeway_test_support::kong::{Fault, KongStandIn, Scope};

use crate::program::{Desk, RunningCauseway, TOKEN, fleet};
use crate::stage::{LIMIT, Stage, of_version};

const CONFIG: &str = r#"
version: 1
owner: me
registries: [ { name: r, type: nacos, addresses: ["127.0.0.1:1"], protect: { hold: 300ms, max_shrink: 1 } } ]
gateways: [ { name: kong, type: kong, addresses: ["KONG"], retire_after: 200ms, timeout: 1s } ]
tasks:
  - name: t
    source: r
    destination: kong
    match: [ { namespace: default, service: "*", groups: [ { name: v1, metadata: { version: "1" } } ] } ]
methods: [ { type: watch, enable: true }, { type: pull, enable: true, interval: 500ms } ]
health_check: { enable: false }
"#;

/// One request in five fails, in all ways together.
fn fail_in_every_way(kong: &KongStandIn, seed: u64) {
    let faults = kong.faults();
    faults.set_seed(seed);
    for (chance, fault) in [
        (0.03, Fault::Status(500)),
        (0.03, Fault::Status(503)),
        (0.01, Fault::Status(502)),
        (0.01, Fault::Status(504)),
        (0.02, Fault::TooManyRequests(Duration::from_secs(1))),
        (0.03, Fault::Reset),
        (0.01, Fault::Hang),
        (0.01, Fault::Slow(Duration::from_millis(300))),
        (0.03, Fault::LostAnswer),
        (0.03, Fault::TruncatedBody),
    ] {
        faults.chance(Scope::All, chance, fault);
    }
}

fn weights(services: usize, hosts: &[&str]) -> BTreeMap<String, i64> {
    let of = |n: usize| hosts.iter().map(move |host| (format!("s{n:02} {host}:8080"), 100));
    (0..services).flat_map(of).collect()
}

fn standing(kong: &KongStandIn, services: usize) -> BTreeMap<String, i64> {
    let of = |n: usize| {
        let targets = kong.weights(&format!("r.default.s{n:02}.default")).into_iter();
        targets.map(move |(target, weight)| (format!("s{n:02} {target}"), weight))
    };
    (0..services).flat_map(of).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_converges_while_one_request_in_five_fails_and_then_writes_nothing() {
    const SERVICES: usize = 30;
    let stage = Stage::new().await;
    fail_in_every_way(&stage.kong, 7);
    let register = |services: usize, versions: [&str; 2]| {
        let hosts = [format!("10.0.{}.1", versions[0]), format!("10.0.{}.2", versions[1])];
        for n in 0..services {
            let both = hosts.iter().zip(versions).map(|(host, version)| of_version(host, version));
            stage.register(&format!("s{n:02}"), both);
        }
    };
    register(SERVICES, ["1", "2"]);
    let deployment = stage.deploy(CONFIG);
    let first = weights(SERVICES, &["10.0.1.1", "10.0.2.2"]);
    stage.until("the first state stands", |kong| standing(kong, SERVICES) == first).await;

    (20..SERVICES).for_each(|n| stage.deregister(&format!("s{n:02}")));
    register(20, ["2", "1"]);
    let second = weights(20, &["10.0.2.1", "10.0.1.2"]);
    let retired = |kong: &KongStandIn| {
        standing(kong, SERVICES) == second && kong.upstreams().len() == 40 && kong.services().len() == 20
    };
    stage.until("the second state stands, and what is unwanted has gone", retired).await;
    deployment.until("nothing fails", |status| status.tasks[0].failing.is_empty()).await;
    deployment.after_audits(1).await;

    stage.kong.reset_counts();
    deployment.after_audits(3).await;
    assert_eq!(stage.writes(), [""; 0]);
    assert!(retired(&stage.kong));
    stage.kong.faults().clear();
    deployment.after_audits(3).await;
    assert_eq!(stage.writes(), [""; 0]);
    deployment.stop().await;
}

const CANNOT: [&str; 2] = ["WARN", "cannot be worked with"];
const AGAIN: [&str; 2] = ["INFO", "answers again"];

/// Waits for a line, and then long enough for what would be told again with each try.
async fn told_once(program: &RunningCauseway, times: usize, words: &[&str]) {
    program.until_told(times, words).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(program.told(words), times, "{}", program.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_token_and_an_absent_kong_are_told_once_and_recovered_from() {
    let desk = Desk::new(KongStandIn::builder().token("another").start().await, "").await;
    desk.write(&fleet(5));
    let mut program = desk.start();
    told_once(&program, 1, &CANNOT).await;
    assert_eq!(program.told(&["the token is refused"]), 1, "{}", program.log());
    let status = program.status().await;
    assert_eq!(status["gateways"][0]["state"], "failing");
    assert!(status["gateways"][0]["error"].as_str().unwrap().contains("401"), "{status}");
    desk.kong.set_token(TOKEN);
    assert!(desk.kong.wait_until(LIMIT, |kong| kong.services().len() == 5).await);
    program.until_ready().await;
    assert_eq!((program.told(&CANNOT), program.told(&AGAIN)), (1, 1), "{}", program.log());

    desk.kong.stop().await;
    desk.write(&fleet(6));
    told_once(&program, 2, &CANNOT).await;
    desk.kong.restart().await;
    assert!(desk.kong.wait_until(LIMIT, |kong| kong.services().len() == 6).await);
    program.until_told(2, &AGAIN).await;

    desk.kong.set_token("another");
    told_once(&program, 3, &CANNOT).await;
    desk.write(&fleet(7));
    desk.kong.set_token(TOKEN);
    assert!(desk.kong.wait_until(LIMIT, |kong| kong.services().len() == 7).await);
    told_once(&program, 3, &AGAIN).await;
    assert_eq!((program.told(&["WARN"]), program.told(&["ERROR"])), (3, 0), "{}", program.log());
    assert!(!program.log().contains(TOKEN), "the token is never told");
    assert!(program.terminate().await.success());
}
