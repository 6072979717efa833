//! What `why` says about one service, and where it has that from.

use std::time::Duration;

use causeway::reconcile::why::{Chain, State};
use causeway_test_support::kong::{Kind, KongStandIn};
use http::Method;
use serde_json::{Value, json};

use crate::program::{Desk, RunningCauseway};
use crate::stage::{Deployment, Stage, instance, of_version};

/// The node on the page about Kong.
const NODE: &str = "b574dd50-5c41-4fe8-8151-35af809e32bb";

const ORDERS: &str = r#"services:
  - service: orders
    instances:
      - { host: 10.0.0.1, port: 8080, weight: 200, metadata: { version: "1" } }
      - { host: 10.0.0.2, port: 8080, metadata: { version: "2" } }
      - { host: 10.0.0.3, port: 8080, enabled: false, metadata: { version: "1" } }
      - { host: orders.internal, port: 8080 }
"#;

async fn desk() -> Desk {
    let desk = Desk::new(KongStandIn::start().await, "").await;
    desk.write_text(ORDERS);
    desk
}

fn direct(kong: &KongStandIn, method: Method, path: &str, body: Value) {
    let (status, answer) = kong.direct(&method, path, &body);
    assert!(status < 300, "{method} {path}: {answer}");
}

/// What differs from run to run, in words.
fn settled(desk: &Desk, text: &str) -> String {
    let (_, root) = desk.kong.direct(&Method::GET, "/", &Value::Null);
    text.replace(&desk.kong.admin_url(), "KONG").replace(root["node_id"].as_str().unwrap(), "NODE")
}

/// The text of a one-shot answer without its first line, which names a port.
async fn told(desk: &Desk, service: &str) -> (i32, String) {
    let (code, text, errors) = desk.call(&["why", service]).await;
    let (first, rest) = text.split_once('\n').unwrap_or_else(|| panic!("{text}{errors}"));
    assert!(first.starts_with("told from a reading made now, since no Causeway answers at "), "{first}");
    (code, settled(desk, rest))
}

#[tokio::test]
async fn the_chain_of_a_service_as_it_should_be() {
    let desk = desk().await;
    assert_eq!(desk.call(&["sync"]).await.0, 0);
    let (code, text) = told(&desk, "orders").await;
    assert_eq!(text, include_str!("../data/why/as-it-should-be.txt"));
    assert_eq!(code, 0);
    assert_eq!(told(&desk, "default/orders").await, (0, text));
    assert_eq!(desk.kong.writes(), 7, "all of them by sync");
}

/// A person and time have been at it: nothing of it is put right while nothing runs.
async fn disturbed(desk: &Desk) {
    let kong = &desk.kong;
    let upstream = "/upstreams/r.default.orders.default";
    let targets = kong.targets("r.default.orders.default");
    let id = |address: &str| {
        targets.iter().find(|it| it["target"] == address).unwrap()["id"].as_str().unwrap().to_owned()
    };
    direct(
        kong,
        Method::PATCH,
        &format!("{upstream}/targets/{}", id("10.0.0.1:8080")),
        json!({ "weight": 0 }),
    );
    direct(kong, Method::DELETE, &format!("{upstream}/targets/{}", id("10.0.0.2:8080")), Value::Null);
    kong.seed_target("r.default.orders.default", &json!({ "target": "192.0.2.1:80", "weight": 5 }));
    direct(kong, Method::DELETE, "/services/r.default.orders", Value::Null);
    kong.seed(Kind::Services, &json!({ "name": "r.default.orders", "host": "example.org" }));
    kong.seed(Kind::Services, &json!({ "name": "shop", "host": "r.default.orders.v1" }));
    desk.write_text(&ORDERS.replace("orders.internal", "10.0.0.4"));
    desk.configure(
        r#"{ name: v1, metadata: { version: "1" } }"#,
        r#"{ name: v2, metadata: { version: "2" } }, { name: mine, metadata: { version: "2" }, upstreamName: my-own }"#,
    );
    desk.configure(r#"service: "*""#, "service: orders");
}

#[tokio::test]
async fn each_difference_is_told_with_its_reason() {
    let desk = desk().await;
    assert_eq!(desk.call(&["sync"]).await.0, 0);
    disturbed(&desk).await;
    let (code, text) = told(&desk, "orders").await;
    assert_eq!(text, include_str!("../data/why/disturbed.txt"));
    assert_eq!(code, 1, "somebody else has our name");
    let shown = text.replace("KONG", "http://127.0.0.1:8001").replace("NODE", NODE);
    assert!(include_str!("../../docs/gateways/kong.md").contains(&shown), "the page shows what it says");

    let (code, text, _) = desk.call(&["why", "orders", "--output", "json"]).await;
    assert_eq!(code, 1);
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&answer["told_by"], &answer["owner"]), (&json!("reading"), &json!("me")));
    let objects = answer["services"][0]["gateway"]["objects"].as_array().unwrap();
    let of = |name: &str, state: &str| objects.iter().find(|it| it["name"] == name && it["state"] == state);
    let differs = of("10.0.0.1:8080", "differs").unwrap();
    assert_eq!(
        (&differs["stands"], &differs["wanted"]),
        (&json!({ "weight": 0 }), &json!({ "weight": 200 }))
    );
    assert!(of("r.default.orders", "conflict").is_some());
}

