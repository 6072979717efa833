//! A Kong without a database, against the stand-in that answers as a real one did: whole documents, in which the part
//! of others stays what it was.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use causeway_gateways::{Gateway as _, KongGateway, KongSettings, Retry, Tags, Token, World, takeover};
use causeway_test_support::kong::{Fault, KongStandIn, Scope};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::kong::{assert_paced, counts, documents, foreign, load, until, without_database};
use crate::support::{context, converge, desired, everything, turn};

const UP: &str = "ins-1.default.orders.default";

async fn node() -> KongStandIn {
    KongStandIn::builder().db_less().plugins(["key-auth", "rate-limiting"]).start().await
}

fn gateway(kong: &KongStandIn) -> KongGateway {
    KongGateway::new(without_database([kong])).unwrap()
}

/// What a person has: services with routes and plugins, consumers, upstreams with targets, a plugin for everything.
fn base() -> Value {
    json!({
        "_format_version": "3.0",
        "consumers": [{ "username": "bob", "tags": ["people"] }, { "username": "eve", "custom_id": "0755" }],
        "plugins": [{ "name": "rate-limiting", "config": { "minute": 5, "policy": "local" } }],
        "services": [
            {
                "name": "shop", "host": "theirs", "retries": 0, "path": "/x", "tags": ["shop"],
                "routes": [{ "name": "shop", "paths": ["/shop", "~/s/\\d+$"], "strip_path": false }],
                "plugins": [{ "name": "key-auth", "config": { "key_names": ["k: v", "yes"] } }],
            },
            { "name": "away", "host": "example.com", "port": 8443, "protocol": "https" },
        ],
        "upstreams": [{
            "name": "theirs", "slots": 100, "hash_on": "header", "hash_on_header": "x-user",
            "targets": [{ "target": "10.9.9.9" }, { "target": "[::1]:80", "weight": 0, "tags": ["spare"] }],
        }],
    })
}

fn written(document: &Value) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("base.yml");
    std::fs::write(&path, document.to_string()).unwrap();
    (folder, path)
}

#[tokio::test]
async fn what_is_somebody_elses_survives_a_hundred_changes() {
    let (_folder, path) = written(&base());
    for base_file in [None, Some(path)] {
        let kong = node().await;
        load(&kong, &base());
        let before = foreign(&kong);
        assert_eq!(before.len(), 10);
        let gateway =
            KongGateway::new(KongSettings { base: base_file, ..without_database([&kong]) }).unwrap();
        let (orders, stock) = (context("task", "orders"), context("other-task", "stock"));
        for change in 1..=50 {
            let mut states = vec![(
                orders.clone(),
                desired(&orders, "orders", &[("default", &[("10.0.0.1:80", change)])]),
            )];
            let in_use: &[(&str, u32)] = if change % 2 == 0 { &[("10.0.0.2:80", 1)] } else { &[] };
            states.push((stock.clone(), desired(&stock, "stock", &[("default", in_use)])));
            converge(&gateway, &states, 3).await.unwrap();
            assert_eq!(kong.weights(UP)["10.0.0.1:80"], i64::from(change));
            assert_eq!(foreign(&kong), before);
        }
        let documents = documents(&kong);
        assert!(documents.len() >= 100, "{}", documents.len());
        assert!(documents.iter().all(|request| request.status == Some(201)));
        let targets = kong.targets(UP);
        assert_eq!(targets[0]["tags"], json!(["causeway.owner:causeway"]), "a document has a size limit");
        assert_eq!(kong.upstreams().iter().filter(|it| it["name"] == UP).count(), 1);
    }
}

