//! What the stand-in for Kong does beside the API: counting, faults, stopping, TLS, tokens, workspaces.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use causeway_test_support::http_client;
use causeway_test_support::kong::{Fault, Kind, KongStandIn, Operation, Scope};
use http::Method;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

async fn post(
    client: &Client,
    kong: &KongStandIn,
    path: &str,
    body: &Value,
) -> reqwest::Result<reqwest::Response> {
    client.post(format!("{}{path}", kong.admin_url())).json(body).send().await
}

async fn get(client: &Client, kong: &KongStandIn, path: &str) -> reqwest::Result<reqwest::Response> {
    client.get(format!("{}{path}", kong.admin_url())).send().await
}

async fn with_upstream(name: &str) -> (KongStandIn, Client) {
    let kong = KongStandIn::start().await;
    kong.seed(Kind::Upstreams, &json!({ "name": name }));
    (kong, http_client())
}

#[tokio::test]
async fn counts_and_records_what_came_in_but_not_what_a_test_did_itself() {
    let (kong, client) = with_upstream("u").await;
    assert_eq!((kong.reads(), kong.writes()), (0, 0));
    post(&client, &kong, "/upstreams/u/targets", &json!({ "target": "10.0.0.1:80" })).await.unwrap();
    get(&client, &kong, "/upstreams/u/targets?size=1000").await.unwrap();
    assert_eq!((kong.reads(), kong.writes()), (1, 1));
    let requests = kong.requests();
    assert_eq!((requests[0].method.as_str(), requests[0].status), ("POST", Some(201)));
    assert_eq!(requests[0].body["target"], "10.0.0.1:80");
    assert_eq!(requests[1].path, "/upstreams/u/targets?size=1000");
    assert_eq!(kong.commits().len(), 2);
    kong.reset_counts();
    assert_eq!((kong.reads(), kong.writes(), kong.requests().len(), kong.commits().len()), (0, 0, 0, 0));
    assert_eq!(kong.targets("u").len(), 1);
}

#[tokio::test]
async fn every_commit_is_observed_in_order_cascades_included() {
    let kong = KongStandIn::start().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    kong.on_commit(move |commit| log.lock().unwrap().push((commit.at, commit.operation, commit.kind)));
    kong.seed(Kind::Upstreams, &json!({ "name": "u" }));
    kong.seed_target("u", &json!({ "target": "10.0.0.1" }));
    kong.direct(&Method::PATCH, "/upstreams/u/targets/10.0.0.1:8000", &json!({ "weight": 0 }));
    assert_eq!(kong.weights("u").into_iter().collect::<Vec<_>>(), [("10.0.0.1:8000".to_owned(), 0)]);
    kong.direct(&Method::DELETE, "/upstreams/u", &Value::Null);
    let seen = seen.lock().unwrap();
    let steps: Vec<_> = seen.iter().map(|(_, operation, kind)| (*operation, *kind)).collect();
    assert_eq!(
        steps,
        [
            (Operation::Created, Kind::Upstreams),
            (Operation::Created, Kind::Targets),
            (Operation::Updated, Kind::Targets),
            (Operation::Deleted, Kind::Targets),
            (Operation::Deleted, Kind::Upstreams),
        ]
    );
    assert!(seen.is_sorted_by_key(|(at, ..)| *at));
}

