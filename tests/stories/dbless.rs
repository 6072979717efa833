//! A Kong without a database: whole documents, for one node and for clusters of them.

use std::fs;
use std::time::Duration;

use causeway_test_support::kong::{KongStandIn, Recorded};
use http::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::program::{Desk, RunningCauseway, fleet};
use crate::registry::ModelRegistry;
use crate::stage::{LIMIT, Stage, instance, is_ours, until, weighing};

/// Two registries and a task for each, into a cluster of three.
const CLUSTER: &str = r#"
version: 1
owner: me
admin: { listen: "127.0.0.1:0" }
registries:
  - { name: r, type: file, path: services.yaml }
  - { name: q, type: file, path: others.yaml }
gateways: [ { name: kong, type: kong, addresses: NODES, retire_after: 200ms, timeout: 20s } ]
tasks:
  - { name: t, source: r, destination: kong, match: [ { namespace: default, service: "*" } ] }
  - { name: u, source: q, destination: kong, match: [ { namespace: default, service: "*" } ] }
methods: [ { type: watch, enable: true }, { type: pull, enable: true, interval: 2s } ]
health_check: { enable: false }
"#;

const OTHERS: &str = "services: [ { service: other, instances: [ { host: 10.9.0.1, port: 80 } ] } ]\n";

fn theirs() -> Value {
    json!({
        "_format_version": "3.0",
        "consumers": [{ "username": "bob" }],
        "services": [{ "name": "theirs", "host": "example.com", "routes": [{ "name": "r", "paths": ["/r"] }] }],
    })
}

async fn node() -> KongStandIn {
    let node = KongStandIn::builder().db_less().start().await;
    assert_eq!(node.direct(&Method::POST, "/config", &theirs()).0, 201);
    node
}

/// Documents never follow each other faster than a second, nor faster than the last one took, and a single one is not told
/// apart from many by what it costs: how many there are is a matter of how fast the plans come.
fn assert_few(documents: &[Recorded], services: usize) {
    assert!(
        !documents.is_empty() && documents.len() * 2 <= services,
        "{} documents for {services} services",
        documents.len()
    );
    for pair in documents.windows(2) {
        let ended = pair[0].answered_at.unwrap();
        let rest = (ended - pair[0].at).max(Duration::from_secs(1));
        assert!(pair[1].at >= ended + rest, "{:?} after the one before", pair[1].at - ended);
    }
}

fn documents(kong: &KongStandIn) -> Vec<Recorded> {
    kong.requests().into_iter().filter(|request| request.path.starts_with("/config?")).collect()
}

/// Everything that stands, without times and the ids of targets.
fn standing(kong: &KongStandIn) -> Vec<Value> {
    let mut all = [kong.services(), kong.routes(), kong.upstreams(), kong.all_targets()].concat();
    for entity in &mut all {
        let entity = entity.as_object_mut().unwrap();
        entity.retain(|field, _| !field.ends_with("_at"));
    }
    all
}

struct Cluster {
    desk: Desk,
    others: [KongStandIn; 2],
}

impl Cluster {
    async fn new() -> Self {
        let (first, others) = (node().await, [node().await, node().await]);
        let nodes: Vec<String> = others.iter().map(KongStandIn::admin_url).collect();
        let addresses = format!("[\"KONG\", \"{}\", \"{}\"]", nodes[0], nodes[1]);
        let desk = Desk::with(first, &CLUSTER.replace("NODES", &addresses));
        desk.write(&fleet(20));
        fs::write(desk.path("others.yaml"), OTHERS).unwrap();
        Self { desk, others }
    }

    fn nodes(&self) -> impl Iterator<Item = &KongStandIn> {
        std::iter::once(&self.desk.kong).chain(&self.others)
    }

    async fn until(&self, what: &str, program: &RunningCauseway, condition: impl Fn(&KongStandIn) -> bool) {
        until(what, || self.nodes().all(&condition), || program.log()).await;
    }

    /// Whether all nodes hold the same.
    fn is_one(&self) -> bool {
        let stands = standing(&self.desk.kong);
        self.nodes().all(|kong| standing(kong) == stands)
    }

