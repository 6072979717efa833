//! Fields that the instances' metadata says.

use causeway::model::Instance;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{config, orders, run, service_fields, told, with};

type Pairs = &'static [(&'static str, &'static str)];

/// The metadata of each instance, the service's fields that follow, and what is told.
const SAID: &[(&[Pairs], &str, &str)] = &[
    (&[], r#"{ "retries": 2 }"#, ""),
    (&[&[], &[]], r#"{ "retries": 2, "protocol": "http" }"#, ""),
    (&[&[("protocol", "HTTPS")], &[("protocol", "https")]], r#"{ "retries": 2, "protocol": "https" }"#, ""),
    (
        &[&[("protocol", "https")], &[]],
        r#"{ "retries": 2, "protocol": "http" }"#,
        "the instances disagree on protocol: http (10.0.0.2:8080), https (10.0.0.1:8080); http, the smallest, holds until \
         they agree",
    ),
    (
        &[&[("protocol", "ftp")], &[("protocol", "ftp")]],
        r#"{ "retries": 2, "protocol": "http" }"#,
        "the metadata `protocol` of instance 10.0.0.1:8080 is `ftp` (and 1 more), but protocol takes one of http, https, \
         grpc, grpcs, tcp, tls, tls_passthrough, udp; \"http\" is used instead",
    ),
    (
        &[&[("path", "v1")], &[("path", "/v1")]],
        r#"{ "retries": 2, "protocol": "http", "path": "/v1" }"#,
        "the metadata `path` of instance 10.0.0.1:8080 is `v1`, but path takes a path that begins with `/`; it counts as \
         absent",
    ),
];

#[test]
fn fields_from_metadata() {
    let config = config(
        "kong: { service: { protocol: { metadata: protocol, else: http }, path: { metadata: path }, retries: 2 } }",
    );
    for (instances, fields, expected) in SAID {
        let instances: Vec<Instance> = instances
            .iter()
            .enumerate()
            .map(|(n, pairs)| with(&format!("10.0.0.{}", n + 1), pairs))
            .collect();
        let projected = run(&config, &orders(), &instances);
        assert_eq!(service_fields(&projected), serde_json::from_str::<Value>(fields).unwrap());
        let expected = (!expected.is_empty()).then(|| format!("service r.prod.TRADE__orders: {expected}"));
        assert_eq!(told(&projected), expected.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn an_instance_that_is_sent_no_traffic_says_nothing() {
    let config = config("kong: { service: { protocol: { metadata: protocol } } }");
    let disabled = Instance { enabled: false, ..with("10.0.0.1", &[("protocol", "grpc")]) };
    let projected = run(&config, &orders(), &[disabled.clone(), with("10.0.0.2", &[("protocol", "https")])]);
    assert_eq!((service_fields(&projected), told(&projected)), (json!({ "protocol": "https" }), vec![]));
    assert_eq!(service_fields(&run(&config, &orders(), &[disabled])), json!({}), "so what stands is left");
}

#[test]
fn a_registrys_own_field_stands_in_for_metadata() {
    let config = config("kong: { service: { protocol: { metadata: protocol } } }");
    let mut polaris = with("10.0.0.1", &[]);
    polaris.attributes.insert("protocol".to_owned(), "grpc".to_owned());
    assert_eq!(service_fields(&run(&config, &orders(), &[polaris])), json!({ "protocol": "grpc" }));
}

#[test]
fn what_another_protocol_does_not_take_is_taken_away_with_it() {
    let config =
        config("kong: { service: { protocol: { metadata: protocol }, tls_verify: true, path: /v1 } }");
    for (protocol, fields) in [
        ("https", json!({ "protocol": "https", "tls_verify": true, "path": "/v1" })),
        ("http", json!({ "protocol": "http", "tls_verify": null, "path": "/v1" })),
        ("grpcs", json!({ "protocol": "grpcs", "tls_verify": null, "path": null })),
    ] {
        let projected = run(&config, &orders(), &[with("10.0.0.1", &[("protocol", protocol)])]);
        assert_eq!(service_fields(&projected), fields);
    }
    assert_eq!(service_fields(&run(&config, &orders(), &[])), json!({}), "nobody knows what it will take");
}

#[test]
fn each_group_speaks_for_itself() {
    let config = config(
        r#"groups: [ { name: v1, metadata: { version: "1" } }, { name: v2, metadata: { version: "2" } } ]
        route: { paths: ["/{service}"], group_headers: { x-version: "{metadata.version}" } }
        kong:
          service: { protocol: { metadata: protocol } }
          upstream: { host_header: { metadata: domain } }"#,
    );
    let of = |host, version, protocol, domain| {
        with(host, &[("version", version), ("protocol", protocol), ("domain", domain)])
    };
    let shown = [of("10.0.0.1", "1", "http", "a.example"), of("10.0.0.2", "2", "https", "b.example")];
    let projected = run(&config, &orders(), &shown);
    let name = "r.prod.TRADE__orders";
    let services = &projected.desired.services;
    assert_eq!(services[&format!("{name}~v1")].fields["protocol"], "http");
    assert_eq!(services[&format!("{name}~v2")].fields["protocol"], "https");
    let upstream =
        |group: &str| &projected.desired.upstreams[&format!("{name}.{group}")].fields["host_header"];
    assert_eq!(
        [upstream("default"), upstream("v1"), upstream("v2")],
        ["a.example", "a.example", "b.example"]
    );
    let objects: Vec<String> = projected.conflicts.iter().map(|conflict| conflict.key.to_string()).collect();
    assert_eq!(objects, [format!("upstream {name}.default"), format!("service {name}")]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_order_of_instances_makes_no_difference(
        (one, other) in prop::collection::vec(("[a-c]{0,2}|https?|grpc", 0u16..4), 0..6).prop_flat_map(|said| {
            let instances: Vec<Instance> = said
                .iter()
                .enumerate()
                .map(|(n, (text, port))| with(&format!("10.0.0.{n}"), &[("protocol", text), ("port", &port.to_string())]))
                .collect();
            (Just(instances.clone()), Just(instances).prop_shuffle())
        }),
    ) {
        let config = config(
            "kong: { service: { protocol: { metadata: protocol }, port: { metadata: port } }, upstream: { host_header: { metadata: protocol } } }",
        );
        prop_assert_eq!(run(&config, &orders(), &one), run(&config, &orders(), &other));
    }
}