#[tokio::test]
async fn what_keeps_a_service_out_is_named_and_its_instances_are_shown_all_the_same() {
    let desk = desk().await;
    desk.configure("    match:", "    exclude: [ { service: \"ord*\" } ]\n    match:");
    let (code, text) = told(&desk, "orders").await;
    assert!(text.contains("matched     no: kept out by exclude (namespace `*`, service `ord*`)"), "{text}");
    assert!(text.contains("registered  10.0.0.1:8080 in r, weight 2, version=1"), "{text}");
    assert_eq!(code, 0, "{text}");
    let (code, text) = told(&desk, "nobody").await;
    assert_eq!(code, 1);
    assert!(text.contains("nobody: no registry of an enabled task shows a service of this name"), "{text}");
}

#[tokio::test]
async fn without_a_gateway_the_rest_is_told() {
    let desk = desk().await;
    desk.kong.set_token("another");
    let (code, text) = told(&desk, "orders").await;
    assert_eq!(code, 1);
    assert!(
        text.contains("group       v1 (version=1) → upstream r.default.orders.v1: 10.0.0.1:8080"),
        "{text}"
    );
    assert!(text.contains("gateway     kong cannot be read: GET KONG/"), "{text}");
    assert!(text.contains("the token is refused, or may not do this"), "{text}");
    assert!(!text.contains("present") && !text.contains("missing"), "nothing is known of it: {text}");
}