#[tokio::test]
async fn a_lost_answer_is_committed_and_a_reset_is_not() {
    let (kong, client) = with_upstream("u").await;
    kong.faults().next(Scope::Writes, Fault::LostAnswer);
    kong.faults().next(Scope::Writes, Fault::Reset);
    let lost = post(&client, &kong, "/upstreams/u/targets", &json!({ "target": "10.0.0.1:80" })).await;
    assert!(lost.is_err());
    assert_eq!(kong.targets("u").len(), 1);
    let reset = post(&client, &kong, "/upstreams/u/targets", &json!({ "target": "10.0.0.2:80" })).await;
    assert!(reset.is_err());
    assert_eq!(kong.targets("u").len(), 1);
    assert_eq!(kong.requests().iter().map(|r| r.status).collect::<Vec<_>>(), [None, None]);
    let third = post(&client, &kong, "/upstreams/u/targets", &json!({ "target": "10.0.0.2:80" })).await;
    assert_eq!(third.unwrap().status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_truncated_body_has_a_status_and_breaks_off() {
    let (kong, client) = with_upstream("u").await;
    kong.faults().next(Scope::Reads, Fault::TruncatedBody);
    let answer = get(&client, &kong, "/upstreams").await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.bytes().await.is_err());
    assert!(get(&client, &kong, "/upstreams").await.unwrap().bytes().await.is_ok());
}

#[tokio::test]
async fn refusals_carry_their_status_and_change_nothing() {
    let (kong, client) = with_upstream("u").await;
    let body = json!({ "target": "10.0.0.1:80" });
    kong.faults().next(Scope::All, Fault::TooManyRequests(Duration::from_secs(3)));
    let limited = post(&client, &kong, "/upstreams/u/targets", &body).await.unwrap();
    assert_eq!((limited.status().as_u16(), &limited.headers()["retry-after"]), (429, &"3".parse().unwrap()));
    let gone = json!({ "name": "foreign key violation", "code": 4, "message": "…" });
    kong.faults().next(Scope::Writes, Fault::Answer(400, gone.clone()));
    let raced = post(&client, &kong, "/upstreams/u/targets", &body).await.unwrap();
    assert_eq!((raced.status().as_u16(), raced.json::<Value>().await.unwrap()), (400, gone));
    for status in [500, 503] {
        kong.faults().next(Scope::All, Fault::Status(status));
        assert_eq!(post(&client, &kong, "/upstreams/u/targets", &body).await.unwrap().status(), status);
    }
    assert_eq!(kong.targets("u"), Vec::<Value>::new());
}

#[tokio::test]
async fn latency_and_the_cost_of_targets_are_waited_for() {
    let (kong, client) = with_upstream("u").await;
    for n in 0..20 {
        kong.seed_target("u", &json!({ "target": format!("10.0.0.{n}:80") }));
    }
    kong.faults().set_latency(Duration::from_millis(20));
    kong.faults().set_cost_per_target(Duration::from_millis(2));
    let timed = async |path: &str| {
        let start = Instant::now();
        get(&client, &kong, path).await.unwrap();
        start.elapsed()
    };
    assert!(timed("/upstreams/u").await >= Duration::from_millis(20));
    assert!(timed("/upstreams/u/targets/10.0.0.1:80").await >= Duration::from_millis(60));
    kong.faults().set_latency(Duration::from_secs(20));
    kong.faults().clear();
    assert!(timed("/upstreams/u").await < Duration::from_secs(20));
}

#[tokio::test]
async fn a_hanging_request_hangs_alone() {
    let (kong, client) = with_upstream("u").await;
    kong.faults().next(Scope::Reads, Fault::Hang);
    let hanging = client.get(format!("{}/upstreams", kong.admin_url())).timeout(Duration::from_secs(1));
    assert!(hanging.send().await.unwrap_err().is_timeout());
    assert_eq!(get(&client, &kong, "/upstreams").await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn stopped_it_is_unreachable_and_started_again_it_has_what_it_had() {
    let (kong, client) = with_upstream("u").await;
    assert!(get(&client, &kong, "/upstreams/u").await.is_ok());
    kong.stop().await;
    assert!(get(&client, &kong, "/upstreams/u").await.unwrap_err().is_connect());
    kong.restart().await;
    assert_eq!(get(&client, &kong, "/upstreams/u").await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_condition_is_waited_for() {
    let (kong, client) = with_upstream("u").await;
    let three = |kong: &KongStandIn| kong.targets("u").len() == 3;
    assert!(!kong.wait_until(Duration::from_millis(20), three).await);
    let (met, ()) = tokio::join!(kong.wait_until(Duration::from_secs(60), three), async {
        for n in 0..3 {
            let target = json!({ "target": format!("10.0.0.{n}:80") });
            post(&client, &kong, "/upstreams/u/targets", &target).await.unwrap();
        }
    });
    assert!(met);
}

#[tokio::test]
async fn a_token_is_required_when_there_is_one() {
    let kong = KongStandIn::builder().token("secret").start().await;
    let client = http_client();
    let refused = get(&client, &kong, "/services").await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let url = format!("{}/services", kong.admin_url());
    let wrong = client.get(&url).header("Kong-Admin-Token", "guess").send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    let right = client.get(&url).header("Kong-Admin-Token", "secret").send().await.unwrap();
    assert_eq!(right.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_workspace_has_entities_of_its_own() {
    let kong = KongStandIn::builder().workspace("team-a").start().await;
    let client = http_client();
    post(&client, &kong, "/team-a/services", &json!({ "name": "s", "host": "h" })).await.unwrap();
    assert_eq!(get(&client, &kong, "/team-a/services/s").await.unwrap().status(), StatusCode::OK);
    assert_eq!(get(&client, &kong, "/services/s").await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(get(&client, &kong, "/default/services/s").await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(get(&client, &kong, "/default/services").await.unwrap().status(), StatusCode::OK);
    assert_eq!(get(&client, &kong, "/team-b/services").await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(kong.services().len(), 1);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the test's own client trusts one authority only")]
async fn tls_is_trusted_by_its_own_authority_only() {
    let kong = KongStandIn::builder().tls().start().await;
    let url = format!("{}/status", kong.admin_url());
    assert!(url.starts_with("https://127.0.0.1:"));
    assert!(http_client().get(&url).send().await.is_err());
    let authority = reqwest::Certificate::from_pem(kong.ca_pem().unwrap().as_bytes()).unwrap();
    let client = Client::builder().no_proxy().tls_certs_only([authority]).build().unwrap();
    assert_eq!(client.get(&url).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_service_takes_its_plugins_with_it_and_its_routes_keep_it() {
    let kong = KongStandIn::start().await;
    kong.seed(Kind::Services, &json!({ "name": "s", "host": "u" }));
    kong.seed_plugin("s", "rate-limiting");
    kong.seed(Kind::Routes, &json!({ "name": "r", "paths": ["/r"], "service": { "name": "s" } }));
    let (_, plugins) = kong.direct(&Method::GET, "/services/s/plugins", &Value::Null);
    assert_eq!(plugins["data"][0]["name"], "rate-limiting");
    assert_eq!(kong.direct(&Method::DELETE, "/services/s", &Value::Null).0, 400);
    kong.direct(&Method::DELETE, "/routes/r", &Value::Null);
    assert_eq!(kong.direct(&Method::DELETE, "/services/s", &Value::Null).0, 204);
    let (_, plugins) = kong.direct(&Method::GET, "/plugins", &Value::Null);
    assert_eq!(plugins["data"], json!([]));
}

#[tokio::test]
async fn requests_wait_out_their_latency_side_by_side() {
    let (kong, client) = with_upstream("u").await;
    kong.faults().set_latency(Duration::from_millis(600));
    let requests = (0..16).map(|n| {
        let target = json!({ "target": format!("10.0.0.{n}:80") });
        let (client, kong) = (&client, &kong);
        async move { post(client, kong, "/upstreams/u/targets", &target).await.unwrap().status() }
    });
    let statuses = futures::future::join_all(requests).await;
    assert!(statuses.iter().all(|status| *status == StatusCode::CREATED), "{statuses:?}");
    assert!(kong.most_in_flight() >= 8, "{} at once", kong.most_in_flight());
    assert_eq!((kong.targets("u").len(), kong.writes()), (16, 16));
}

/// The shortest of several times of 50 new targets, so that other load on the machine doesn't count.
fn time_of_fifty(kong: &KongStandIn, network: &str) -> Duration {
    let batch = |batch: usize| {
        let start = Instant::now();
        for n in 0..50 {
            kong.seed_target(
                "u",
                &json!({ "target": format!("{network}.{batch}.{n}:80"), "tags": ["causeway"] }),
            );
        }
        start.elapsed()
    };
    (0..8).map(batch).min().unwrap_or_default()
}

#[tokio::test]
async fn a_write_takes_as_long_in_a_large_store_as_in_a_small_one() {
    let kong = KongStandIn::start().await;
    kong.seed(Kind::Upstreams, &json!({ "name": "u" }));
    let small = time_of_fifty(&kong, "10.0");
    for n in 0..4000 {
        let target = json!({ "target": format!("10.1.{}.{}:80", n / 250, n % 250), "tags": ["causeway"] });
        kong.seed_target("u", &target);
    }
    let large = time_of_fifty(&kong, "10.2");
    assert!(large < small * 4, "{large:?} with thousands of targets, {small:?} with few");
}

fn document(weight: u32) -> Value {
    let targets = json!([{ "target": "10.0.0.1", "weight": weight }, { "target": "10.0.0.2:80" }]);
    let document = json!({
        "_format_version": "3.0",
        "consumers": [{ "username": "someone" }],
        "upstreams": [{ "name": "u", "tags": ["causeway"], "targets": targets }],
    });
    json!({ "config": document.to_string() })
}

#[tokio::test]
async fn without_a_database_one_document_replaces_the_world_and_only_what_changes_is_a_commit() {
    let kong = KongStandIn::builder().db_less().start().await;
    let client = http_client();
    let load = async |weight| {
        post(&client, &kong, "/config?check_hash=1", &document(weight)).await.unwrap().status()
    };
    assert_eq!(load(10).await, StatusCode::CREATED);
    assert_eq!(kong.weights("u")["10.0.0.1:8000"], 10);
    assert_eq!(load(10).await, StatusCode::NOT_MODIFIED);
    kong.reset_counts();
    assert_eq!(load(20).await, StatusCode::CREATED);
    let commits = kong.commits();
    assert_eq!(commits.len(), 1, "{commits:?}");
    assert_eq!((commits[0].operation, commits[0].kind), (Operation::Updated, Kind::Targets));
    assert_eq!(commits[0].entity()["weight"], 20);
    let wiped = post(&client, &kong, "/config", &json!({ "_format_version": "3.0" })).await.unwrap();
    assert_eq!((wiped.status(), kong.upstreams().len()), (StatusCode::CREATED, 0));
}

#[tokio::test]
async fn without_a_database_a_bad_document_leaves_the_old_one_and_entities_are_read_only() {
    let kong = KongStandIn::builder().db_less().start().await;
    let client = http_client();
    post(&client, &kong, "/config", &document(10)).await.unwrap();
    let bad = json!({ "_format_version": "3.0", "upstreams": [{ "name": "a@b" }] });
    let refused = post(&client, &kong, "/config?flatten_errors=1", &bad).await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["flattened_errors"][0]["entity_name"], "a@b");
    let written = post(&client, &kong, "/upstreams", &json!({ "name": "v" })).await.unwrap();
    assert_eq!(written.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(kong.weights("u").len(), 2);
}

#[tokio::test]
async fn what_is_live_without_a_database_can_be_posted_back_and_its_tags_found() {
    let kong = KongStandIn::builder().db_less().start().await;
    let client = http_client();
    post(&client, &kong, "/config", &document(10)).await.unwrap();
    let live: Value = get(&client, &kong, "/config").await.unwrap().json().await.unwrap();
    kong.reset_counts();
    assert_eq!(post(&client, &kong, "/config", &live).await.unwrap().status(), StatusCode::CREATED);
    assert_eq!(kong.commits().len(), 0);
    let first: Value = get(&client, &kong, "/tags/causeway").await.unwrap().json().await.unwrap();
    assert_eq!(first["data"], json!([]));
    let path = format!("/tags/causeway?offset={}", first["offset"].as_str().unwrap().replace('|', "%7C"));
    let second: Value = get(&client, &kong, &path).await.unwrap().json().await.unwrap();
    assert_eq!((second["data"].as_array().unwrap().len(), &second["next"]), (1, &Value::Null));
}

#[tokio::test]
async fn plugins_that_are_enabled_may_stand_in_a_document() {
    let kong = KongStandIn::builder().db_less().plugins(["rate-limiting"]).start().await;
    let client = http_client();
    let with = |plugin: &str| {
        let service =
            json!({ "name": "s", "host": "h", "plugins": [{ "name": plugin, "config": { "minute": 5 } }] });
        json!({ "_format_version": "3.0", "services": [service] })
    };
    let refused = post(&client, &kong, "/config", &with("key-auth")).await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let taken = post(&client, &kong, "/config", &with("rate-limiting")).await.unwrap();
    assert_eq!(taken.status(), StatusCode::CREATED);
    let plugins: Value = get(&client, &kong, "/services/s/plugins").await.unwrap().json().await.unwrap();
    assert_eq!(plugins["data"][0]["config"]["minute"], 5);
}
