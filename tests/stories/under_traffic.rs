//! Retiring while Kong's workers carry requests and change over late.

use std::time::Duration;

use causeway_test_support::kong::{Fault, Kind, KongStandIn, Operation, Outage, Scope, Unserved, Workers};
use http::Method;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::document::Document;
use crate::example;
use crate::stage::{Stage, of_version};

/// How late a worker changes over at most; `retire_after` is a little more. Both are 15 times less than they would be.
const LATENESS: Duration = Duration::from_millis(900);
const IN_TIME: &str = "1s";
const WORKERS: usize = 4;
/// So late that none changes over before an upstream is deleted that goes at once, however slow the machine.
const HOURS: Duration = Duration::from_secs(3600);

fn document(retire_after: &str, services: &str, groups: &str) -> String {
    let entry = &format!(r#"namespace: default, service: "{services}", groups: [ {groups} ]"#);
    Document { hold: "200ms", retire_after, entry, ..Document::default() }.text()
}

const FIRST_GROUPS: &str =
    r#"{ name: v1, metadata: { version: "1" } }, { name: v2, metadata: { version: "2" } }"#;
/// `v1` under another name, and no `v2`.
const RENAMED: &str = r#"{ name: stable, metadata: { version: "1" } }"#;

/// So many services of each kind: those whose names begin with `a` leave the registry, those with `b` lose their entry, those with
/// `c` stay. A person's service leads to a group of each.
struct Fleet(usize);

impl Fleet {
    fn of(&self, kind: &str) -> Vec<String> {
        (0..self.0).map(|n| format!("{kind}{n:02}")).collect()
    }

    fn all(&self) -> Vec<String> {
        ["a", "b", "c"].iter().flat_map(|kind| self.of(kind)).collect()
    }

    /// The names in Kong of what is asked for: each service, and the person's beside it.
    fn asked_for(&self) -> Vec<String> {
        self.all()
            .into_iter()
            .flat_map(|name| [format!("r.default.{name}"), format!("shop.{name}")])
            .collect()
    }
}

fn put_shops(stage: &Stage, fleet: &Fleet) {
    for name in fleet.all() {
        let host = format!("r.default.{name}.v1");
        stage.kong.seed(Kind::Services, &json!({ "name": format!("shop.{name}"), "host": host }));
    }
}

/// A person leads their services elsewhere.
fn lead_shops(stage: &Stage, names: &[String], host: impl Fn(&str) -> String) {
    for name in names {
        let body = json!({ "host": host(name) });
        let (status, answer) = stage.kong.direct(&Method::PATCH, &format!("/services/shop.{name}"), &body);
        assert_eq!(status, 200, "{answer}");
    }
}

async fn until_gone(stage: &Stage, names: &[String], group: &str) {
    stage
        .until(&format!("the upstreams {group} of {}… are gone", names[0]), |kong| {
            let stands =
                |name: &String| kong.entity(Kind::Upstreams, &format!("r.default.{name}.{group}")).is_some();
            !names.iter().any(stands)
        })
        .await;
}

async fn until_stands(stage: &Stage, names: &[String], group: &str) {
    stage
        .until(&format!("the groups {group} stand"), |kong| {
            names.iter().all(|name| kong.weights(&format!("r.default.{name}.{group}")).len() == 1)
        })
        .await;
}

/// Everything that makes upstreams retire: a group renamed while somebody uses it, one dropped, services that leave, an entry
/// that goes.
async fn retire_in_many_ways(stage: &Stage, fleet: &Fleet, retire_after: &str) {
    let all = fleet.all();
    stage.ready(&document(retire_after, "*", FIRST_GROUPS)).await.stop().await;
    let deployment = stage.ready(&document(retire_after, "*", RENAMED)).await;
    until_stands(stage, &all, "stable").await;
    lead_shops(stage, &all, |name| format!("r.default.{name}.stable"));
    until_gone(stage, &all, "v1").await;
    until_gone(stage, &all, "v2").await;

    let leaving = fleet.of("a");
    lead_shops(stage, &leaving, |name| format!("r.default.{}.stable", name.replace('a', "c")));
    leaving.iter().for_each(|name| stage.deregister(name));
    until_gone(stage, &leaving, "default").await;
    until_gone(stage, &leaving, "stable").await;
    deployment.stop().await;

    let unmatched = fleet.of("b");
    let deployment = stage.deploy(&document(retire_after, "c*", RENAMED));
    lead_shops(stage, &unmatched, |name| format!("r.default.{}.stable", name.replace('b', "c")));
    until_gone(stage, &unmatched, "default").await;
    until_gone(stage, &unmatched, "stable").await;
    deployment.stop().await;
}

/// Asks for everything again and again until `stop`: how often it was served, and what failed.
async fn ask(workers: Workers, names: Vec<String>, stop: CancellationToken) -> (usize, Vec<String>) {
    let (mut served, mut failed) = (0, Vec::new());
    while !stop.is_cancelled() {
        for name in &names {
            match workers.request(name) {
                Ok(_) => served += 1,
                // It is not there yet, or has gone by intent.
                Err(Unserved::NoRoute) => {}
                Err(answer) => failed.push(format!("{name}: {answer:?}")),
            }
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    (served, failed)
}

struct Seen {
    retired: usize,
    served: usize,
    failed: Vec<String>,
    outages: Vec<Outage>,
}

fn retired(kong: &KongStandIn) -> usize {
    let commits = kong.commits();
    commits.iter().filter(|it| it.kind == Kind::Upstreams && it.operation == Operation::Deleted).count()
}

async fn seen_while_retiring(fleet: Fleet, retire_after: &str, lateness: Duration) -> Seen {
    let stage = Stage::new().await;
    for (n, name) in fleet.all().iter().enumerate() {
        let host = |version: &str| of_version(&format!("10.{version}.0.{n}"), version);
        stage.register(name, [host("1"), host("2")]);
    }
    stage.ready(&document(retire_after, "*", FIRST_GROUPS)).await.stop().await;
    put_shops(&stage, &fleet);
    stage.kong.faults().set_seed(7);
    stage.kong.faults().chance(Scope::Writes, 0.05, Fault::Status(500));
    let workers = stage.kong.start_workers(WORKERS, lateness, 42);
    let stop = CancellationToken::new();
    let asking = tokio::spawn(ask(workers.clone(), fleet.asked_for(), stop.clone()));
    retire_in_many_ways(&stage, &fleet, retire_after).await;
    stop.cancel();
    let (served, failed) = asking.await.unwrap();
    workers.catch_up();
    Seen { retired: retired(&stage.kong), served, failed, outages: workers.outages() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_meets_a_missing_upstream_over_a_hundred_retirements() {
    let seen = seen_while_retiring(Fleet(15), IN_TIME, LATENESS).await;
    assert!(seen.retired >= 100, "{} retirements", seen.retired);
    assert!(seen.served > 10_000, "{} requests", seen.served);
    assert_eq!(seen.failed, [""; 0]);
    assert!(seen.outages.is_empty(), "nor could any have failed: {:#?}", seen.outages);
}

/// The test above can fail: without the wait it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_wait_workers_that_are_late_meet_missing_upstreams() {
    let seen = seen_while_retiring(Fleet(5), "0s", HOURS).await;
    let missing = |outage: &&Outage| outage.answer == Unserved::NameResolutionFailed;
    let services = seen.outages.iter().filter(missing).map(|outage| &outage.service);
    let services: std::collections::BTreeSet<_> = services.collect();
    assert!(services.len() >= 10, "{services:?}");
    assert!(seen.retired >= 30, "{} retirements", seen.retired);
    assert!(services.iter().any(|name| name.starts_with("shop.")), "{services:?}");
    assert!(services.iter().any(|name| name.starts_with("r.default.")), "{services:?}");
}

/// polaris-sync's example, in which `default` is an upstream of the user's own.
fn with_an_own_default() -> String {
    let document = example::document();
    let groups = r#""groups": ["#;
    assert_eq!(document.matches(groups).count(), 1);
    document.replace(groups, &format!(r#"{groups} {{ "name": "default", "upstreamName": "my-own" }},"#))
}

/// A write that fails for longer than an upstream is kept: that time begins only when it has succeeded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_cannot_be_moved_for_long_keeps_its_upstream_until_it_has_moved() {
    let retire_after = LATENESS + Duration::from_millis(100);
    let name = "ins-3ad0f6e6.empty_ns.test.service.3";
    let old = format!("{name}.default");
    let stage = Stage::new().await;
    let kong = &stage.kong;
    kong.seed(Kind::Upstreams, &json!({ "name": "my-own" }));
    stage.register_in("empty_ns", "test.service.3", [of_version("10.0.0.1", "1.0.0")]);
    let deployment = stage.deploy_holding(&example::document(), retire_after);
    deployment.until_ready().await;
    deployment.stop().await;

    let workers = kong.start_workers(WORKERS, LATENESS, 1);
    kong.faults().chance(Scope::On(Method::PATCH, "/services/".to_owned()), 1.0, Fault::Status(500));
    kong.reset_counts();
    let deployment = stage.deploy_holding(&with_an_own_default(), retire_after);
    let tried = |kong: &KongStandIn| kong.requests().iter().filter(|it| it.method == "PATCH").count();
    // Five tries a turn, which take longer than `retire_after`: the second turn has begun.
    stage.until("a second turn has tried it", |kong| tried(kong) > 6).await;
    kong.faults().clear();
    stage.until("the old upstream is gone", |kong| kong.entity(Kind::Upstreams, &old).is_none()).await;
    workers.settle().await;
    assert!(workers.outages().is_empty(), "{:#?}", workers.outages());
    assert_eq!(workers.request(name).unwrap(), "my-own");
    let at = |kind, operation, entity: &str| {
        let commits = kong.commits();
        let found = commits
            .iter()
            .find(|it| it.kind == kind && it.operation == operation && it.entity()["name"] == entity);
        found.unwrap().at
    };
    let moved = at(Kind::Services, Operation::Updated, name);
    assert!(at(Kind::Upstreams, Operation::Deleted, &old) - moved >= retire_after);
    deployment.stop().await;
}