#[tokio::test]
async fn a_second_start_plans_nothing_and_sends_nothing() {
    let (_folder, path) = written(&base());
    for base_file in [None, Some(path)] {
        let kong = node().await;
        load(&kong, &base());
        let settings = KongSettings { base: base_file, ..without_database([&kong]) };
        let context = context("task", "orders");
        let two: &[(&str, &[(&str, u32)])] = &[("default", &[("10.0.0.1:80", 7), ("10.0.0.2:80", 100)])];
        let states = [(context.clone(), desired(&context, "orders", two))];
        let first = KongGateway::new(settings.clone()).unwrap();
        converge(&first, &states, 3).await.unwrap();
        let held = first.read(&everything()).await.unwrap();
        kong.reset_counts();

        let second = KongGateway::new(settings).unwrap();
        assert_eq!(converge(&second, &states, 1).await.unwrap().0, 0);
        // Only ids of targets and defaults are told apart, and they are the same.
        assert_eq!(second.read(&everything()).await.unwrap().upstream(UP), held.upstream(UP));
        // Long enough for it to look after the node, were anything amiss.
        let tended = tokio::time::timeout(Duration::from_millis(2500), second.tend()).await;
        assert!(tended.is_err() && documents(&kong).is_empty(), "{:?}", documents(&kong));
        assert_eq!(second.check().await.unwrap(), "kong/3.9.1 without a database, 1 of 1 nodes answer");
    }
}

#[tokio::test]
async fn a_bad_object_is_left_out_and_told_and_the_rest_goes_in() {
    let kong = node().await;
    load(&kong, &base());
    let before = foreign(&kong);
    let gateway = gateway(&kong);
    let (orders, stock) = (context("task", "orders"), context("task", "stock"));
    let mut world = gateway.read(&everything()).await.unwrap();
    let targets = &[("10.0.0.1:80", 70_000), ("10.0.0.2:80", 5)];
    let (_, applied) =
        turn(&gateway, &mut world, &orders, &desired(&orders, "orders", &[("default", targets)])).await;
    assert_eq!(kong.weights(UP).into_iter().collect::<Vec<_>>(), [("10.0.0.2:80".to_owned(), 5)]);
    assert_eq!((applied.done.len(), applied.failed.len()), (3, 1));
    let failure = &applied.failed[0];
    assert_eq!(failure.error.retry, Retry::Never);
    let message = failure.error.message.as_str();
    assert!(message.contains("weight: value should be between 0 and 65535"), "{message}");
    assert_eq!(failure.change.key.to_string(), format!("target 10.0.0.1:80 of upstream {UP}"));

    // A name that Kong does not take, and what hangs on it, beside a change that is fine.
    let mut bad = desired(&stock, "stock", &[("default", &[("10.0.0.3:80", 1)])]);
    let upstream = bad.upstreams.pop_first().unwrap().1;
    bad.upstreams.insert("10.0.0.9".into(), upstream);
    bad.services.values_mut().for_each(|service| service.host = "10.0.0.9".into());
    let (plan, applied) = turn(&gateway, &mut world, &stock, &bad).await;
    assert_eq!((applied.done.len(), applied.failed.len()), (0, plan.changes.len()));
    assert!(applied.failed.iter().all(|failure| failure.error.retry == Retry::Never));
    let good = desired(&orders, "orders", &[("default", &[("10.0.0.1:80", 9), ("10.0.0.2:80", 5)])]);
    converge(&gateway, &[(orders, good)], 2).await.unwrap();
    assert_eq!(kong.weights(UP)["10.0.0.1:80"], 9);
    assert_eq!((foreign(&kong), counts(&kong).1), (before, 2));
}

#[tokio::test]
async fn what_is_bad_of_somebody_elses_is_not_left_out() {
    let kong = node().await;
    load(&kong, &base());
    let before = foreign(&kong);
    let mut bad = base();
    bad["plugins"][0]["name"] = "no-such-guard".into();
    let (_folder, path) = written(&bad);
    let gateway =
        KongGateway::new(KongSettings { base: Some(path.clone()), ..without_database([&kong]) }).unwrap();
    let context = context("task", "orders");
    let state = desired(&context, "orders", &[("default", &[("10.0.0.1:80", 1)])]);
    let mut world = gateway.read(&everything()).await.unwrap();
    let (_, applied) = turn(&gateway, &mut world, &context, &state).await;
    let message = &applied.failed[0].error.message;
    assert!(message.contains("plugin no-such-guard") && message.contains("refused as a whole"), "{message}");
    assert_eq!((counts(&kong).0, foreign(&kong)), (2, before.clone()));

    std::fs::write(path, base().to_string()).unwrap();
    converge(&gateway, &[(context, state)], 3).await.unwrap();
    assert_eq!(foreign(&kong), before);
}

