//! Audits, the admin server, and a graceful stop.

use std::collections::BTreeMap;
use std::time::Duration;

use causeway_test_support::kong::{Fault, KongStandIn, Scope};
use http::Method;
use serde_json::json;
use tokio::time::Instant;

use crate::program::{Desk, fleet};
use crate::stage::{LIMIT, Stage, instance};

fn document(audit: &str) -> String {
    format!(
        r#"
version: 1
owner: me
registries: [ {{ name: r, type: nacos, addresses: ["127.0.0.1:1"] }} ]
gateways: [ {{ name: kong, type: kong, addresses: ["KONG"] }} ]
tasks: [ {{ name: t, source: r, destination: kong, match: [ {{ service: "*" }} ] }} ]
methods: [ {{ type: watch, enable: true }}, {{ type: pull, enable: true, interval: {audit} }} ]
health_check: {{ enable: false }}
"#
    )
}

#[tokio::test]
async fn a_weight_changed_by_hand_is_put_right_within_a_rotation() {
    let stage = Stage::new().await;
    let names: Vec<String> = (0..5).map(|n| format!("s{n}")).collect();
    names.iter().for_each(|name| stage.register(name, ["10.0.0.1", "10.0.0.2"].map(instance)));
    let deployment = stage.ready(&document("1s")).await;
    for name in &names {
        let upstream = format!("r.default.{name}.default");
        let id = stage.kong.targets(&upstream)[0]["id"].as_str().unwrap().to_owned();
        let path = format!("/upstreams/{upstream}/targets/{id}");
        assert_eq!(stage.kong.direct(&Method::PATCH, &path, &json!({ "weight": 0 })).0, 200);
    }
    stage.kong.reset_counts();
    stage
        .until("all are put right", |kong| {
            names
                .iter()
                .all(|name| kong.weights(&format!("r.default.{name}.default")).values().all(|w| *w == 100))
        })
        .await;
    for name in &names {
        let times = stage.listed_until_written(&format!("r.default.{name}.default"));
        assert!(times <= 2, "one rotation was enough, and {name} was listed {times} times");
    }
    deployment.after_audits(2).await;
    assert_eq!(stage.writes().len(), 5, "{:?}", stage.writes());
    deployment.stop().await;
}

#[tokio::test]
async fn an_audit_without_findings_reads_each_list_once_and_writes_nothing() {
    const SERVICES: usize = 20;
    let stage = Stage::new().await;
    (0..SERVICES).for_each(|n| stage.register(&format!("s{n:02}"), [instance("10.0.0.1")]));
    let deployment = stage.ready(&document("1s")).await;
    deployment.after_audits(1).await;
    let (begun, before) = (Instant::now(), deployment.audits());
    stage.kong.reset_counts();
    deployment.after_audits(4).await;
    let (audits, all) = (deployment.audits() - before, stage.reads());
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(stage.writes(), [""; 0]);
    let mut reads: BTreeMap<String, u64> = BTreeMap::new();
    all.into_iter().for_each(|read| *reads.entry(read.path).or_default() += 1);
    // Where this thread stood still, an audit may have begun before its reads counted, and others after it was counted last.
    let about = audits - 1..=audits + 2;
    let lists = ["/services", "/routes", "/plugins", "/upstreams", "/tags/causeway.owner:me"];
    for list in lists.map(|list| format!("{list}?size=1000")) {
        let times = reads.remove(&list).unwrap_or_default();
        assert!(about.contains(&times), "{list} was read {times} times in {audits} audits");
    }
    let rotated: u64 = reads.iter().filter(|(path, _)| path.contains("/targets")).map(|(_, n)| n).sum();
    assert!(rotated as f64 <= seconds * 5.0 + 1.0, "{rotated} lists in {seconds} s");
    assert!(reads.keys().all(|path| path.starts_with("/upstreams/r.default.s")), "{reads:#?}");
    deployment.stop().await;
}

