//! Mistakes of meaning in native documents.

use crate::{good, told};

/// A sound document with room for a test's own lines.
const HEAD: &str = "version: 1\n\
    registries:\n  - { name: a, type: file, path: p }\n  - { name: b, type: nacos, addresses: [h] }\n\
    gateways:\n  - { name: k, type: kong, addresses: [h] }\n";

fn tasks(lines: &str) -> Vec<String> {
    told(&format!("{HEAD}tasks:\n{lines}"))
}

fn task(rest: &str) -> Vec<String> {
    tasks(&format!("  - {{ name: t, {rest} }}\n"))
}

/// A task from `a` to `k` with one entry.
fn entry(rest: &str) -> Vec<String> {
    task(&format!("source: a, destination: k, match: [{{ {rest} }}]"))
}

#[test]
fn the_ends_of_a_task() {
    let with = |ends: &str| task(&format!("{ends}, match: [{{ service: x }}]"));
    assert_eq!(
        with("source: nacos, destination: kong"),
        [
            "c.yaml:8:24: tasks[0].source: no registry or gateway is named `nacos`",
            "c.yaml:8:44: tasks[0].destination: no registry or gateway is named `kong`",
        ]
    );
    assert_eq!(
        with("source: k, destination: b"),
        ["c.yaml:8:24: tasks[0].source: `k` is a gateway: a source is a registry"]
    );
    assert_eq!(
        with("source: a, destination: a"),
        ["c.yaml:8:40: tasks[0].destination: `a` is the source as well"]
    );
    assert_eq!(
        with("source: a, destination: k, mode: bidirectional"),
        ["c.yaml:8:49: tasks[0].mode: `k` is a gateway: only between two registries can a task go both ways"]
    );
}

#[test]
fn names_of_tasks_are_unique() {
    let lines = "  - { name: t, source: a, destination: k, match: [{ service: x }] }\n".repeat(2);
    assert_eq!(tasks(&lines), ["c.yaml:9:13: tasks[1].name: another task is named `t` already"]);
}

#[test]
fn names_of_registries_and_gateways_share_one_space() {
    let told = told(
        "version: 1\nregistries: [{ name: a, type: file, path: p }]\n\
                     gateways: [{ name: a, type: kong-file, path: p }]\n",
    );
    assert_eq!(told, ["c.yaml:3:20: gateways[0].name: the name `a` is taken"]);
}

#[test]
fn entries_select_something() {
    let empty = "an empty entry: `namespace`, `service` or `service_pattern` says what it carries (`service: \"*\"` for all)";
    assert_eq!(entry("groups: [{ name: g }]"), [format!("c.yaml:8:51: tasks[0].match[0]: {empty}")]);
    assert_eq!(entry("service:"), [format!("c.yaml:8:51: tasks[0].match[0]: {empty}")]);
    assert_eq!(
        entry("service: x, service_pattern: y"),
        [
            "c.yaml:8:82: tasks[0].match[0].service_pattern: stands beside `service`: only one of them can hold"
        ]
    );
    assert_eq!(
        entry("service: x, exclude: [{}]"),
        ["c.yaml:8:75: tasks[0].match[0].exclude[0]: an empty entry would exclude everything"]
    );
    assert_eq!(
        task("source: a, destination: k, match: []"),
        ["c.yaml:8:50: tasks[0].match: needs at least one entry"]
    );
    let defaults = "version: 1\ndefaults: { exclude: [{}] }\n";
    assert_eq!(told(defaults), ["c.yaml:2:23: defaults.exclude[0]: an empty entry would exclude everything"]);
}

#[test]
fn groups_have_names_of_their_own() {
    assert_eq!(
        entry("service: x, groups: [{ name: default }, { name: g }, { name: split }, { name: g }]"),
        [
            "c.yaml:8:82: tasks[0].match[0].groups[0].name: the group name `default` is reserved",
            "c.yaml:8:114: tasks[0].match[0].groups[2].name: the group name `split` is reserved",
            "c.yaml:8:131: tasks[0].match[0].groups[3].name: another group is named `g` already",
        ]
    );
}

#[test]
fn an_upstream_is_filled_by_one_exact_group() {
    let exact =
        "only where namespace and service are exact, not patterns, can a group fill an upstream of its own";
    for select in ["namespace: n, service: \"x*\"", "service: x", "namespace: n, service_pattern: x"] {
        let told = entry(&format!("{select}, groups: [{{ name: g, upstreamName: u }}]"));
        assert!(told.len() == 1 && told[0].ends_with(exact), "{told:?}");
    }
    let claiming = |name: &str, destination: &str, enable: bool| {
        format!(
            "  - {{ name: {name}, enable: {enable}, source: a, destination: {destination}, match: [{{ namespace: n, \
             service: x, groups: [{{ name: g, upstreamName: u }}] }}] }}\n"
        )
    };
    assert_eq!(
        tasks(&(claiming("t1", "k", true) + &claiming("t2", "k", true))),
        ["c.yaml:9:128: tasks[1].match[0].groups[0].upstreamName: the upstream `u` is claimed by \
          tasks[0].match[0].groups[0].upstreamName already"]
    );
    let other = "{ name: k2, type: kong, addresses: [h] }";
    good(&format!("{HEAD}tasks:\n{}{}", claiming("t1", "k", true), claiming("t2", other, true)));
    good(&format!("{HEAD}tasks:\n{}{}", claiming("t1", "k", true), claiming("t2", "k", false)));
}