#[tokio::test]
async fn a_document_that_is_too_large_names_kongs_setting() {
    let kong = node().await;
    let mut large = base();
    large["consumers"][0]["tags"] = json!(["x".repeat(11 << 20)]);
    let (_folder, path) = written(&large);
    let gateway = KongGateway::new(KongSettings { base: Some(path), ..without_database([&kong]) }).unwrap();
    let context = context("task", "orders");
    let state = desired(&context, "orders", &[("default", &[("10.0.0.1:80", 1)])]);
    let (_, applied) = turn(&gateway, &mut World::default(), &context, &state).await;
    let error = &applied.failed[0].error;
    assert!(
        error.message.contains("413") && error.message.contains("nginx_admin_client_max_body_size"),
        "{error}"
    );
    assert_eq!((error.retry, counts(&kong)), (Retry::Never, (0, 0, 0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_that_come_together_cost_few_documents_and_never_two_at_once() {
    let kong = node().await;
    kong.faults().next_times(
        2,
        &Scope::On(Method::POST, "/config".into()),
        &Fault::Slow(Duration::from_millis(300)),
    );
    let gateway = Arc::new(gateway(&kong));
    let turns = (0..500).map(|n| {
        let gateway = gateway.clone();
        tokio::spawn(async move {
            // The first comes alone; the others while its document is loaded, and after.
            tokio::time::sleep(Duration::from_millis(if n == 0 { 0 } else { 200 + n / 5 })).await;
            let service = format!("s{n}");
            let context = context("task", &service);
            let targets: Vec<(String, u32)> =
                (0..10).map(|k| (format!("10.0.{}.{k}:80", n % 250), 1)).collect();
            let targets: Vec<(&str, u32)> =
                targets.iter().map(|(address, weight)| (address.as_str(), *weight)).collect();
            let state = desired(&context, &service, &[("default", &targets)]);
            turn(&*gateway, &mut World::default(), &context, &state).await.1.failed.len()
        })
    });
    let failed: usize = join_all(turns).await.into_iter().map(Result::unwrap).sum();
    assert_eq!((failed, counts(&kong)), (0, (500, 500, 5000)));
    let documents = documents(&kong);
    // Three, where plans are made faster than documents are loaded.
    assert!(documents.len() <= 50, "{} documents", documents.len());
    assert_paced(&documents, Duration::ZERO);
}

#[tokio::test]
async fn a_lost_answer_costs_no_second_document_and_an_equal_text_no_reload() {
    let kong = node().await;
    let gateway = gateway(&kong);
    let context = context("task", "orders");
    let state = |weight| desired(&context, "orders", &[("default", &[("10.0.0.1:80", weight)])]);
    let mut world = gateway.read(&everything()).await.unwrap();
    kong.faults().next(Scope::On(Method::POST, "/config".into()), Fault::LostAnswer);
    let (_, applied) = turn(&gateway, &mut world, &context, &state(1)).await;
    assert!(applied.failed.is_empty(), "{:?}", applied.failed);
    assert_eq!(documents(&kong).len(), 1);

    // Somebody loads the same text just before ours comes.
    let (_, applied) = turn(&gateway, &mut world, &context, &state(2)).await;
    assert!(applied.failed.is_empty());
    let text = documents(&kong)[1].body.clone();
    turn(&gateway, &mut world, &context, &state(1)).await;
    // Long enough to be there before it, on a busy machine.
    kong.faults().next(Scope::On(Method::POST, "/config".into()), Fault::Slow(Duration::from_secs(6)));
    let again = state(2);
    let plan = turn(&gateway, &mut world, &context, &again);
    let (status, answered) = tokio::join!(
        async {
            until(|| documents(&kong).len() == 4).await;
            kong.direct(&Method::POST, "/config", &json!({ "config": text })).0
        },
        plan
    );
    assert_eq!((status, answered.1.failed.len()), (201, 0));
    assert_eq!(documents(&kong).last().unwrap().status, Some(304));
    assert_eq!(kong.weights(UP)["10.0.0.1:80"], 2);
}

#[tokio::test]
async fn token_and_workspace_go_with_every_document() {
    let kong = KongStandIn::builder().db_less().workspace("team-a").token("secret").start().await;
    let team = KongSettings { workspace: Some("team-a".into()), ..without_database([&kong]) };
    let context = context("task", "orders");
    let states = [(context.clone(), desired(&context, "orders", &[("default", &[("10.0.0.1:80", 1)])]))];
    let right = KongSettings { token: Some(Token::new("secret")), ..team.clone() };
    converge(&KongGateway::new(right).unwrap(), &states, 2).await.unwrap();
    assert_eq!((counts(&kong), documents(&kong).len()), ((1, 1, 1), 1));
    assert!(documents(&kong)[0].path.starts_with("/team-a/config?"));
    let wrong = KongGateway::new(KongSettings { token: Some(Token::new("wrong")), ..team }).unwrap();
    let error = wrong.read(&everything()).await.unwrap_err().message;
    assert!(error.contains("401") && !error.contains("wrong"), "{error}");
}

#[tokio::test]
async fn what_a_base_says_of_what_is_not_there_yet_waits_for_it() {
    let kong = node().await;
    let mut document = base();
    document["routes"] =
        json!([{ "name": "to-orders", "service": "ins-1.default.orders", "paths": ["/orders"] }]);
    document["plugins"] = json!([{ "name": "key-auth", "route": "to-orders" }]);
    document["_info"] = json!({ "select_tags": ["mine"] });
    let (_folder, path) = written(&document);
    let gateway = KongGateway::new(KongSettings { base: Some(path), ..without_database([&kong]) }).unwrap();
    let (orders, stock) = (context("task", "orders"), context("task", "stock"));
    let one: &[(&str, &[(&str, u32)])] = &[("default", &[("10.0.0.1:80", 1)])];
    let mut states = vec![(stock.clone(), desired(&stock, "stock", one))];
    converge(&gateway, &states, 2).await.unwrap();
    assert_eq!((kong.routes().len(), counts(&kong).0), (1, 3));
    states.push((orders.clone(), desired(&orders, "orders", one)));
    converge(&gateway, &states, 2).await.unwrap();
    assert_eq!((kong.routes().len(), counts(&kong).0), (2, 4));
    assert!(foreign(&kong).keys().any(|key| key.starts_with("plugins")));
}

#[tokio::test]
async fn reading_and_checking_touch_nothing() {
    let (full, empty) = (node().await, node().await);
    load(&full, &base());
    let gateway = KongGateway::new(without_database([&full, &empty])).unwrap();
    assert_eq!(gateway.read(&everything()).await.unwrap().services().len(), 2);
    gateway.check().await.unwrap();
    assert_eq!((full.writes(), empty.writes()), (0, 0));
}

#[tokio::test]
async fn taking_over_changes_tags_only_and_handing_over_leaves_what_was_there() {
    let kong = node().await;
    let mut document = base();
    document["services"][0]["name"] = "ins-1.default.orders".into();
    document["services"][0]["host"] = UP.into();
    document["upstreams"][0]["name"] = UP.into();
    document["upstreams"][0]["targets"] =
        json!([{ "target": "10.0.0.1:80", "weight": 3, "tags": ["spare"] }]);
    load(&kong, &document);
    let before = foreign(&kong);
    let gateway = gateway(&kong);
    let context = context("task", "orders");
    let state = desired(&context, "orders", &[("default", &[("10.0.0.1:80", 3)])]);
    let mut world = gateway.read(&everything()).await.unwrap();
    let plan = takeover::adopt(&state, &world, &context, &Tags::new());
    assert_eq!(plan.changes.len(), 3);
    let applied = gateway.apply(&plan).await;
    assert!(applied.failed.is_empty(), "{:?}", applied.failed);
    assert_eq!(converge(&gateway, &[(context.clone(), state)], 1).await.unwrap().0, 0);
    assert_eq!(foreign(&kong).len(), before.len() - 3);

    // A second start, which knows of it only what the node says.
    let gateway = KongGateway::new(without_database([&kong])).unwrap();
    world = gateway.read(&everything()).await.unwrap();
    let applied = gateway.apply(&takeover::hand_over(&world, &context.mark)).await;
    assert!(applied.failed.is_empty(), "{:?}", applied.failed);
    assert_eq!(foreign(&kong), before);
}
