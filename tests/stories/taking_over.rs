//! What others made becomes a task's, and what a task made is removed or handed over: by the program's commands.

use std::collections::BTreeMap;
use std::time::Duration;

use causeway_test_support::Ports;
use causeway_test_support::kong::{Kind, KongStandIn, Operation};
use http::Method;
use serde_json::{Value, json};

use crate::program::{Desk, Services, fleet};
use crate::stage::{is_ours, note_orphans};

/// Of each service: itself, two upstreams and three targets.
const OBJECTS: u64 = 6;

/// A desk at whose Kong a person has put by hand everything that these services need, each with settings of their own.
async fn with_a_hand_made_kong(services: &Services) -> Desk {
    let desk = Desk::new(KongStandIn::start().await, "").await;
    desk.write(services);
    let kong = &desk.kong;
    for (n, (service, instances)) in services.iter().enumerate() {
        let name = format!("r.default.{service}");
        let tags = if n % 2 == 0 { Value::Null } else { json!(["team-a", "edge"]) };
        for (group, algorithm) in [("default", "least-connections"), ("v1", "round-robin")] {
            let checks = json!({ "active": { "http_path": format!("/up/{n}") } });
            let upstream = format!("{name}.{group}");
            kong.seed(
                Kind::Upstreams,
                &json!({ "name": upstream, "algorithm": algorithm, "healthchecks": checks, "tags": tags }),
            );
            for (host, _) in instances.iter().filter(|(_, version)| group == "default" || *version == "1") {
                kong.seed_target(&upstream, &json!({ "target": format!("{host}:8080"), "tags": tags }));
            }
        }
        let host = format!("{name}.default");
        kong.seed(
            Kind::Services,
            &json!({ "name": name, "host": host, "read_timeout": 1000 + n, "tags": tags }),
        );
        let route =
            json!({ "name": format!("to-{service}"), "paths": [format!("/{service}")], "tags": tags });
        kong.seed(Kind::Routes, &with(route, "service", json!({ "name": name })));
        if n % 4 == 0 {
            kong.seed_plugin(&name, "key-auth");
        }
    }
    kong.seed(Kind::Upstreams, &json!({ "name": "shop" }));
    kong.seed_target("r.default.s000.default", &json!({ "target": "192.0.2.1:80", "weight": 0 }));
    kong.reset_counts();
    desk
}

fn with(mut entity: Value, field: &str, value: Value) -> Value {
    entity[field] = value;
    entity
}

/// Every entity and plugin by its id, without these fields. Tags are a set to Kong, in whatever order they are.
fn everything(kong: &KongStandIn, without: &[&str]) -> BTreeMap<String, Value> {
    let plugins = kong.direct(&Method::GET, "/plugins?size=1000", &Value::Null).1["data"].clone();
    let plugins = plugins.as_array().unwrap().clone();
    let all = [kong.services(), kong.routes(), kong.upstreams(), kong.all_targets(), plugins].concat();
    let strip = |mut entity: Value| {
        without.iter().for_each(|field| drop(entity.as_object_mut().unwrap().remove(*field)));
        if let Some(tags) = entity.get_mut("tags").and_then(Value::as_array_mut) {
            tags.sort_by_key(ToString::to_string);
        }
        (entity["id"].as_str().unwrap().to_owned(), entity)
    };
    all.into_iter().map(strip).collect()
}

/// Tells the first that differs, since there are thousands.
fn assert_same(now: &BTreeMap<String, Value>, before: &BTreeMap<String, Value>, what: &str) {
    assert_eq!(now.len(), before.len(), "{what}");
    let differs = now.iter().find(|(id, entity)| before.get(*id) != Some(*entity));
    if let Some((id, entity)) = differs {
        panic!("{what}: {entity} was {:?}", before.get(id));
    }
}

