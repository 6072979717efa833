//! What is told of bad documents: everything at once, each with its place, or a syntax error alone.

use causeway::config;

use crate::{data, good, told};

#[test]
fn every_mistake_of_a_bad_document_is_told_in_one_go() {
    let env = |name: &str| matches!(name, "NACOS_PASSWORD" | "KONG_TOKEN").then(|| "hunter2".to_owned());
    let mistakes = config::parse(&data("config/bad.yaml"), "bad.yaml", &env).unwrap_err();
    assert_eq!(format!("{mistakes}\n"), data("config/bad.txt"));
}

#[test]
fn a_syntax_error_is_told_alone_with_its_place() {
    assert_eq!(
        told("{\n  \"version\": 1\n  \"owner\": \"a\",\n  \"oops\"\n}"),
        ["c.yaml:2:15: Expected comma"]
    );
    let yaml = told("version: 1\nowner: [a\nadmin: {}\nnonsense: x\n");
    assert_eq!(yaml, ["c.yaml:3:6: illegal placement of ':' indicator"]);
}

#[test]
fn an_unquoted_substitution_inside_braces_gets_a_hint() {
    let hint = "(a `${…}` inside `{ … }` needs quotes)";
    let unquoted = told("version: 1\nadmin: { token: ${NAME} }\n");
    assert!(unquoted[0].starts_with("c.yaml:2:") && unquoted[0].ends_with(hint), "{unquoted:?}");
    let quoted = told("version: 1\nadmin: { token: \"${NAME}\" ]\n");
    assert!(!quoted[0].ends_with(hint), "{quoted:?}");
    assert!(good("version: 1\nadmin:\n  token: ${NAME}\n").admin.token.is_some(), "block style needs none");
}

#[test]
fn the_version_is_told_of_in_sentences() {
    let reads = "version: this Causeway reads `version: 1`, not version";
    assert_eq!(told("version: 2\nfuture: {}\n"), [format!("c.yaml:1:10: {reads} `2`")]);
    assert_eq!(told("version: 1.0\n"), [format!("c.yaml:1:10: {reads} `1.0`")]);
    assert_eq!(told("owner: x\n"), ["c.yaml:1:1: `version` is missing: add `version: 1`"]);
    assert_eq!(told("registries: []\ntasks: []\n"), ["c.yaml:1:1: `version` is missing: add `version: 1`"]);
    assert!(told("tasks: []\n")[0].contains("polaris-sync's when it has `tasks` and `methods`"));
    assert_eq!(told("version:\n"), ["c.yaml:1:1: version: expected `version: 1`"]);
    assert_eq!(told("version: \"1\"\n"), ["c.yaml:1:10: version: expected a whole number, found `\"1\"`"]);
    assert_eq!(told(""), ["c.yaml:1:1: the document is empty: it begins with `version: 1`"]);
    assert_eq!(told("# nothing\n").len(), 1);
    assert_eq!(told("[]"), ["c.yaml:1:1: expected a table of keys, beginning with `version: 1`"]);
}

#[test]
fn columns_count_characters() {
    assert_eq!(
        told("version: 1\nowner: 城市交通\nadmin: { listen: \"127.0.0.1:1\", 令牌: x }\n"),
        ["c.yaml:3:33: admin.令牌: unknown key `令牌`"]
    );
    assert_eq!(
        told("\u{feff}{ \"version\": 1, \"所有者\": 1, \"ownr\": 2 }\r\n"),
        [
            "c.yaml:1:17: 所有者: unknown key `所有者`",
            "c.yaml:1:27: ownr: unknown key `ownr` (did you mean `owner`?)"
        ]
    );
    assert_eq!(
        told("version: 1\r\n\r\nownr: x\r\n"),
        ["c.yaml:3:1: ownr: unknown key `ownr` (did you mean `owner`?)"]
    );
}

#[test]
fn a_key_that_stands_twice_is_a_mistake() {
    assert_eq!(
        told("version: 1\nowner: a\nadmin: { token: a, token: b }\nowner: c\n"),
        [
            "c.yaml:3:20: admin.token: the key `token` stands here twice",
            "c.yaml:4:1: owner: the key `owner` stands here twice"
        ]
    );
    assert_eq!(
        told("{ \"version\": 1, \"owner\": \"a\", \"owner\": \"b\" }"),
        ["c.yaml:1:31: owner: the key `owner` stands here twice"]
    );
}

#[test]
fn billions_of_laughs_are_stopped() {
    let mut text = "version: 1\nx-0: &a0 [a, a, a, a, a, a, a, a, a, a]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        text += &format!("x-{level}: &a{level} [{}]\n", vec![alias; 10].join(", "));
    }
    let told = told(&text);
    assert_eq!(told.len(), 1);
    assert!(told[0].ends_with("aliases copy more than 200000 values"), "{told:?}");
}

