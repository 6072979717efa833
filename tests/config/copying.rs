//! Tasks between two registries: what they say, and what is wrong with them.

use causeway::config::{Copying, OnStop};

use crate::{good, told};

/// A document with one task, in which the test's own keys stand.
fn document(keys: &str) -> String {
    format!(
        "version: 1\nregistries:\n  - {{ name: f, type: file, path: p }}\n  - {{ name: n, type: nacos, addresses: [h] }}\n  \
         - {{ name: p, type: polaris, addresses: [h] }}\n  - {{ name: c, type: consul, addresses: [h] }}\n  \
         - {{ name: z, type: zookeeper, addresses: [h], layout: dubbo-app }}\n\
         gateways: [{{ name: k, type: kong, addresses: [h] }}]\ndefaults: {{ split: {{ v1: 1 }}, route: {{ paths: [/a] }} }}\n\
         tasks:\n- {{ name: t, {keys} }}\n"
    )
}

const ALL: &str = "match: [{ service: \"*\" }]";

/// What is told of a task with these keys that carries everything, each without its place in the file.
fn told_of(keys: &str) -> Vec<String> {
    let told = told(&document(&format!("{keys}, {ALL}")));
    told.iter()
        .map(|line| line.split_once(" tasks[0].").map_or(line.as_str(), |(_, rest)| rest).to_owned())
        .collect()
}

fn copying(keys: &str) -> Copying {
    good(&document(&format!("{keys}, {ALL}"))).tasks[0].copying.clone()
}

#[test]
fn defaults_for_gateways_are_nothing_to_a_registry() {
    assert_eq!(copying("source: n, destination: p"), Copying::default());
    assert_eq!(copying("source: n, destination: p, on_stop: withdraw").on_stop, OnStop::Withdraw);
}

#[test]
fn a_gateway_has_none_of_their_keys_and_the_place_is_told() {
    let keys = "source: n, destination: k, group: G, namespace_map: {}, rename: [], on_stop: keep, directions: {}, split: {}";
    let of = |column: u32, key: &str| {
        format!(
            "c.yaml:11:{column}: tasks[0].{key}: `k` is a gateway: `{key}` is for tasks between two registries"
        )
    };
    assert_eq!(
        told(&document(&format!("{keys}, match: [{{ namespace: a, service: b }}]"))),
        [of(41, "group"), of(51, "namespace_map"), of(70, "rename"), of(82, "on_stop"), of(97, "directions")]
    );
}

#[test]
fn a_registry_has_none_of_a_gateways_keys() {
    let of = |key: &str| {
        format!("{key}: `p` is a registry: `{}` is for gateways", key.rsplit('.').next().unwrap())
    };
    let task =
        "kong: { tags: [a] }, route: { enable: false }, split: {}, group_by: v, max_groups: 2, fields: {}";
    assert_eq!(
        told_of(&format!("source: n, destination: p, {task}")),
        ["kong", "route", "split", "group_by", "max_groups", "fields"].map(of)
    );
    let entry = "match: [{ namespace: a, service: b, kong: {}, split: { v9: 1 }, groups: [{ name: g, upstreamName: u }] }]";
    let told = told(&document(&format!("source: n, destination: p, {entry}")));
    let keys = ["match[0].kong", "match[0].split", "match[0].groups[0].upstreamName"];
    assert_eq!(told.len(), 3, "{told:?}");
    for (line, key) in told.iter().zip(keys) {
        assert!(line.ends_with(&format!(" tasks[0].{}", of(key))), "{line}");
    }
    assert_eq!(
        told_of("source: n, destination: p, policy: fill"),
        ["policy: `p` is a registry: there are no upstreams to fill (`observe` or `own`)"]
    );
}

#[test]
fn what_is_written_to_can_be_written_to() {
    let file = "`f` is a file: it is read, and nothing is ever written to it";
    assert_eq!(told_of("source: n, destination: f"), [format!("destination: {file}")]);
    assert_eq!(told_of("source: f, destination: n, mode: bidirectional"), [format!("source: {file}")]);
    let layout = "destination: `z` has the layout `dubbo-app`, which can be read only: what consumers need besides is in \
                  Dubbo's metadata center";
    assert_eq!(told_of("source: n, destination: z"), [layout]);
    copying("source: f, destination: n");
    copying("source: z, destination: n");
}

