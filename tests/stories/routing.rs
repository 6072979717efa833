//! Kong routes too, where the configuration says so: to the service, and by a header to one of its groups.

use causeway_test_support::kong::{Kind, KongStandIn};
use http::Method;
use serde_json::{Value, json};

use crate::document::Document;
use crate::registry::ModelRegistry;
use crate::stage::{Deployment, Stage, instance, of_version};

const ORDERS: &str = "r.default.orders";

/// `service` says which services the entry fits, `keys` what else stands in it.
fn document(service: &str, keys: &str) -> String {
    let entry = &format!(r#"namespace: default, service: "{service}", {keys}"#);
    Document { entry, ..Document::default() }.text()
}

const GROUPS: &str =
    r#"groups: [ { name: v1, metadata: { version: "1" } }, { name: v2, metadata: { version: "2" } } ]"#;
const BY_PATH: &str = r#"route: { paths: ["/{service}"] }"#;
const BY_HEADER: &str =
    r#"route: { paths: ["/{service}"], group_headers: { x-version: "{metadata.version}" } }"#;

/// Objects are written one by one, or as a whole document.
async fn with_and_without_a_database() -> [Stage; 2] {
    let kong = KongStandIn::builder().db_less().start().await;
    [Stage::new().await, Stage { kong, registry: ModelRegistry::default() }]
}

async fn deploy(stage: &Stage, document: &str) -> Deployment {
    stage.register("orders", [of_version("10.0.0.1", "1"), of_version("10.0.0.2", "2")]);
    stage.ready(document).await
}

fn route(stage: &Stage, name: &str) -> Value {
    stage.kong.entity(Kind::Routes, name).unwrap_or_else(|| panic!("no route {name}:\n{}", stage.dump()))
}

fn names(entities: &[Value]) -> Vec<&str> {
    let mut names: Vec<&str> = entities.iter().map(|it| it["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

/// The addresses that a request would come to which this route matches.
fn leads_to(stage: &Stage, name: &str) -> Vec<String> {
    let id = route(stage, name)["service"]["id"].clone();
    let service = stage.kong.services().into_iter().find(|service| service["id"] == id).unwrap();
    stage.kong.weights(service["host"].as_str().unwrap()).into_keys().collect()
}

fn direct(stage: &Stage, method: &Method, path: &str, body: &Value) {
    let (status, answer) = stage.kong.direct(method, path, body);
    assert!(status < 300, "{status} {answer}");
}

#[tokio::test]
async fn without_a_template_there_is_no_route() {
    let stage = Stage::new().await;
    let deployment = deploy(&stage, &document("*", GROUPS)).await;
    deployment.after_audits(1).await;
    assert_eq!((stage.kong.routes(), names(&stage.kong.services())), (vec![], vec![ORDERS]));
    deployment.stop().await;
}

#[tokio::test]
async fn a_header_chooses_the_group_and_a_second_start_writes_nothing() {
    for stage in with_and_without_a_database().await {
        a_header_chooses_the_group(&stage).await;
    }
}

async fn a_header_chooses_the_group(stage: &Stage) {
    let document = document("*", &format!("{GROUPS}, {BY_HEADER}"));
    let deployment = deploy(stage, &document).await;
    let (v1, v2) = (format!("{ORDERS}~v1"), format!("{ORDERS}~v2"));
    assert_eq!(names(&stage.kong.routes()), [ORDERS, &v1, &v2]);
    assert_eq!(names(&stage.kong.services()), [ORDERS, &v1, &v2]);
    assert_eq!(leads_to(stage, ORDERS), ["10.0.0.1:8080", "10.0.0.2:8080"]);
    assert_eq!(leads_to(stage, &v1), ["10.0.0.1:8080"]);
    assert_eq!(leads_to(stage, &v2), ["10.0.0.2:8080"]);
    assert_eq!(route(stage, ORDERS)["headers"], Value::Null);
    assert_eq!(route(stage, &v2)["headers"], json!({ "x-version": ["2"] }));
    for name in [ORDERS, &v1, &v2] {
        let found = route(stage, name);
        assert_eq!((&found["paths"], &found["strip_path"]), (&json!(["/orders"]), &json!(true)));
        for tag in ["causeway.owner:me", "causeway.task:t", "causeway.service:orders"] {
            assert!(found["tags"].as_array().unwrap().contains(&tag.into()), "{tag} is missing in {found}");
        }
    }
    assert_eq!(deployment.status().gateways[0].ours.routes, 3);
    deployment.stop().await;

    stage.kong.reset_counts();
    let second = stage.ready(&document).await;
    second.after_audits(2).await;
    assert_eq!(stage.writes(), [""; 0]);
    second.stop().await;
}

#[tokio::test]
async fn what_the_template_names_is_put_right_and_all_else_is_its_users() {
    let stage = Stage::new().await;
    let deployment = deploy(&stage, &document("*", BY_PATH)).await;
    let path = format!("/routes/{ORDERS}");
    direct(
        &stage,
        &Method::PATCH,
        &path,
        &json!({ "paths": ["/elsewhere"], "strip_path": false, "methods": ["GET"] }),
    );
    stage.kong.seed_plugin(ORDERS, "key-auth");
    stage.until("its path is put right", |_| route(&stage, ORDERS)["paths"] == json!(["/orders"])).await;
    deployment.after_audits(3).await;
    let found = route(&stage, ORDERS);
    assert_eq!((&found["strip_path"], &found["methods"]), (&json!(false), &json!(["GET"])));
    deployment.stop().await;

    // A key that is taken out of the template is its user's from then on, as it stands; an empty list is a key.
    let by_host =
        |paths: &str| document("*", &format!(r#"route: {{ hosts: ["{{service}}.example"], {paths} }}"#));
    let deployment = stage.deploy(&by_host(""));
    stage.until("it has a host", |_| route(&stage, ORDERS)["hosts"] == json!(["orders.example"])).await;
    deployment.after_audits(1).await;
    assert_eq!(route(&stage, ORDERS)["paths"], json!(["/orders"]));
    deployment.stop().await;
    let deployment = stage.deploy(&by_host("paths: []"));
    stage.until("it has no path", |_| route(&stage, ORDERS)["paths"] == json!([])).await;
    deployment.stop().await;
}

#[tokio::test]
async fn a_route_goes_with_its_template_and_before_its_service() {
    for stage in with_and_without_a_database().await {
        deploy(&stage, &document("*", &format!("{GROUPS}, {BY_HEADER}"))).await.stop().await;
        stage.kong.reset_counts();
        let deployment = stage.deploy(&document("*", GROUPS));
        stage.until("the groups' services are gone", |kong| kong.services().len() == 1).await;
        deployment.after_audits(2).await;
        assert_eq!((stage.kong.routes(), names(&stage.kong.services())), (vec![], vec![ORDERS]));
        assert_eq!(stage.kong.upstreams().len(), 3, "{:?}", stage.writes());
        let fits = |write: &String| write.starts_with("DELETE /") || write.starts_with("POST /config?");
        assert!(stage.writes().iter().all(fits), "{:?}", stage.writes());
        deployment.stop().await;
    }
}

#[tokio::test]
async fn a_service_that_goes_takes_its_routes_with_it() {
    for stage in with_and_without_a_database().await {
        let deployment = deploy(&stage, &document("*", &format!("{GROUPS}, {BY_HEADER}"))).await;
        stage.deregister("orders");
        stage
            .until("nothing is left", |kong| {
                kong.routes().is_empty() && kong.services().is_empty() && kong.upstreams().is_empty()
            })
            .await;
        deployment.stop().await;
    }
}

#[tokio::test]
async fn a_foreign_route_of_the_same_name_is_a_conflict_and_keeps_its_way() {
    let stage = Stage::new().await;
    stage.kong.seed(Kind::Services, &json!({ "name": "theirs", "host": "example.org" }));
    let theirs = json!({ "name": ORDERS, "hosts": ["theirs.example"], "service": { "name": "theirs" } });
    stage.kong.seed(Kind::Routes, &theirs);
    let foreign = stage.foreign();
    let deployment = deploy(&stage, &document("*", BY_PATH)).await;
    let object = format!("route {ORDERS}");
    deployment.until("it is told", |_| deployment.conflicts().contains_key(&object)).await;
    assert!(
        deployment.conflicts()[&object].contains("somebody else made it"),
        "{:?}",
        deployment.conflicts()
    );
    deployment.after_audits(2).await;
    assert_eq!(stage.foreign(), foreign);
    direct(&stage, &Method::DELETE, &format!("/routes/{ORDERS}"), &Value::Null);
    stage.until("ours is made", |kong| kong.entity(Kind::Routes, ORDERS).is_some()).await;
    deployment.until("nothing is told", |status| status.tasks[0].conflicts.is_empty()).await;
    deployment.stop().await;
}

#[tokio::test]
async fn two_services_never_share_the_same_requests_in_silence() {
    let stage = Stage::new().await;
    let both = document("orders*", r#"route: { paths: ["/shop"] }"#);
    stage.register("orders-b", [instance("10.0.1.1")]);
    let deployment = deploy(&stage, &both).await;
    deployment.until("one of them is told", |status| status.tasks[0].conflicts.len() == 1).await;
    stage.until("there is one route", |kong| kong.routes().len() == 1).await;
    let winner = stage.kong.routes()[0]["name"].as_str().unwrap().to_owned();
    let (loser, its_service) =
        if winner == ORDERS { ("r.default.orders-b", "orders") } else { (ORDERS, "orders-b") };
    deployment.after_audits(2).await;
    assert_eq!(names(&stage.kong.routes()), [winner.as_str()]);
    let reason = deployment.conflicts()[&format!("route {loser}")].clone();
    assert!(
        reason.starts_with(&format!("route {winner}, of service default/{its_service}, matches the same")),
        "{reason}"
    );

    stage.deregister(its_service);
    stage.until("the other one has its turn", |kong| names(&kong.routes()) == [loser]).await;
    deployment.until("nothing is told", |status| status.tasks[0].conflicts.is_empty()).await;
    deployment.stop().await;
}

#[tokio::test]
async fn a_route_of_people_that_matches_the_same_is_told_and_left_alone() {
    let stage = Stage::new().await;
    stage.kong.seed(Kind::Services, &json!({ "name": "shop", "host": "example.org" }));
    let shop = json!({ "name": "shop", "paths": ["/orders"], "service": { "name": "shop" } });
    stage.kong.seed(Kind::Routes, &shop);
    let foreign = stage.foreign();
    let deployment = deploy(&stage, &document("*", BY_PATH)).await;
    let object = format!("route {ORDERS}");
    deployment.until("it is told", |_| deployment.conflicts().contains_key(&object)).await;
    assert!(
        deployment.conflicts()[&object].contains("route shop, which bears no mark of Causeway"),
        "{:?}",
        deployment.conflicts()
    );
    deployment.after_audits(1).await;
    assert_eq!((stage.foreign(), names(&stage.kong.routes())), (foreign, vec!["shop"]));
    deployment.stop().await;
}
