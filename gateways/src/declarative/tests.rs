//! What is written is read as it was, by us and by another reader of YAML.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::document::Document;
use super::emit::emit;
use super::node::{Kind, Node};
use super::parse::parse;

fn by_another_reader(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error} in\n{text}"))
}

fn rewritten(text: &str) -> String {
    emit(&parse(text).unwrap())
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        "[ -~\\n\\t]{0,12}",
        "(yes|no|on|~|null|0755|1\\.10|0x1F|1e3|2020-01-01|12:30:45|- a|a: b|a #b|\\*a|&a|!a|%a|@a|`a|\\?|<<|=|\\.inf|)",
        any::<String>(),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        texts().prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(texts(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_value_is_read_as_it_was_written(value in values()) {
        let root = Node::of(&json!({ "root": value }));
        let text = emit(&root);
        prop_assert_eq!(&by_another_reader(&text)["root"], &value, "{}", text);
        prop_assert_eq!(&parse(&text).unwrap().value()["root"], &value, "{}", text);
        prop_assert_eq!(rewritten(&text), text);
    }
}

#[test]
fn scalars_stay_as_they_were_written() {
    let text = "a: yes\nb: \"yes\"\nc: 0755\nd: 1.10\ne: ~\nf:\ng: 12:30\nh: !!str 7\n";
    assert_eq!(rewritten(text), "a: yes\nb: \"yes\"\nc: 0755\nd: 1.10\ne: ~\nf: ~\ng: 12:30\nh: \"7\"\n");
}

#[test]
fn anchors_merges_and_blocks_are_resolved() {
    let text = r"
base: &base { retries: 2, port: 80 }
one: { <<: *base, port: 81 }
two: *base
three: |
  first
  second
four:
- - 1
  - 2
- []
- {}
";
    let expected = json!({
        "base": {"retries": 2, "port": 80},
        "one": {"retries": 2, "port": 81},
        "two": {"retries": 2, "port": 80},
        "three": "first\nsecond\n",
        "four": [[1, 2], [], {}],
    });
    assert_eq!(parse(text).unwrap().value(), expected);
    assert_eq!(by_another_reader(&rewritten(text)), expected);
}

#[test]
fn what_cannot_be_kept_is_refused_with_its_place() {
    for (text, line, column, word) in [
        ("a: [1, 2\nb: 3\n", 2, 2, ""),
        ("a: 1\na: 2\n", 2, 1, "twice"),
        ("a: !secret x\n", 1, 12, "!secret"),
        ("a: 1\n---\nb: 2\n", 2, 1, "second document"),
        ("a: &x [*x]\n", 1, 8, "inside"),
    ] {
        let broken = parse(text).unwrap_err();
        assert!(broken.reason.contains(word), "{broken:?}");
        assert_eq!((broken.at.line, broken.at.column), (line, column), "{text}: {broken:?}");
    }
    for (text, word) in [
        ("- a\n", "is a map"),
        ("services: {}\n", "`services` must be a list"),
        ("services: [a]\n", "each of `services`"),
        ("upstreams: [{name: a, targets: [b]}]\n", "each of `targets`"),
        ("services: [{name: a}, {name: a}]\n", "`a` stands twice among `services`"),
    ] {
        let broken = Document::read(text).unwrap_err();
        assert!(broken.reason.contains(word), "{broken:?}");
    }
}

#[test]
fn aliases_cannot_blow_up() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..10 {
        let list = vec![format!("*a{}", n - 1); 10].join(", ");
        text.push_str(&format!("a{n}: &a{n} [{list}]\n"));
    }
    assert!(parse(&text).unwrap_err().reason.contains("aliases copy more"));
}

#[test]
fn an_empty_text_is_no_document() {
    for text in ["", "\n", "# only a comment\n", "---\n", "~\n", "{}\n"] {
        assert!(Document::read(text).unwrap().is_none(), "{text:?}");
    }
}

#[test]
fn kinds_of_nodes_make_values() {
    let node: Node =
        Kind::List(vec![Kind::Plain("-3".into()).into(), Kind::Plain("1.5".into()).into()]).into();
    assert_eq!(node.value(), json!([-3, 1.5]));
    assert_eq!(Node::from(Kind::Plain("nan".into())).value(), json!("nan"));
}