#[test]
fn only_nacos_has_groups() {
    let no_other = "no other registry has groups";
    assert_eq!(
        told_of("source: n, destination: p, group: G"),
        [format!("group: `p` is no Nacos: {no_other}")]
    );
    assert_eq!(
        told_of("source: c, destination: p, mode: bidirectional, group: G"),
        [format!("group: neither `c` nor `p` is a Nacos: {no_other}")]
    );
    for ends in ["source: p, destination: n", "source: n, destination: p, mode: bidirectional"] {
        assert_eq!(copying(&format!("{ends}, group: G")).group.as_deref(), Some("G"));
    }
    assert_eq!(
        told_of("source: p, destination: n, group: a__b"),
        ["group: `a__b` can't be told from the name behind it: `group__service` has `__` between the two"]
    );
}

#[test]
fn directions_are_those_of_a_task_both_ways() {
    assert_eq!(
        told_of("source: n, destination: p, directions: { back: false }"),
        ["directions: only with `mode: bidirectional` has a task two directions"]
    );
    assert_eq!(
        told_of("source: n, destination: p, mode: bidirectional, directions: { there: false, back: no }"),
        ["directions: neither direction is on: `enable: false` switches a task off"]
    );
    let directions =
        copying("source: n, destination: p, mode: bidirectional, directions: { there: false }").directions;
    assert!(!directions.there && directions.back);
}

#[test]
fn two_services_are_never_renamed_into_one() {
    let told_of = |rules: &str| told_of(&format!("source: n, destination: p, rename: [{rules}]"));
    assert_eq!(
        told_of("{ from: \"a-*\", to: b }, { from: a, to: \"*-b\" }"),
        [0, 1].map(|at| {
            format!(
                "rename[{at}].to: `from` and `to` have a `*` each, for the same characters, or neither has"
            )
        })
    );
    assert_eq!(
        told_of("{ from: a, to: b }, { from: a, to: c }, { from: d, to: b }"),
        [
            "rename[1].from: `a` is renamed by an earlier entry, which wins",
            "rename[2].to: an earlier entry gives the name `b`: two services would become one",
        ]
    );
    assert_eq!(
        told_of("{ from: \"a*b*\", to: x }"),
        [
            "rename[0].from: `a*b*` has more than one `*`",
            "rename[0].to: `from` and `to` have a `*` each, for the same characters, or neither has",
        ]
    );
    assert_eq!(told_of("{ form: a, to: x }"), ["rename[0].form: unknown key `form` (did you mean `from`?)"]);
}

#[test]
fn namespaces_are_mapped_one_to_one() {
    let map = |ends: &str, map: &str| told_of(&format!("{ends}, namespace_map: {{ {map} }}"));
    let there = "source: n, destination: p";
    assert_eq!(
        map(there, "a: x, b: x"),
        ["namespace_map.b: `a` is carried into `x` already: namespaces are mapped one to one"]
    );
    assert_eq!(
        map(there, "public: x, empty_ns: y"),
        ["namespace_map.empty_ns: `empty_ns` is the same namespace as `public`"]
    );
    assert_eq!(
        map(there, "a: empty_ns, b: default"),
        ["namespace_map.b: `a` is carried into `default` already: namespaces are mapped one to one"]
    );
    assert_eq!(
        map(there, "\"a-*\": x, b: \"\""),
        [
            "namespace_map.a-*: `a-*` is a pattern: namespaces are mapped one by one",
            "namespace_map.b: `` must not be empty",
        ]
    );
    let one = "all its services are in one, called `default` unless its `namespaces` says otherwise";
    assert_eq!(
        map("source: n, destination: c", "prod: live"),
        [format!("namespace_map.prod: `live` is no namespace of `c`: {one}")]
    );
    assert_eq!(
        map("source: c, destination: n", "prod: live"),
        [format!("namespace_map.prod: `prod` is no namespace of `c`: {one}")]
    );
    let map =
        copying("source: n, destination: p, namespace_map: { public: live, prod: empty_ns }").namespace_map;
    let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
    assert_eq!(
        map,
        [pair("empty_ns", "live"), pair("prod", "default")].into(),
        "in each registry's own words"
    );
}

#[test]
fn a_namespace_whose_name_is_taken_is_not_carried() {
    let carrying = |map: &str, namespace: &str| {
        document(&format!(
            "source: n, destination: p, namespace_map: {{ {map} }}, match: [{{ namespace: {namespace} }}]"
        ))
    };
    for (map, namespace, place) in [("prod: live", "live", "live"), ("prod: default", "empty_ns", "default")]
    {
        let message = format!(
            " tasks[0].match[0].namespace: `{namespace}` can't be carried: `prod` is mapped onto its name at the \
             destination, `{place}`"
        );
        let told = told(&carrying(map, namespace));
        assert!(told.len() == 1 && told[0].ends_with(&message), "{told:?}");
    }
    good(&carrying("prod: live, live: prod", "live"));
    good(&carrying("prod: live", "\"li*\""));
}
