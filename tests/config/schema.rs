//! The published schema is the one that documents are checked by.

use causeway::config;

use crate::data;

#[test]
fn the_published_schema_is_up_to_date() {
    let current = format!("{}\n", serde_json::to_string_pretty(&config::schema()).unwrap());
    assert!(
        data("../../conf/schema.json") == current,
        "conf/schema.json is out of date: regenerate it with `cargo run -- schema > conf/schema.json`"
    );
}

#[test]
fn the_schema_is_a_valid_one_and_closed() {
    let schema = config::schema();
    assert!(jsonschema::meta::is_valid(&schema));
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&serde_json::json!({ "version": 1, "x-anything": [1] })));
    for bad in [
        serde_json::json!({}),
        serde_json::json!({ "version": 2 }),
        serde_json::json!({ "version": 1, "taks": [] }),
        serde_json::json!({ "version": 1, "registries": [{ "type": "file", "name": "a", "path": "b", "token": "c" }] }),
    ] {
        assert!(!validator.is_valid(&bad), "{bad}");
    }
}

#[test]
fn every_secret_may_stand_in_a_file() {
    let schema = config::schema().to_string();
    for secret in ["token", "password", "access_key", "secret_key"] {
        assert!(schema.contains(&format!("\"{secret}_file\":")), "{secret}");
    }
}
