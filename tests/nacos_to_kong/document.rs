//! A document of polaris-sync's form, against a real Nacos.

use serde_json::Value;

use super::causeway::Causeway;
use super::*;

/// polaris-sync's published example for Kong with `type: nacos` and `namespace: empty_ns`.
fn document(nacos: &str, kong: &str) -> String {
    let example = include_str!("../data/examples/polaris-sync-kong.json");
    let document = example
        .replace("\"type\": \"polaris\"", "\"type\": \"nacos\"")
        .replace("\"namespace\": \"default\"", "\"namespace\": \"empty_ns\"")
        .replace("127.0.0.1:8090", nacos)
        .replace("127.0.0.1:8001", kong);
    assert_ne!(document, example);
    document
}

fn upstream(group: &str) -> String {
    format!("ins-3ad0f6e6.empty_ns.test.service.3.{group}")
}

#[tokio::test(flavor = "multi_thread")]
async fn polaris_syncs_document_on_a_real_nacos() {
    let ((_alone, nacos), kong) = (nacos().await, KongStandIn::start().await);
    let http = nacos.http();
    let causeway = Causeway::with(&document(&nacos.address(), &kong.addr().to_string()));
    let mut instances = Vec::new();
    for (host, version) in [(1, "1.0.0"), (2, "1.0.0"), (3, "2.0.0")] {
        instances.push(register(&http, "test.service.3", host, version).await);
    }

    assert_plan(&causeway, 3, "plan: 10 to create, 0 to change, 0 to remove; 0 held, 0 conflicts").await;
    assert_eq!(kong.writes(), 0, "a plan touches nothing");

    let mut running = causeway.run();
    assert!(kong.wait_until(PATIENCE, |kong| kong.services().len() == 1).await, "{}", running.log());
    assert_eq!(sizes(&kong), BTreeMap::from([("default", 3), ("version-1", 2), ("version-2", 1)]));
    assert_tagged(&kong);

    take_writes(&kong);
    http.deregister(&instances[0]).await.unwrap();
    assert!(kong.wait_until(PATIENCE, |kong| sizes(kong)["version-1"] == 1).await, "{}", running.log());
    assert!(kong.wait_until(PATIENCE, |kong| sizes(kong)["default"] == 2).await, "{}", running.log());
    let deleted = take_writes(&kong);
    assert_eq!(methods(&deleted), ["DELETE", "DELETE"], "one for each upstream that held it: {deleted:?}");

    instances[1].weight = 0.5;
    http.register(&instances[1]).await.unwrap();
    let halved = |kong: &KongStandIn, group: &str| targets(kong, &upstream(group))["10.0.0.2:8080"] == 50;
    assert!(kong.wait_until(PATIENCE, |kong| halved(kong, "default") && halved(kong, "version-1")).await);
    let patched = take_writes(&kong);
    assert_eq!(methods(&patched), ["PATCH", "PATCH"], "one for each upstream that holds it: {patched:?}");

    assert!(running.terminate().await.success());
    assert_plan(&causeway, 0, "plan: 0 to create, 0 to change, 0 to remove; 0 held, 0 conflicts").await;

    http.deregister(&instances[2]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(700)).await; // Nacos' own cached view
    assert_plan(&causeway, 3, "- target 10.0.0.3:8080 of upstream").await;
    http.register(&instances[2]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(700)).await;

    take_writes(&kong);
    let mut again = causeway.run();
    let ready = |kong: &KongStandIn| kong.reads() > 5;
    assert!(kong.wait_until(PATIENCE, ready).await, "{}", again.log());
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(take_writes(&kong), [], "a second start writes nothing");
    assert!(again.terminate().await.success());
}

async fn assert_plan(causeway: &Causeway, exit_code: i32, holds: &str) {
    let (code, plan, errors) = causeway.call(&["plan", "--exit-code"]).await;
    assert_eq!(code, exit_code, "{plan}{errors}");
    assert!(plan.contains(holds), "{plan}");
}

fn sizes(kong: &KongStandIn) -> BTreeMap<&'static str, usize> {
    assert_eq!(kong.upstreams().len(), 3);
    ["default", "version-1", "version-2"].map(|group| (group, targets(kong, &upstream(group)).len())).into()
}

fn methods(writes: &[(String, String)]) -> Vec<&str> {
    writes.iter().map(|(method, _)| method.as_str()).collect()
}

/// Every object bears the marks of its owner and task.
fn assert_tagged(kong: &KongStandIn) {
    let all = [kong.services(), kong.upstreams(), kong.all_targets()].concat();
    assert_eq!(all.len(), 1 + 3 + 6);
    for object in all {
        let tags: Vec<&str> = object["tags"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        for tag in [
            "causeway",
            "causeway.owner:causeway",
            "causeway.task:polaris1",
            "causeway.service:test.service.3",
        ] {
            assert!(tags.contains(&tag), "{tag} is missing: {object}");
        }
    }
}
