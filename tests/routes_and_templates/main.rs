//! From a document with `route:` and templates to what a gateway should hold.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};

use causeway::config::{self, Config, RegistryKind};
use causeway::model::{Address, Instance, ServiceKey, Snapshot};
use causeway::project::{Incumbents, Projected, Projection, project};
use causeway_gateways::{Desired, Route};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A configuration whose one entry has these keys besides.
fn config(keys: &str) -> Config {
    let text = format!(
        r#"
version: 1
registries: [ {{ name: r, type: file, path: p }} ]
gateways: [ {{ name: k, type: kong, addresses: [h] }} ]
tasks:
  - name: t
    source: r
    destination: k
    match:
      - service: "*"
        {keys}
"#
    );
    config::parse(&text, "test", &|_| None).unwrap_or_else(|mistakes| panic!("{mistakes}")).config
}

fn run(config: &Config, key: &ServiceKey, instances: &[Instance]) -> Projected {
    let task = &config.tasks[0];
    let entry = &task.matches[0];
    let incumbents = &Incumbents::default();
    let request = Projection { owner: "me", task, source_kind: RegistryKind::File, entry, incumbents };
    project(&request, &Snapshot::new(key.clone(), instances.to_vec()))
}

fn orders() -> ServiceKey {
    ServiceKey::new("prod", "TRADE__orders")
}

fn with(host: &str, metadata: &[(&str, &str)]) -> Instance {
    let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Instance { metadata, ..Instance::new(Address::new(host, 8080)) }
}

fn told(projected: &Projected) -> Vec<String> {
    projected.conflicts.iter().map(|conflict| format!("{}: {}", conflict.key, conflict.reason)).collect()
}

/// Names of the routes, each with what it leads to and its fields.
fn routes(desired: &Desired) -> BTreeMap<&str, (&str, Value)> {
    let shown = |route: &Route| json!(route.fields);
    desired.routes.iter().map(|(name, it)| (name.as_str(), (it.service.as_str(), shown(it)))).collect()
}

const GROUPS: &str =
    r#"groups: [ { name: v1, metadata: { version: "1.0.0" } }, { name: "v/2", metadata: { zone: a } } ]"#;

#[test]
fn a_route_leads_to_the_service_and_one_for_each_group_to_that_groups_upstream() {
    let config = config(&format!(
        r#"{GROUPS}
        route:
          paths: ["/{{service}}", "~/{{namespace}}/{{service}}/\\d{{{{3}}}}$"]
          hosts: ["{{service}}.{{namespace}}.Example.com"]
          headers: {{ x-env: [prod, "{{namespace}}"] }}
          group_headers: {{ x-group: "{{group}}" }}
          strip_path: false"#
    ));
    let desired =
        run(&config, &ServiceKey::new("prod", "com.Foo:1"), &[with("10.0.0.1", &[("version", "1.0.0")])])
            .desired;
    let shared = json!({
        "paths": ["/com.Foo_x3a1", r"~/prod/com\.Foo_x3a1/\d{3}$"],
        "hosts": ["com.foo_x3a1.prod.example.com"],
        "headers": { "x-env": ["prod", "prod"] },
        "strip_path": false,
    });
    let of = |group: &str| {
        let mut fields = shared.clone();
        fields["headers"]["x-group"] = json!([group]);
        fields
    };
    let service = "r.prod.com.Foo_x3a1";
    let (v1, v2) = (format!("{service}~v1"), format!("{service}~v_x2f2"));
    let expected = [(service, shared.clone()), (&v1, of("v1")), (&v2, of("v/2"))];
    assert_eq!(routes(&desired), expected.into_iter().map(|(name, fields)| (name, (name, fields))).collect());
    let hosts: Vec<(&str, &str)> =
        desired.services.iter().map(|(name, it)| (name.as_str(), it.host.as_str())).collect();
    let upstream = |group: &str| format!("{service}.{group}");
    assert_eq!(
        hosts,
        [(service, upstream("default").as_str()), (&v1, &upstream("v1")), (&v2, &upstream("v_x2f2"))]
    );
}

