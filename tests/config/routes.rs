//! `route:` and templates that take their values from metadata.

use std::collections::BTreeMap;

use causeway::config::{RouteTemplate, Template};
use serde_json::{Value, json};

use crate::{data, good, told, warned};

const HEAD: &str = "version: 1\n\
    registries: [{ name: a, type: file, path: p }]\n\
    gateways: [{ name: k, type: kong, addresses: [h] }]\n";

/// A document whose one entry selects these services; `defaults` and `task` have lines of their own.
fn document(defaults: &str, task: &str, entry: &str) -> String {
    format!(
        "{HEAD}defaults: {{ {defaults} }}\ntasks:\n  - {{ name: t, source: a, destination: k, {task}\n\
        \x20    match: [{{ {entry} }}] }}\n"
    )
}

const ALL: &str = "service: \"*\"";
const ONE: &str = "namespace: n, service: orders";

fn route(document: &str) -> Option<RouteTemplate> {
    good(document).tasks[0].matches[0].route.clone()
}

fn rendered(templates: &[Template]) -> Vec<String> {
    let fill = |placeholder: &causeway::config::Placeholder| Some(format!("<{placeholder:?}>"));
    templates.iter().map(|template| template.render(fill).unwrap()).collect()
}

#[test]
fn a_route_is_off_until_it_is_named_and_each_key_is_taken_from_the_nearest() {
    assert_eq!(route(&document("", "", ALL)), None);
    let defaults = r#"route: { paths: ["/{service}"], strip_path: false, methods: [GET] }"#;
    let task = r#"route: { strip_path: true, hosts: [] },"#;
    let found = route(&document(defaults, task, &format!("{ONE}, route: {{ methods: [POST] }}"))).unwrap();
    assert_eq!(rendered(found.paths.as_deref().unwrap()), ["/<Service>"]);
    assert_eq!(found.hosts.as_deref(), Some(&[][..]), "an empty list is owned too");
    let fields = [("methods", json!(["POST"])), ("strip_path", json!(true))];
    let fields: BTreeMap<String, Value> = fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    assert_eq!((found.fields, found.headers), (fields, None));
    assert_eq!(route(&document(defaults, "", &format!("{ALL}, route: {{ enable: false }}"))), None);
    assert!(
        route(&document(defaults, "route: { enable: false },", &format!("{ALL}, route: {{ enable: true }}")))
            .is_some()
    );
}

#[test]
fn every_key_of_a_route_is_read() {
    let config = good(&data("config/full.yaml"));
    let entries = &config.task("nacos-to-kong").unwrap().matches;
    let route = entries[0].route.as_ref().unwrap();
    assert_eq!(
        rendered(route.hosts.as_deref().unwrap()),
        ["<Service>.<Namespace>.example.com", "*.example.org"]
    );
    let headers = route.headers.as_ref().unwrap();
    assert_eq!(
        (rendered(&headers["x-env"]), rendered(&headers["x-zone"])),
        (vec!["prod".into()], vec!["a".into(), "<Source>".into()])
    );
    assert!(route.group_headers.contains_key("x-version"));
    assert_eq!(
        json!(route.fields),
        json!({
            "methods": ["GET"], "protocols": ["http"], "regex_priority": 1, "strip_path": false, "preserve_host": true,
            "https_redirect_status_code": 308, "path_handling": "v0", "request_buffering": false,
            "response_buffering": true,
        })
    );
    assert_eq!(entries[1].route, None);
}

