//! Routes: to the service, and by a header to one of its groups.

use std::collections::BTreeMap;

use causeway::model::{Instance, ServiceKey};
use causeway_gateways::{Desired, Route};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{config, orders, run, told, with};

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
}