/// The desk's configuration, with the admin server where the program has it.
pub async fn led_to(desk: &Desk, program: &RunningCauseway) {
    let url = program.admin_url().await;
    desk.configure("127.0.0.1:0", url.strip_prefix("http://").unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_running_causeway_is_asked_first() {
    let desk = Desk::new(KongStandIn::start().await, ", token: admins-own").await;
    desk.write_text(ORDERS);
    let mut program = desk.start();
    assert!(desk.kong.wait_until(crate::stage::LIMIT, |kong| kong.services().len() == 1).await);
    led_to(&desk, &program).await;
    let (code, text, errors) = desk.call(&["why", "orders"]).await;
    let (first, rest) = text.split_once('\n').unwrap();
    assert!(first.starts_with("told by the Causeway that runs at 127.0.0.1:"), "{text}{errors}");
    assert!(!first.contains("another configuration"), "{first}");
    assert_eq!((settled(&desk, rest), code), (include_str!("../data/why/as-it-should-be.txt").to_owned(), 0));

    let (_, text, _) = desk.call(&["why", "nobody"]).await;
    assert!(
        text.starts_with("told from a reading made now, since no task of the Causeway that runs"),
        "{text}"
    );
    desk.configure("retire_after: 200ms", "retire_after: 300ms");
    let (_, text, _) = desk.call(&["why", "orders"]).await;
    assert!(text.lines().next().unwrap().ends_with("another configuration than this one and goes by that"));
    desk.configure("owner: me", "owner: somebody");
    let (_, text, _) = desk.call(&["why", "orders"]).await;
    assert!(text.contains("is another deployment, `me`"), "{text}");
    desk.configure("owner: somebody", "owner: me");
    desk.configure("admins-own", "wrong");
    let (_, text, _) = desk.call(&["why", "orders"]).await;
    assert!(text.contains("told from a reading made now, since the Causeway at"), "{text}");
    assert!(text.contains("answered 401"), "{text}");
    assert!(!text.contains("admins-own") && !text.contains("wrong"), "{text}");
    assert!(program.terminate().await.success());
}

const HELD: &str = r#"
version: 1
owner: me
registries: [ { name: r, type: nacos, addresses: ["127.0.0.1:1"], protect: { hold: 10m } } ]
gateways: [ { name: kong, type: kong, addresses: ["KONG", "SECOND", "http://127.0.0.1:1"], retire_after: 1h } ]
tasks:
  - name: t
    source: r
    destination: kong
    match: [ { namespace: default, service: "orders", groups: [ { name: v2, metadata: { version: "2" } } ] } ]
methods: [ { type: watch, enable: true } ]
health_check: { enable: false }
"#;

/// The chain of a service as soon as the registry shows it.
async fn chain(deployment: &Deployment, service: &str) -> Chain {
    loop {
        if let Some(chain) = deployment.supervisor.why(service).await.services.pop() {
            return chain;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn state_of(chain: &Chain, name: &str, upstream: Option<&str>) -> State {
    let mut objects = chain.gateway.objects.iter();
    let named = objects.find(|it| it.name == name && it.upstream.as_deref() == upstream);
    named.unwrap_or_else(|| panic!("{name} in {chain:#?}")).state
}

#[tokio::test]
async fn what_is_held_and_what_retires_is_told_with_its_times() {
    let stage = Stage::new().await;
    let document = HELD.replace("\"SECOND\", ", "");
    stage.register("orders", [of_version("10.0.0.1", "1"), of_version("10.0.0.2", "2")]);
    let deployment = stage.ready(&document).await;
    stage.register("orders", [of_version("10.0.0.1", "1")]);
    deployment.until("it is held", |status| status.tasks[0].held.len() == 1).await;
    let orders = chain(&deployment, "orders").await;
    let held = orders.gateway.objects.iter().find(|it| it.state == State::Held).unwrap();
    assert_eq!(
        (held.name.as_str(), held.upstream.as_deref()),
        ("10.0.0.2:8080", Some("r.default.orders.v2"))
    );
    assert_eq!(held.reason.as_deref(), Some("it is the last usable target of its upstream"));
    assert!(held.for_seconds.unwrap() < 60 && (540..=600).contains(&held.until_seconds.unwrap()), "{held:?}");
    deployment.stop().await;

    let deployment = stage.deploy(&document.replace("name: v2", "name: v3"));
    let retires = |chain: &Chain| chain.gateway.objects.iter().any(|it| it.until_seconds.is_some());
    while !retires(&chain(&deployment, "orders").await) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let orders = chain(&deployment, "orders").await;
    assert_eq!(state_of(&orders, "r.default.orders.v2", None), State::Retiring);
    assert_eq!(state_of(&orders, "10.0.0.2:8080", Some("r.default.orders.v2")), State::Retiring);
    let upstream = orders.gateway.objects.iter().find(|it| it.name == "r.default.orders.v2").unwrap();
    assert!((3500..=3600).contains(&upstream.until_seconds.unwrap()), "{upstream:?}");
    deployment.stop().await;
}

#[tokio::test]
async fn each_node_has_a_view_of_its_own() {
    let stage = Stage::new().await;
    let second = KongStandIn::start().await;
    let deployment = stage.deploy(&HELD.replace("SECOND", &second.admin_url()));
    stage.register("orders", ["10.0.0.1", "10.0.0.2", "no.such.host"].map(instance));
    let upstream = "r.default.orders.default";
    stage.until("it stands", |kong| kong.weights(upstream).len() == 3).await;
    deployment.until_ready().await;
    let active = json!({ "active": { "healthy": { "interval": 5 } } });
    direct(&stage.kong, Method::PATCH, &format!("/upstreams/{upstream}"), json!({ "healthchecks": active }));
    stage.kong.set_health(upstream, "10.0.0.2:8080", false);
    stage.kong.reset_counts();

    let orders = chain(&deployment, "orders").await;
    let [first, other, dead] = &orders.gateway.nodes[..] else { panic!("{orders:#?}") };
    assert_eq!((&first.address, first.error.as_ref()), (&stage.kong.admin_url(), None));
    assert!(first.node_id.is_some());
    let seen = first.upstreams.iter().find(|it| it.upstream == upstream).unwrap();
    let mut seen: Vec<_> = seen.targets.iter().map(|it| (it.target.as_str(), it.health.as_str())).collect();
    seen.sort_unstable();
    let wanted =
        [("10.0.0.1:8080", "HEALTHY"), ("10.0.0.2:8080", "UNHEALTHY"), ("no.such.host:8080", "DNS_ERROR")];
    assert_eq!(seen, wanted);
    let dns = first.upstreams[0].targets.iter().find_map(|it| it.dns.clone());
    assert_eq!(dns.as_deref(), Some("dns server error: 3 name error"));
    assert!(other.error.is_none() && other.upstreams.iter().all(|it| !it.known), "{other:#?}");
    let error = dead.error.as_ref().unwrap();
    assert!(error.contains("http://127.0.0.1:1/upstreams/") && error.contains("no answer"), "{error}");
    assert!(!deployment.supervisor.why("orders").await.is_well(), "one cannot be asked");
    assert_eq!(stage.kong.writes(), 0);
    deployment.stop().await;
}