/// A route, and what is told of it.
const WRONG: &[(&str, &str)] = &[
    (
        "paths: [\"/{servce}\"]",
        "`/{servce}` has the unknown placeholder `{servce}` (did you mean `{service}`?)",
    ),
    ("paths: [\"/{group}\"]", "`/{group}` holds `{group}`, which may stand under `group_headers` only"),
    ("paths: [orders]", "`orders` must begin with `/`, or with `~/` for a regular expression"),
    ("paths: [\"/a b\"]", "`/a b` holds ` `, which no path may (a regular expression begins with `~/`)"),
    (
        "hosts: [\"a..b\"]",
        "`a..b` is no host: labels of letters, digits, `_` and `-` with dots between them, of which the first or the last may be `*`",
    ),
    ("methods: [get]", "`get` is no method: they are in capital letters"),
    ("paths: [/a], pathes: [/b]", "unknown key `pathes` (did you mean `paths`?)"),
    ("paths: [/a], https_redirect_status_code: 303", "`303` is none of 426, 301, 302, 307, 308"),
    ("paths: [/a], https_redirect_status_code: found", "expected a whole number, found `found`"),
    ("paths: [/a], path_handling: v2", "`v2` is none of v0, v1 (did you mean `v0`?)"),
    ("paths: [/a], protocols: [http, tcp]", "`tcp` is none of http, https, grpc, grpcs"),
    (
        "paths: [/a], protocols: [http, grpc]",
        "Kong takes http and https, or grpc and grpcs, but no mix of both",
    ),
    ("paths: [/a], headers: { Host: b }", "hosts have a key of their own, `hosts`"),
    ("paths: [/a], headers: { \"x y\": b }", "`x y` is no name of a header: letters, digits, `-` and `_`"),
    ("paths: [/a], headers: { x: b }, group_headers: { X: c }", "the header `X` is named already"),
    ("paths: [/a], group_headers: { x: \"{metadata.}\" }", "`{metadata.}` has `{metadata.}` without a key"),
    (
        "paths: [/a], group_headers: { x: \"{grup}\" }",
        "`{grup}` has the unknown placeholder `{grup}` (did you mean `{group}`?)",
    ),
    (
        "strip_path: true",
        "a route needs `paths`, `hosts`, `methods` or `headers`: Kong makes none that matches everything",
    ),
    (
        "paths: []",
        "a route needs `paths`, `hosts`, `methods` or `headers`: Kong makes none that matches everything",
    ),
];

#[test]
fn what_is_wrong_with_a_route_is_told_where_it_stands() {
    for (route, message) in WRONG {
        let told = told(&document("", "", &format!("{ONE}, route: {{ {route} }}")));
        assert!(told.len() == 1 && told[0].ends_with(&format!(": {message}")), "{route}\n{told:#?}");
        assert!(told[0].contains(": tasks[0].match[0].route"), "{told:?}");
    }
    let defaults = "route: { paths: [\"/{name}\"] }";
    let told = told(&document(defaults, "", ALL));
    assert!(
        told[0].starts_with("c.yaml:4:30: defaults.route.paths[0]: `/{name}` has the unknown"),
        "{told:?}"
    );
}

#[test]
fn one_route_for_many_services_is_warned_of() {
    let entry = |select: &str, route: &str| document("", "", &format!("{select}, route: {{ {route} }}"));
    let warning = "c.yaml:7:37: tasks[0].match[0].route: neither each path nor each host nor a header names `{service}`, \
                   and tasks[0].match[0] may fit several services: only one of them would get its route, the others are \
                   told as conflicts";
    assert_eq!(warned(&entry(ALL, "paths: [\"/{service}\", /all]")), [warning]);
    for fine in [
        "paths: [\"/{service}\"]",
        "paths: [/all], hosts: [\"{service}.x\"]",
        "paths: [/a], headers: { x: \"{service}\" }",
    ] {
        assert_eq!(warned(&entry(ALL, fine)), [""; 0], "{fine}");
    }
    assert_eq!(warned(&entry(ONE, "paths: [/orders]")), [""; 0]);
}

#[test]
fn a_setting_is_a_value_or_a_metadata_key() {
    let kong =
        |service: &str| told(&format!("version: 1\ndefaults: {{ kong: {{ service: {{ {service} }} }} }}\n"));
    for (service, message) in [
        (
            "protocol: { metadata: p, else: ftp }",
            "`ftp` is none of http, https, grpc, grpcs, tcp, tls, tls_passthrough, udp",
        ),
        ("port: { metadata: p, else: many }", "expected a whole number, found `many`"),
        ("port: { metadat: p }", "unknown key `metadat` (did you mean `metadata`?)"),
        ("port: { else: 1 }", "`metadata` is missing (here: else)"),
        ("port: { metadata: \"\" }", "must not be empty"),
        ("port: [1]", "expected a whole number or a table, found a list"),
        ("tls_verify: { metadata: tls, else: maybe }", "expected true or false, found `maybe`"),
    ] {
        let told = kong(service);
        assert!(told.len() == 1 && told[0].ends_with(&format!(": {message}")), "{service}\n{told:#?}");
    }
}