#[test]
fn routes_and_the_groups_services_bear_our_marks() {
    let config = config(&format!(
        r#"{GROUPS}
        kong: {{ tags: [edge] }}
        route: {{ paths: ["/{{service}}"], group_headers: {{ x-group: "{{group}}" }} }}"#
    ));
    let desired = run(&config, &orders(), &[]).desired;
    assert_eq!(desired.routes.len(), 3);
    for (name, route) in &desired.routes {
        let bears = |tag: &str| route.tags.contains(tag);
        assert!(
            bears("causeway.task:t") && bears("causeway.service:TRADE__orders") && bears("edge"),
            "{name}"
        );
        assert_eq!(bears("causeway.group:v1"), name.ends_with("~v1"));
        assert_eq!(route.tags, desired.services[name].tags);
    }
}

#[test]
fn a_header_of_a_group_takes_the_value_by_which_the_group_is_chosen() {
    let config = config(&format!(
        r#"{GROUPS}
        route: {{ paths: ["/{{service}}"], group_headers: {{ x-version: "{{metadata.version}}" }} }}"#
    ));
    let projected = run(&config, &orders(), &[]);
    let found = routes(&projected.desired);
    let name = "r.prod.TRADE__orders";
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [name, "r.prod.TRADE__orders~v1"]);
    assert_eq!(found["r.prod.TRADE__orders~v1"].1["headers"], json!({ "x-version": ["1.0.0"] }));
    assert_eq!(projected.desired.services.len(), 2, "a group without a route needs no service");
    assert_eq!(
        told(&projected),
        [
            "route r.prod.TRADE__orders~v_x2f2: group v/2 gets no route by the header x-version: it is not chosen by the \
          metadata `version`"
        ]
    );
}

#[test]
fn what_kong_would_take_for_a_regular_expression_is_told_or_written_as_text() {
    let route = |value: &str| {
        config(&format!(
            r#"groups: [ {{ name: "~*", metadata: {{ version: "1.0" }} }} ]
        route: {{ paths: [/a], headers: {{ x-service: "{{service}}" }}, group_headers: {{ x-v: "{value}" }} }}"#
        ))
    };
    let by_name = run(&route("{group}"), &orders(), &[]);
    assert!(
        told(&by_name)[0].ends_with("Kong would take `~*` for a regular expression"),
        "{:?}",
        told(&by_name)
    );
    let by_pattern = run(&route("~*^v?{metadata.version}$"), &orders(), &[]);
    let group = &by_pattern.desired.routes["r.prod.TRADE__orders~_x7e_x2a"];
    assert_eq!(group.fields["headers"]["x-v"], json!([r"~*^v?1\.0$"]));
    let by_service = run(&route("v"), &ServiceKey::new("prod", "~*.*"), &[]);
    assert!(by_service.desired.routes.is_empty(), "a route without its header would match too much");
    assert!(told(&by_service)[0].contains("header x-service"), "{:?}", told(&by_service));
}

fn service_fields(projected: &Projected) -> Value {
    json!(projected.desired.services["r.prod.TRADE__orders"].fields)
}

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

fn targets(projected: &Projected) -> Vec<(String, Vec<String>)> {
    let targets = &projected.desired.upstreams["r.prod.TRADE__orders.default"].targets;
    let marks = |tags: &BTreeSet<String>| {
        tags.iter().filter(|tag| tag.starts_with("causeway.port")).cloned().collect()
    };
    targets.iter().map(|(address, target)| (address.to_string(), marks(&target.tags))).collect()
}

#[test]
fn a_port_from_metadata_is_the_targets() {
    let config = config("kong: { service: { port: { metadata: gRPC_port } } }");
    let shown = [
        with("10.0.0.1", &[("gRPC_port", "9090")]),
        with("10.0.0.2", &[("gRPC_port", "8080")]),
        with("10.0.0.3", &[("gRPC_port", "abc")]),
        with("10.0.0.4", &[]),
        Instance { address: Address::new("10.0.0.5", 0), ..with("", &[("gRPC_port", "9090")]) },
    ];
    let projected = run(&config, &orders(), &shown);
    let moved = |address: &str, from: &str| (address.to_owned(), vec![format!("causeway.port:{from}")]);
    let stays = |address: &str| (address.to_owned(), vec![]);
    assert_eq!(
        targets(&projected),
        [
            moved("10.0.0.1:9090", "8080"),
            stays("10.0.0.2:8080"),
            stays("10.0.0.3:8080"),
            stays("10.0.0.4:8080"),
            moved("10.0.0.5:9090", "0"),
        ]
    );
    assert_eq!(
        service_fields(&projected),
        json!({}),
        "their ports differ, and Kong looks at the targets' only"
    );
    assert_eq!(told(&projected).len(), 1);
    assert!(
        told(&projected)[0].contains("`abc`, but port takes a whole number from 0 to 65535"),
        "{:?}",
        told(&projected)
    );
    let agreed = run(&config, &orders(), &shown[..1]);
    assert_eq!((service_fields(&agreed), told(&agreed)), (json!({ "port": 9090 }), vec![]));
}

