//! docker-compose.yml by the Compose specification's own schema, and the files that it names.

use std::path::Path;

use serde_json::{Value, json};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap()
}

fn compose() -> Value {
    serde_saphyr::from_str(&read("docker-compose.yml")).unwrap()
}

fn mistakes(document: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(&read("tests/data/compose/compose-spec.json")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_compose_file_is_one_by_the_specification() {
    assert_eq!(mistakes(&compose()), Vec::<String>::new());
}

#[test]
fn the_schema_finds_mistakes() {
    let told = |document: &Value, word: &str| mistakes(document).iter().any(|mistake| mistake.contains(word));
    let mut broken = compose();
    broken["services"]["kong"]["restarts"] = json!("always");
    assert!(told(&broken, "restarts"));
    let mut broken = compose();
    broken["services"]["nacos"]["ports"] = json!("8848");
    assert!(told(&broken, "/services/nacos/ports"));
}

#[test]
fn kong_with_postgres_nacos_and_causeway_from_this_repository() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    let names: Vec<&String> = services.keys().collect();
    assert_eq!(names, ["causeway", "kong", "kong-database", "kong-migrations", "nacos"]);
    assert_eq!(services["kong"]["image"], "kong:3.9");
    assert_eq!(services["kong"]["environment"], services["kong-migrations"]["environment"]);
    assert_eq!(services["causeway"]["build"], ".");
    assert!(repository().join("Dockerfile").is_file());
    for dependency in services.values().flat_map(dependencies) {
        assert!(services.contains_key(&dependency), "{dependency}");
    }
}

fn dependencies(service: &Value) -> Vec<String> {
    service["depends_on"].as_object().map(|on| on.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn ports_are_published_on_the_loopback_address_only() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    let ports: Vec<&str> = services
        .values()
        .flat_map(|service| service["ports"].as_array().into_iter().flatten())
        .map(|port| port.as_str().unwrap())
        .collect();
    assert!(!ports.is_empty() && ports.iter().all(|port| port.starts_with("127.0.0.1:")), "{ports:?}");
}