/// It is told to stop in the middle of a first pass.
async fn stopped_under_load(desk: &Desk) -> (Option<i32>, Duration, String) {
    desk.write(&fleet(200));
    let mut program = desk.start();
    assert!(desk.kong.wait_until(LIMIT, |kong| kong.writes() >= 100).await);
    // From here on it has no time to come to an end before it is told to stop, however long that takes.
    desk.kong.faults().set_latency(Duration::from_millis(200));
    let told = Instant::now();
    let status = program.terminate().await;
    (status.code(), told.elapsed(), program.log())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stops_within_ten_seconds_and_leaves_no_turn_half_done() {
    let desk = Desk::new(KongStandIn::start().await, "").await;
    desk.kong.faults().set_latency(Duration::from_millis(20));
    let (code, took, log) = stopped_under_load(&desk).await;
    // What takes longer by the program's own clock is cut off, and it says so by its exit code.
    assert_eq!(code, Some(0), "{log}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(log.contains("SIGTERM") && log.contains("stopped"), "{log}");
    let (services, upstreams) = (desk.kong.services(), desk.kong.upstreams());
    assert!((1..200).contains(&services.len()), "{} services", services.len());
    assert_eq!(upstreams.len(), 2 * services.len(), "what was begun was finished");
    assert_eq!(desk.kong.all_targets().len(), 3 * services.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kong_that_hangs_does_not_keep_it_from_stopping_and_what_was_cut_off_is_named() {
    let desk = Desk::new(KongStandIn::start().await, "").await;
    desk.write(&fleet(3));
    desk.kong.faults().chance(Scope::Writes, 1.0, Fault::Hang);
    let mut program = desk.start();
    assert!(desk.kong.wait_until(LIMIT, |kong| kong.writes() >= 3).await || desk.kong.writes() >= 3);
    let told = Instant::now();
    let status = program.terminate().await;
    let took = told.elapsed();
    assert_eq!(status.code(), Some(1), "{}", program.log());
    // It hangs for ever; ten seconds, and what a busy machine adds.
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert!(program.log().contains("default/s000 of task t"), "{}", program.log());
}

fn assert_stands(status: &serde_json::Value) {
    let ours = json!({ "upstreams": 6, "targets": 9, "services": 3, "routes": 0 });
    assert_eq!(status["gateways"][0]["ours"], ours);
    assert_eq!(status["registries"][0]["state"], "known");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_server_says_how_it_stands_to_those_who_may_know() {
    let desk = Desk::new(KongStandIn::start().await, ", token: admins-own").await;
    desk.kong.set_token("not yet");
    desk.write(&fleet(3));
    let mut program = desk.start();
    assert_eq!(program.get("/healthz").await, (200, "ok\n".to_owned()));
    let (code, why) = program.get("/readyz").await;
    assert_eq!((code, why.contains("task t: the gateway kong has not been read yet")), (503, true), "{why}");
    desk.kong.set_token(crate::program::TOKEN);
    program.until_ready().await;

    for path in ["/metrics", "/api/v1/status"] {
        assert_eq!(program.get(path).await.0, 401, "{path}");
        let wrong = program.admin(Method::GET, path).await.bearer_auth("admins-owm").send().await.unwrap();
        assert_eq!(wrong.status(), 401);
    }
    let get = async |path: &str| {
        let request = program.admin(Method::GET, path).await.bearer_auth("admins-own");
        request.send().await.unwrap().error_for_status().unwrap()
    };
    let status: serde_json::Value = get("/api/v1/status").await.json().await.unwrap();
    let task = &status["tasks"][0];
    assert_eq!((&task["state"], &task["services"], &task["done"]), (&"running".into(), &3.into(), &3.into()));
    assert_stands(&status);
    let metrics = get("/metrics").await;
    let form = metrics.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(form.starts_with("application/openmetrics-text"), "{form}");
    let metrics = metrics.text().await.unwrap();
    assert!(
        metrics.contains("causeway_gateway_up{gateway=\"kong\"} 1") && metrics.ends_with("# EOF\n"),
        "{metrics}"
    );

    let release = async |body: serde_json::Value, token: &str| {
        let request = program.admin(Method::POST, "/api/v1/release").await.bearer_auth(token).json(&body);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(release(json!({ "registry": "r" }), "wrong").await, 401);
    assert_eq!(release(json!({ "registry": "nobody" }), "admins-own").await, 404);
    assert_eq!(release(json!({ "registry": "r" }), "admins-own").await, 200);
    assert!(!program.log().contains("admins-own"));
    assert!(program.terminate().await.success());
}
