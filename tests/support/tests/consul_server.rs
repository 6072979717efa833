//! The Consul that tests run on is as they need it. It says nothing of Causeway.
#![allow(clippy::unwrap_used, missing_docs)]

use causeway_test_support::consul::{ConsulOptions, ConsulServer, Registration};
use serde_json::Value;

async fn hosts(server: &ConsulServer, service: &str) -> Vec<String> {
    let shown = server.http().get(&format!("/v1/health/service/{service}")).await.unwrap();
    let host = |entry: &Value| entry["Service"]["Address"].as_str().unwrap().to_owned();
    shown.as_array().unwrap().iter().map(host).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persistent_server_with_acls_keeps_its_data_until_it_is_wiped() {
    let options = ConsulOptions { acl: true, persistent: true, ..ConsulOptions::default() };
    let mut server = ConsulServer::start(options).await.unwrap();
    let orders = Registration::new("orders", "10.0.0.1", 80).check("critical");
    server.http().register(&orders).await.unwrap();
    server.start_again(false).await.unwrap();
    assert_eq!(hosts(&server, "orders").await, ["10.0.0.1"]);
    let nobody = server.http().with_token("00000000-0000-0000-0000-000000000000");
    let told = nobody.get("/v1/catalog/services").await.unwrap_err().to_string();
    assert!(told.contains("ACL not found"), "{told}");
    server.start_again(true).await.unwrap();
    assert_eq!(hosts(&server, "orders").await, Vec::<String>::new());
    server.stop();
    assert!(server.ports_are_free());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_run_side_by_side() {
    let start = || ConsulServer::start(ConsulOptions::default());
    let (one, two) = (start().await.unwrap(), start().await.unwrap());
    assert_ne!(one.pid().unwrap(), two.pid().unwrap());
    let services = [Registration::new("a", "10.0.0.1", 80), Registration::new("b", "10.0.0.2", 80)];
    one.http().register(&services[0]).await.unwrap();
    one.http().register_all(&services).await.unwrap();
    assert_eq!(hosts(&one, "b").await, ["10.0.0.2"]);
    assert_eq!(hosts(&two, "b").await, Vec::<String>::new());
    one.http().deregister(&services[1]).await.unwrap();
    assert_eq!(hosts(&one, "b").await, Vec::<String>::new());
}