#[test]
fn nesting_has_a_bottom_also_through_aliases() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    for text in [
        format!("version: 1\nx-a: {}\n", deep(200)),
        format!("{{ \"version\": 1, \"x-a\": {} }}", deep(200)),
        format!("version: 1\nx-a: &a {}\nx-b: [[[[{}]]]]\n", deep(120), "[[[[[[*a]]]]]]"),
    ] {
        let told = told(&text);
        assert_eq!(told.len(), 1);
        assert!(told[0].ends_with("nested deeper than 128 levels"), "{told:?}");
    }
    good(&format!("version: 1\nx-a: {}\n", deep(100)));
    assert_eq!(told(&format!("{{ \"x-a\": {} }}", deep(5_000))).len(), 1);
}

#[test]
fn other_things_that_yaml_allows_are_refused() {
    for (text, message) in [
        ("version: 1\nx-a: &a [*a]\n", "this alias stands inside its own anchor"),
        ("version: 1\n---\nversion: 1\n", "a second document begins here: one file holds one"),
        ("version: 1\nx-a: !custom b\n", "tags (`!…`) have no meaning here"),
        ("version: 1\n? [a]\n: b\n", "a key must be a word"),
        ("version: 1\nadmin: { <<: x }\n", "`<<` merges a table or a list of tables"),
    ] {
        let told = told(text);
        assert!(told.len() == 1 && told[0].ends_with(message), "{text:?}: {told:?}");
    }
}

#[test]
fn mistakes_in_an_aliased_value_are_told_once() {
    let text = "version: 1\nx-a: &a { type: kong, addresses: [a], tokn: x }\n\
                gateways: [{ <<: *a, name: one }, { <<: *a, name: two }]\n";
    assert_eq!(told(text), ["c.yaml:2:39: gateways[0].tokn: unknown key `tokn` (did you mean `token`?)"]);
}

/// A line of a document, and what is told of it.
const WRONG_VALUES: &[(&str, &str)] = &[
    (
        "admin: { listen: \":8690\" }",
        "`:8690` is no IP address with a port, such as `127.0.0.1:8690` or `0.0.0.0:8690`",
    ),
    ("admin: []", "expected a table, found a list"),
    ("admin: { token: [a] }", "expected a string, found a list"),
    ("owner: ''", "must not be empty"),
    ("health_check: { interval: 10 }", "`10` has no unit (ms, s, m, h or d)"),
    ("health_check: { interval: 0s }", "`0s` must not be zero"),
    ("health_check: { enable: \"yes\" }", "expected true or false, found `\"yes\"`"),
    ("methods: [{ type: poll }]", "`poll` is none of watch, pull (did you mean `pull`?)"),
    (
        "registries: [{ name: a }]",
        "`type` is missing (one of polaris, nacos, eureka, consul, zookeeper, servicecenter, file)",
    ),
    ("registries: [{ type: nacos, name: a, addresses: [] }]", "needs at least one entry"),
    (
        "registries: [{ type: nacos, name: a, addresses: [\"h:1,i:2\"] }]",
        "`h:1,i:2` is no address: each address is an entry of its own",
    ),
    ("registries: [{ type: file, name: a, path: }]", "`path` is missing (here: type, name, path)"),
    ("registries: [{ type: file, name: a, path: p, protect: { max_shrink: 30 } }]", "`30` is more than 1"),
    ("gateways: [{ type: kong, name: a, addresses: [k], concurrency: 0 }]", "`0` is less than 1"),
    (
        "gateways: [{ type: kong, name: a, addresses: [\"kong:x\"] }]",
        "`kong:x` is no URL of an Admin API, such as `http://127.0.0.1:8001`",
    ),
    (
        "defaults: { exclude: [{ service: \".*\" }] }",
        "`.*` is no glob (`*` and `?`); a regular expression goes under `service_pattern`",
    ),
    ("defaults: { split: { v1: -1 } }", "`-1` is less than 0"),
    ("defaults: { split: { v1: \"1\" } }", "expected a number, found `\"1\"`"),
    ("defaults: { split: { v1: 1e400 } }", "expected a number, found `1e400`"),
    ("defaults: { split: { v1: } }", "expected a number, found nothing"),
    ("defaults: { split: [v1, v2] }", "expected a table, found a list"),
    ("defaults: { split: { v1: 1, v1: 2 } }", "the key `v1` stands here twice"),
    ("defaults: { max_groups: 0 }", "`0` is less than 1"),
    ("defaults: { max_groups: many }", "expected a whole number, found `many`"),
    ("defaults: { group_by: [version] }", "expected a string, found a list"),
    ("defaults: { exclude: [{ service_pattern: \"(\" }] }", "`(` is no regular expression: unclosed group"),
    ("defaults: { kong: { service: { retires: 1 } } }", "unknown key `retires` (did you mean `retries`?)"),
    ("defaults: { kong: { service: { host: a } } }", "unknown key `host`"),
    (
        "defaults: { kong: { upstream: { slots: 1000.5 } } }",
        "expected a whole number or a table, found `1000.5`",
    ),
];

#[test]
fn wrong_values_say_what_is_expected() {
    for (line, message) in WRONG_VALUES {
        let told = told(&format!("version: 1\n{line}\n"));
        assert!(told.len() == 1 && told[0].ends_with(&format!(": {message}")), "{line}\n{told:#?}");
    }
}