/// Runs a command that must end with this code, and answers what it printed.
async fn expect(desk: &Desk, code: i32, arguments: &[&str]) -> String {
    let (ended, text) = desk.told(arguments).await;
    let last: Vec<&str> = text.lines().rev().take(12).collect();
    assert_eq!(ended, Some(code), "{arguments:?}: {last:#?}");
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_hundred_upstreams_are_taken_over_by_their_tags_alone_and_given_back_as_they_were() {
    let desk = with_a_hand_made_kong(&fleet(400)).await;
    let kong = &desk.kong;
    assert_eq!(kong.upstreams().len(), 800 + 1);
    let (untagged, exactly) = (everything(kong, &["tags", "updated_at"]), everything(kong, &["updated_at"]));
    expect(&desk, 0, &["adopt", "--yes"]).await;
    assert_eq!(kong.writes(), 400 * OBJECTS);
    assert!(kong.requests().iter().all(|it| matches!(it.method.as_str(), "GET" | "PATCH")));
    assert_same(&everything(kong, &["tags", "updated_at"]), &untagged, "ids, settings, routes and plugins");
    expect(&desk, 0, &["plan", "--exit-code"]).await;
    expect(&desk, 0, &["uninstall", "--task", "t", "--hand-over", "--yes"]).await;
    assert_same(&everything(kong, &["updated_at"]), &exactly, "exactly what was there");
}

#[tokio::test]
async fn what_would_be_taken_over_is_shown_first_and_touches_nothing() {
    let desk = with_a_hand_made_kong(&fleet(3)).await;
    let kong = &desk.kong;
    let text = expect(&desk, 3, &["adopt"]).await;
    let sums = format!("plan: 0 to create, {} to change, 0 to remove; 0 held, 0 conflicts", 3 * OBJECTS);
    assert!(text.contains(&sums) && text.contains("+causeway.owner:me"), "{text}");
    let (_, afterwards) = text.split_once("what `run` would do then:").unwrap();
    assert!(afterwards.contains("plan: 0 to create, 0 to change, 0 to remove"), "{afterwards}");
    let foreign = "= target 192.0.2.1:80 of upstream r.default.s000.default: no instance is registered there";
    assert!(text.contains(foreign), "{text}");
    let text = expect(&desk, 3, &["adopt", "--service", "s001"]).await;
    assert!(text.contains(&format!("{OBJECTS} to change")), "{text}");
    assert_eq!(kong.writes(), 0);

    expect(&desk, 0, &["adopt", "--yes"]).await;
    let text = expect(&desk, 0, &["sync"]).await;
    assert_eq!(text.trim(), "sync: 3 services, 0 changes made");
    let text = expect(&desk, 0, &["adopt"]).await;
    assert!(text.contains("adopt: nothing to take over"), "{text}");
    kong.reset_counts();
    let text = expect(&desk, 3, &["uninstall", "--task", "t", "--hand-over"]).await;
    assert!(text.contains("~ service r.default.s001: tags -causeway "), "{text}");
    assert_eq!(kong.writes(), 0);
    expect(&desk, 2, &["uninstall", "--task", "nobody"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renamed_deployment_and_a_renamed_task_take_over_what_they_had() {
    let desk = Desk::new(KongStandIn::start().await, "").await;
    desk.write(&fleet(3));
    expect(&desk, 0, &["sync"]).await;
    let before = everything(&desk.kong, &["tags", "updated_at"]);
    desk.configure("owner: me\n", "owner: you\n");
    let text = expect(&desk, 1, &["sync"]).await;
    assert!(text.contains("it belongs to another deployment, me"), "{text}");
    let text = expect(&desk, 1, &["adopt"]).await;
    assert!(text.contains("nothing to take over"), "only --from takes what bears a mark: {text}");
    expect(&desk, 2, &["adopt", "--from", "you"]).await;
    expect(&desk, 3, &["adopt", "--from", "me"]).await;
    expect(&desk, 0, &["adopt", "--from", "me", "--yes"]).await;
    expect(&desk, 0, &["plan", "--exit-code"]).await;

    desk.configure("- name: t\n", "- name: renamed\n");
    expect(&desk, 1, &["sync"]).await;
    let text = expect(&desk, 3, &["adopt", "--from", "you/t", "--output", "json"]).await;
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&told["done"], &told["failed"]), (&json!(false), &json!([])));
    let changes = &told["adopt"]["tasks"][0]["services"][0]["changes"];
    assert_eq!(changes.as_array().unwrap().len(), 6, "{changes}");
    assert_eq!(told["afterwards"]["tasks"][0]["services"], json!([]));
    expect(&desk, 0, &["adopt", "--from", "you/t", "--yes"]).await;
    expect(&desk, 0, &["plan", "--exit-code"]).await;
    assert_same(&everything(&desk.kong, &["tags", "updated_at"]), &before, "only tags change");
}

#[tokio::test]
async fn what_polaris_sync_left_is_taken_whole_and_what_is_stale_in_it_goes_in_the_next_pass() {
    let desk = Desk::new(KongStandIn::start().await, "").await;
    desk.write(&fleet(1));
    let kong = &desk.kong;
    for (group, targets) in [("default", &["10.0.0.1", "10.0.0.2", "10.9.9.9"][..]), ("v1", &["10.0.0.1"])] {
        let name = format!("r.default.s000.{group}");
        kong.seed(Kind::Upstreams, &json!({ "name": name, "tags": ["FILE"], "slots": 100 }));
        for host in targets {
            kong.seed_target(&name, &json!({ "target": format!("{host}:8080") }));
        }
    }
    kong.seed(Kind::Services, &json!({ "name": "shop", "host": "r.default.s000.default" }));
    let text = expect(&desk, 3, &["adopt"]).await;
    let stale = "target 10.9.9.9:8080 of upstream r.default.s000.default";
    assert!(
        text.contains(&format!("~ {stale}")) && text.contains("no instance is registered there"),
        "{text}"
    );
    let (_, afterwards) = text.split_once("what `run` would do then:").unwrap();
    assert!(afterwards.contains(&format!("- {stale}")), "{afterwards}");
    expect(&desk, 0, &["adopt", "--yes"]).await;
    expect(&desk, 0, &["sync"]).await;
    let held: Vec<String> = kong.weights("r.default.s000.default").into_keys().collect();
    assert_eq!(held, ["10.0.0.1:8080", "10.0.0.2:8080"]);
    assert_eq!(kong.entity(Kind::Upstreams, "r.default.s000.default").unwrap()["slots"], 100);
    assert_eq!(kong.entity(Kind::Services, "shop").unwrap()["tags"], Value::Null);
}

#[tokio::test]
async fn routes_and_the_services_of_groups_are_given_away_and_taken_over_too() {
    const ROUTE: &str =
        r#"route: { paths: ["/{service}"], group_headers: { x-version: "{metadata.version}" } }"#;
    let desk = Desk::new(KongStandIn::start().await, "").await;
    desk.configure("service: \"*\",", &format!("service: \"*\", {ROUTE},"));
    desk.write(&fleet(3));
    expect(&desk, 0, &["sync"]).await;
    let kong = &desk.kong;
    let names =
        |all: Vec<Value>| all.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let wanted = (0..3).flat_map(|n| ["", "~v1"].map(|group| format!("r.default.s{n:03}{group}")));
    let wanted: Vec<String> = wanted.collect();
    assert_eq!((names(kong.services()), names(kong.routes())), (wanted.clone(), wanted));
    let (ours, untagged) = (everything(kong, &["updated_at"]), everything(kong, &["tags", "updated_at"]));

    expect(&desk, 0, &["uninstall", "--task", "t", "--hand-over", "--yes"]).await;
    assert!(!everything(kong, &[]).values().any(is_ours), "routes too");
    assert_same(&everything(kong, &["tags", "updated_at"]), &untagged, "only tags change");
    let text = expect(&desk, 0, &["plan"]).await;
    assert!(text.contains("! route r.default.s000~v1: somebody else made it"), "{text}");
    kong.reset_counts();
    let text = expect(&desk, 3, &["adopt"]).await;
    let (_, afterwards) = text.split_once("what `run` would do then:").unwrap();
    assert!(afterwards.contains("plan: 0 to create, 0 to change, 0 to remove"), "{afterwards}");
    expect(&desk, 0, &["adopt", "--yes"]).await;
    assert!(kong.requests().iter().all(|it| matches!(it.method.as_str(), "GET" | "PATCH")));
    assert_same(&everything(kong, &["updated_at"]), &ours, "all bears its marks again");
    expect(&desk, 0, &["plan", "--exit-code"]).await;
}

#[tokio::test]
async fn nothing_is_taken_over_for_a_task_that_observes() {
    let desk = with_a_hand_made_kong(&fleet(2)).await;
    desk.configure("source: r\n", "source: r\n    policy: observe\n");
    expect(&desk, 3, &["adopt"]).await;
    let (code, _, told) = desk.call(&["adopt", "--yes"]).await;
    assert_eq!((code, told.contains("policy: observe")), (2, true), "{told}");
    assert_eq!(desk.kong.writes(), 0);
    desk.configure("policy: observe", "policy: fill");
    expect(&desk, 0, &["adopt", "--yes"]).await;
    desk.configure("policy: fill", "policy: own");
    expect(&desk, 0, &["plan", "--exit-code"]).await;
}

/// What bears a mark of this task.
fn of_task(kong: &KongStandIn, task: &str) -> Vec<String> {
    let tag = Value::from(format!("causeway.task:{task}"));
    let all = [kong.services(), kong.upstreams(), kong.all_targets()].concat();
    let marked = all.iter().filter(|it| it["tags"].as_array().is_some_and(|tags| tags.contains(&tag)));
    marked.map(|it| it["name"].as_str().or(it["target"].as_str()).unwrap().to_owned()).collect()
}

/// A desk at whose Kong a task `t` that was renamed to `u`, with its registry, has left everything, and somebody else has marks of their own.
async fn with_leftovers() -> Desk {
    let desk = Desk::new(KongStandIn::start().await, "").await;
    desk.write(&fleet(3));
    expect(&desk, 0, &["sync"]).await;
    desk.configure("- name: t\n", "- name: u\n");
    desk.configure("name: r, type", "name: other, type");
    desk.configure("source: r\n", "source: other\n");
    expect(&desk, 0, &["sync"]).await;
    let marks = json!(["causeway", "causeway.owner:somebody", "causeway.task:t", "causeway.service:s000"]);
    desk.kong.seed(Kind::Upstreams, &json!({ "name": "somebody", "tags": marks }));
    desk
}

#[tokio::test]
async fn what_no_task_wants_any_more_is_pruned_but_for_what_others_use() {
    let desk = with_leftovers().await;
    let kong = &desk.kong;
    let route = json!({ "name": "theirs", "paths": ["/s"], "service": { "name": "r.default.s001" } });
    kong.seed(Kind::Routes, &route);
    let (orphans, of_u) = (note_orphans(kong), of_task(kong, "u"));
    kong.reset_counts();

    let text = expect(&desk, 3, &["prune"]).await;
    assert!(text.contains("- service r.default.s000: no longer wanted"), "{text}");
    assert!(
        text.contains("= service r.default.s001: no longer wanted, but route theirs leads to it"),
        "{text}"
    );
    assert!(!text.contains("other.default"), "{text}");
    assert_eq!(kong.writes(), 0);
    let text = expect(&desk, 1, &["prune", "--yes"]).await;
    assert!(text.contains("stays: default/s001: upstream r.default.s001.v1: "), "{text}");
    let left: Vec<String> = of_task(kong, "t").into_iter().filter(|name| !name.starts_with("10.")).collect();
    assert_eq!(left, ["r.default.s001", "r.default.s001.default", "r.default.s001.v1", "somebody"]);
    assert_eq!(of_task(kong, "u"), of_u);
    assert_eq!(*orphans.lock().unwrap(), [""; 0]);

    assert_eq!(kong.direct(&Method::DELETE, "/routes/theirs", &Value::Null).0, 204);
    expect(&desk, 0, &["prune", "--yes"]).await;
    assert_eq!(of_task(kong, "t"), ["somebody"]);
    let text = expect(&desk, 0, &["prune"]).await;
    assert!(text.contains("prune: nothing to remove"), "{text}");
}

#[tokio::test]
async fn a_task_is_uninstalled_from_its_services_up_and_nothing_else_is() {
    let desk = Desk::new(KongStandIn::start().await, "").await;
    desk.write(&fleet(3));
    expect(&desk, 0, &["sync"]).await;
    let kong = &desk.kong;
    kong.seed(Kind::Upstreams, &json!({ "name": "shop", "tags": ["shop"] }));
    kong.reset_counts();
    expect(&desk, 3, &["uninstall", "--task", "t"]).await;
    assert_eq!(kong.writes(), 0);
    let text = expect(&desk, 0, &["uninstall", "--task", "t", "--yes", "--output", "json"]).await;
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&told["done"], &told["changes"]), (&json!(true), &json!(9)), "{text}");
    let deleted: Vec<Kind> = kong
        .commits()
        .iter()
        .filter(|commit| commit.operation == Operation::Deleted && commit.kind != Kind::Targets)
        .map(|commit| commit.kind)
        .collect();
    assert_eq!(deleted, [[Kind::Services; 3].as_slice(), &[Kind::Upstreams; 6]].concat());
    assert!(!everything(kong, &[]).values().any(is_ours));
    assert_eq!(kong.upstreams().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_causeway_is_not_worked_against_and_adopting_beside_it_is_safe() {
    let desk = with_a_hand_made_kong(&fleet(2)).await;
    let admin = Ports::reserve("Causeway", &[0]).unwrap();
    desk.configure("127.0.0.1:0", &format!("127.0.0.1:{}", admin.base()));
    let mut program = desk.start();
    program.until_ready().await;
    let conflicts = program.status().await["tasks"][0]["conflicts"].as_array().unwrap().len();
    assert_eq!(conflicts, 2 * 3);
    expect(&desk, 0, &["adopt", "--yes"]).await;
    while program.get("/metrics").await.1.contains("causeway_conflict{") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let taken = everything(&desk.kong, &["updated_at"]);
    let (code, _, told) = desk.call(&["uninstall", "--task", "t", "--hand-over", "--yes"]).await;
    assert_eq!((code, told.contains("is running task t")), (1, true), "{told}");
    assert_eq!(desk.call(&["uninstall", "--task", "t", "--yes"]).await.0, 1);
    assert_same(&everything(&desk.kong, &["updated_at"]), &taken, "nothing was done");
    program.terminate().await;
    expect(&desk, 0, &["uninstall", "--task", "t", "--hand-over", "--yes"]).await;
    assert!(!everything(&desk.kong, &[]).values().any(is_ours));
}

#[tokio::test]
async fn a_gateway_that_cannot_be_read_is_told_and_passes_for_nothing_left_never() {
    let desk = Desk::new(KongStandIn::start().await, "").await;
    desk.write(&fleet(1));
    expect(&desk, 0, &["sync"]).await;
    desk.kong.stop().await;
    for command in
        [&["prune"][..], &["uninstall", "--task", "t"], &["uninstall", "--task", "t", "--hand-over"]]
    {
        let text = expect(&desk, 1, command).await;
        assert!(text.contains("problem: gateway kong cannot be read: "), "{text}");
    }
    desk.kong.restart().await;
    // Somebody has taken off what says which service it was made for.
    let tags = json!({ "tags": ["causeway.owner:me", "causeway.task:t"] });
    assert_eq!(desk.kong.direct(&Method::PATCH, "/services/r.default.s000", &tags).0, 200);
    let text = expect(&desk, 1, &["uninstall", "--task", "t", "--yes"]).await;
    assert!(text.contains("`causeway uninstall --task t --hand-over` untags it"), "{text}");
    expect(&desk, 0, &["uninstall", "--task", "t", "--hand-over", "--yes"]).await;
    assert!(!everything(&desk.kong, &[]).values().any(is_ours));
}