#[test]
fn of_two_instances_at_one_target_the_second_is_left_out_and_told() {
    let config = config("kong: { service: { port: { metadata: p, else: 9090 } } }");
    let second = Instance { address: Address::new("10.0.0.1", 8081), ..with("", &[]) };
    let projected = run(&config, &orders(), &[second, with("10.0.0.1", &[])]);
    assert_eq!(targets(&projected), [("10.0.0.1:9090".to_owned(), vec!["causeway.port:8080".to_owned()])]);
    let skipped: Vec<String> =
        projected.skipped.iter().map(|it| format!("{}: {}", it.address, it.reason)).collect();
    assert_eq!(skipped, ["10.0.0.1:8081: instance 10.0.0.1:8080 has the same host and port in Kong"]);
    assert!(projected.skipped[0].reason.is_mistake());
}

/// Rich in what paths and hosts do not take.
fn part() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-z0-9]{1,4}", 3 => "[a-zA-Z._~:@%/ {}*-]{0,6}", 1 => "\\PC{0,3}", 1 => "_x[0-9a-f]{0,2}"]
}

fn kong_takes_path(path: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"/._~-".contains(&b);
    path.starts_with('/') && !path.contains("//") && path.bytes().all(fine)
}

fn kong_takes_host(host: &str) -> bool {
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b);
    host.split('.').all(|label| !label.is_empty() && !label.ends_with('-') && label.bytes().all(fine))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Two services never share a path, nor a host unless they differ in the case of letters only.
    #[test]
    fn services_of_two_keys_have_paths_and_hosts_of_their_own(
        one in (part(), part()), other in (part(), part()),
    ) {
        let config = config(r#"route: { paths: ["/{namespace}/{service}"], hosts: ["{service}.{namespace}.example.com"] }"#);
        let of = |(namespace, service): &(String, String)| {
            let desired = run(&config, &ServiceKey::new(namespace.as_str(), service.as_str()), &[]).desired;
            let fields = desired.routes.into_values().next().unwrap().fields;
            [&fields["paths"], &fields["hosts"]].map(|list| list[0].as_str().unwrap().to_owned())
        };
        let ([path, host], [other_path, other_host]) = (of(&one), of(&other));
        prop_assert!(kong_takes_path(&path), "{path}");
        prop_assert!(kong_takes_host(&host), "{host}");
        prop_assert_eq!(path == other_path, one == other);
        let folded = |(namespace, service): &(String, String)| (namespace.to_ascii_lowercase(), service.to_ascii_lowercase());
        prop_assert!(host != other_host || folded(&one) == folded(&other), "{host}");
    }

    #[test]
    fn a_route_changes_nothing_else(versions in prop::collection::vec("[12]", 0..5)) {
        let shown: Vec<Instance> = versions
            .iter()
            .enumerate()
            .map(|(n, version)| with(&format!("10.0.0.{n}"), &[("version", version), ("protocol", version)]))
            .collect();
        let groups = r#"groups: [ { name: v1, metadata: { version: "1" } } ]
        kong: { service: { protocol: { metadata: protocol, else: http } } }"#;
        let without = run(&config(groups), &orders(), &shown).desired;
        let route = format!("{groups}\n        route: {{ paths: [\"/{{service}}\"] }}");
        let with_route = run(&config(&route), &orders(), &shown).desired;
        prop_assert_eq!(with_route.routes.len(), 1);
        prop_assert_eq!(&Desired { routes: BTreeMap::new(), ..with_route }, &without);
        let by_header = format!("{groups}\n        route: {{ paths: [\"/{{service}}\"], group_headers: {{ x: \"{{group}}\" }} }}");
        let mut by_header = run(&config(&by_header), &orders(), &shown).desired;
        by_header.services.remove("r.prod.TRADE__orders~v1").unwrap();
        prop_assert_eq!(Desired { routes: BTreeMap::new(), ..by_header }, without);
    }

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