    /// Causeway, when both tasks are everywhere.
    async fn started(&self) -> RunningCauseway {
        let program = self.desk.start();
        program.until_ready().await;
        self.until("both tasks are everywhere", &program, |kong| kong.services().len() == 22).await;
        program
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_takes_two_tasks_in_one_document_and_a_second_start_finds_it_so() {
    let cluster = Cluster::new().await;
    let mut program = cluster.started().await;
    assert_few(&documents(&cluster.desk.kong), 21);
    assert!(cluster.is_one());
    assert!(program.terminate().await.success());

    cluster.nodes().for_each(KongStandIn::reset_counts);
    let (code, plan, log) = cluster.desk.call(&["plan", "--exit-code"]).await;
    assert_eq!(code, 0, "{plan}{log}");
    let mut program = cluster.desk.start();
    program.until_ready().await;
    sleep(Duration::from_secs(3)).await;
    assert!(cluster.nodes().all(|kong| kong.writes() == 0), "{:?}", documents(&cluster.desk.kong));
    assert!(program.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_a_cluster_that_was_away_and_comes_back_empty_is_filled_again() {
    const LOST: [&str; 2] = ["WARN", "does not hold what it should"];
    let cluster = Cluster::new().await;
    let mut program = cluster.started().await;
    let away = &cluster.others[1];
    away.stop().await;
    program.until_told(1, &[LOST[0], LOST[1], &away.admin_url()]).await;
    let mut services = fleet(20);
    services.remove("s007");
    cluster.desk.write(&services);
    let has_gone = |kong: &KongStandIn| {
        kong.addr() == away.addr() || (kong.services().len(), kong.upstreams().len()) == (21, 20)
    };
    cluster.until("what is no longer registered has gone", &program, has_gone).await;
    let gateway = program.status().await["gateways"][0].take();
    let states: Vec<&Value> =
        gateway["nodes"].as_array().unwrap().iter().map(|node| &node["state"]).collect();
    assert_eq!(
        (gateway["state"].as_str(), json!(states)),
        (Some("ready"), json!(["ready", "ready", "failing"]))
    );

    let sent = documents(&cluster.desk.kong).len();
    away.restart_empty().await;
    cluster.until("it is filled again", &program, |kong| kong.services().len() == 21).await;
    assert!(cluster.is_one());
    assert_eq!(documents(&cluster.desk.kong).len(), sent, "the others were left alone");
    program.until_told(1, &["INFO", "the node answers again"]).await;
    assert_eq!(program.told(&LOST), 1, "{}", program.log());
    assert!(program.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_has_not_answered_yet_loses_nothing_and_neither_do_leftovers() {
    let cluster = Cluster::new().await;
    let mut program = cluster.started().await;
    assert!(program.terminate().await.success());

    let of_the_other = |kong: &KongStandIn| {
        let all = standing(kong).into_iter();
        all.filter(|entity| {
            entity.to_string().contains("10.9.0.1") || entity.to_string().contains("q.default.other")
        })
        .collect::<Vec<_>>()
    };
    let before = of_the_other(&cluster.desk.kong);
    assert_eq!(before.len(), 3);
    fs::write(cluster.desk.path("others.yaml"), "services: [").unwrap();
    cluster.desk.write(&fleet(25));
    let mut program = cluster.desk.start();
    cluster
        .until("the first source's services are there", &program, |kong| kong.services().len() == 27)
        .await;
    assert!(cluster.nodes().all(|kong| of_the_other(kong) == before));
    assert!(program.terminate().await.success());

    // Its task is configured no more: what it left stays, and is told.
    let task = CLUSTER.lines().find(|line| line.contains("name: u")).unwrap();
    cluster.desk.configure(task, "");
    cluster.desk.write(&fleet(26));
    let mut program = cluster.desk.start();
    cluster.until("a service more is there", &program, |kong| kong.services().len() == 28).await;
    assert!(cluster.nodes().all(|kong| of_the_other(kong) == before));
    assert_eq!(program.status().await["gateways"][0]["leftovers"], json!(["u"]));
    assert!(program.terminate().await.success());
}

const ONE_NODE: &str = r#"
version: 1
owner: me
registries: [ { name: r, type: nacos, addresses: ["127.0.0.1:1"] } ]
gateways: [ { name: kong, type: kong, addresses: ["KONG"], timeout: 60s } ]
tasks: [ { name: t, source: r, destination: kong, match: [ { namespace: default, service: "*" } ] } ]
methods: [ { type: watch, enable: true }, { type: pull, enable: false } ]
health_check: { enable: false }
"#;

/// Whether so many targets stand there, all of one weight.
fn all_weigh(kong: &KongStandIn, weight: u64, count: usize) -> bool {
    // To look at all of them takes a while.
    let last = kong.weights("r.default.s499.default");
    last.values().all(|it| u64::try_from(*it) == Ok(weight)) && {
        let targets = kong.all_targets();
        targets.len() == count && targets.iter().all(|target| target["weight"] == weight)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_targets_that_change_within_a_second_cost_few_documents() {
    const SERVICES: usize = 500;
    causeway_gateways::http::install_crypto();
    let stage = Stage { kong: node().await, registry: ModelRegistry::default() };
    let register = |n: usize, ratio: f64| {
        let host = |k: usize| weighing(instance(&format!("10.{}.{}.{k}", n / 250, n % 250)), ratio);
        stage.register(&format!("s{n:03}"), (0..10).map(host));
    };
    (0..SERVICES).for_each(|n| register(n, 1.0));
    let deployment = stage.ready(ONE_NODE).await;
    assert_eq!(stage.kong.all_targets().len(), 10 * SERVICES);
    assert_few(&documents(&stage.kong), SERVICES);

    stage.kong.reset_counts();
    let begun = Instant::now();
    for n in 0..SERVICES {
        register(n, 0.5);
        if n % 25 == 24 {
            sleep(Duration::from_millis(45)).await;
        }
    }
    while !all_weigh(&stage.kong, 50, 10 * SERVICES) {
        assert!(begun.elapsed() < LIMIT, "{}", stage.dump());
        sleep(Duration::from_millis(100)).await;
    }
    assert_few(&documents(&stage.kong), SERVICES);
    assert!(stage.kong.services().iter().filter(|service| !is_ours(service)).count() == 1);
    deployment.stop().await;
}