#[test]
fn the_admin_address_is_guarded() {
    let required = "c.yaml:2:18: admin.listen: `0.0.0.0:1` can be reached from elsewhere: `token` or `token_file` is required";
    assert_eq!(told("version: 1\nadmin: { listen: \"0.0.0.0:1\" }\n"), [required]);
    assert_eq!(told("version: 1\nadmin: { listen: \"0.0.0.0:1\", token: \"${NONE:-}\" }\n"), [required]);
    good("version: 1\nadmin: { listen: \"0.0.0.0:1\", token: t }\n");
    good("version: 1\nadmin: { listen: \"[::1]:1\" }\n");
    good("version: 1\nadmin: { listen: \"localhost:1\" }\n");
}

#[test]
fn methods_are_listed_once_and_one_is_on() {
    assert_eq!(
        told("version: 1\nmethods: [{ type: watch, interval: 1s }, { type: watch }]\n"),
        [
            "c.yaml:2:36: methods[0].interval: `watch` has no interval; `pull` has",
            "c.yaml:2:50: methods[1].type: `watch` is listed already",
        ]
    );
    let none = "c.yaml:2:10: methods: neither `watch` nor `pull` is on: no task would carry anything";
    assert_eq!(told("version: 1\nmethods: [{ type: watch, enable: false }]\n"), [none]);
    assert_eq!(told("version: 1\nmethods: []\n"), [none]);
}

#[test]
fn a_file_is_written_by_one_gateway() {
    let kong = |name: &str, path: &str| format!("  - {{ name: {name}, type: kong-file, path: {path} }}\n");
    assert_eq!(
        told(&format!("version: 1\ngateways:\n{}{}", kong("a", "p"), kong("b", "p"))),
        ["c.yaml:4:39: gateways[1].path: another gateway writes `p` already"]
    );
    good(&format!("version: 1\ngateways:\n{}{}", kong("a", "p"), kong("b", "q")));
}

#[test]
fn credentials_come_in_pairs() {
    let nacos = |rest: &str| {
        told(&format!("version: 1\nregistries: [{{ name: b, type: nacos, addresses: [h], {rest} }}]\n"))
    };
    assert_eq!(nacos("user: u"), ["c.yaml:2:60: registries[0].user: `user` needs `password` beside it"]);
    assert_eq!(
        nacos("password: p"),
        ["c.yaml:2:64: registries[0].password: `password` needs `user` beside it"]
    );
    assert_eq!(
        nacos("access_key: ak"),
        ["c.yaml:2:66: registries[0].access_key: `access_key` needs `secret_key` beside it"]
    );
}

#[test]
fn addresses_hold_no_credentials() {
    let told =
        told("version: 1\nregistries: [{ name: e, type: eureka, addresses: [\"http://u:hunter2@h\"] }]\n");
    assert_eq!(
        told,
        [
            "c.yaml:2:51: registries[0].addresses[0]: `http://***@h` must not hold a user or password: they have keys \
          of their own"
        ]
    );
}

#[test]
fn nacos_default_namespace_has_its_own_word() {
    let public = "Nacos' default namespace is written `empty_ns`";
    assert_eq!(
        task("source: b, destination: k, match: [{ namespace: public }]"),
        [format!("c.yaml:8:64: tasks[0].match[0].namespace: {public}")]
    );
    good(&format!(
        "{HEAD}tasks: [{{ name: t, source: a, destination: k, match: [{{ namespace: public }}] }}]\n"
    ));
    let told =
        told("version: 1\nregistries: [{ name: b, type: nacos, addresses: [h], namespaces: [public] }]\n");
    assert_eq!(told, [format!("c.yaml:2:67: registries[0].namespaces[0]: {public}")]);
}

#[test]
fn weights_that_keep_a_split_cannot_be_left_to_people() {
    let with = |entry: &str| {
        task(&format!(
            "source: a, destination: k, fields: {{ weight: create-only }}, match: [{{ service: x, {entry} }}]"
        ))
    };
    let groups = "groups: [{ name: v1, metadata: { v: a } }, { name: v2, metadata: { v: b } }]";
    let told = with(&format!("{groups}, split: {{ v1: 90, v2: 10 }}"));
    let place = "c.yaml:8:61: tasks[0].fields.weight: a `split` of this task keeps its shares";
    assert!(told.iter().any(|line| line.starts_with(place)), "{told:?}");
    good(&format!(
        "{HEAD}tasks: [{{ name: t, source: a, destination: k, fields: {{ weight: create-only }}, match: [{{ service: x, {groups} }}] }}]\n"
    ));
}

#[test]
fn what_means_polaris_default_namespace_is_its_default() {
    let config = good(
        "version: 1\n\
         registries: [ { name: p, type: polaris, addresses: [h] } ]\n\
         gateways: [ { name: k, type: kong, addresses: [\"http://h:8001\"] } ]\n\
         defaults: { exclude: [ { namespace: empty_ns, service: x } ] }\n\
         tasks:\n\
         - name: t\n  source: p\n  destination: k\n  match:\n  - { namespace: empty_ns, service: a }\n  - { namespace: \"empty*\", service: b }\n",
    );
    let task = &config.tasks[0];
    assert_eq!(task.matches[0].select.exact(), Some(("default", "a")));
    assert_eq!(task.excludes[0].exact(), Some(("default", "x")));
    assert!(task.matches[1].fits("empty_ns", "b"), "a pattern means what it says");
}
