//! Documents broken at random: the walk, serde and another implementation of JSON Schema must agree.

use std::sync::LazyLock;

use jsonschema::Validator;
use proptest::{prelude::*, sample::Index};
use serde_json::{Map, Value as Json, json};

use super::{Manners, check};
use crate::config::{
    formats,
    mistakes::Findings,
    tree::{self, Source},
    written::{Document, NATIVE_SCHEMA},
};

static ORACLE: LazyLock<Validator> = LazyLock::new(|| {
    let mut options = jsonschema::options().should_validate_formats(true).offline();
    for (form, _) in formats::CHECKS {
        options = options.with_format(form, move |text: &str| formats::check(form, text).is_ok());
    }
    options.build(&NATIVE_SCHEMA).unwrap()
});

/// A sound document in which every kind of place occurs.
static SOUND: LazyLock<Json> = LazyLock::new(|| {
    let text = include_str!("../../../tests/data/config/full.yaml");
    let root = tree::parse(&Source::new("full.yaml", text), |_| false).unwrap();
    let mut findings = Findings::default();
    let checked = walk(&root, &mut findings);
    findings.settle(&Source::new("full.yaml", text)).unwrap();
    checked
});

fn walk(root: &tree::Node, findings: &mut Findings) -> Json {
    let read_file = |_: &str| Ok("secret".to_owned());
    let mut checked = check(root, &NATIVE_SCHEMA, Manners::Strict, &read_file, findings);
    if let Json::Object(top) = &mut checked {
        top.retain(|_, value| !value.is_null());
    }
    checked
}

/// One way to break a document, at a place chosen by number.
#[derive(Debug, Clone)]
enum Mutation {
    Delete(Index),
    Rename(Index, &'static str),
    Replace(Index, Json),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let words =
        ["x", "type", "name", "service", "token_file", "password", "protect", "kong", "namespace", "x-y"];
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(99999),
        json!(""),
        json!("word"),
        json!("60s"),
        json!("kong"),
        json!("nacos"),
        json!("*"),
        json!("("),
        json!("watch"),
        json!([]),
        json!({}),
        json!(["a"]),
        json!([[]]),
        json!({ "name": "n" }),
        json!({ "type": "file", "name": "n", "path": "p" }),
    ];
    prop_oneof![
        any::<Index>().prop_map(Mutation::Delete),
        (any::<Index>(), proptest::sample::select(words.to_vec()))
            .prop_map(|(at, to)| Mutation::Rename(at, to)),
        (any::<Index>(), proptest::sample::select(values.to_vec()))
            .prop_map(|(at, to)| Mutation::Replace(at, to)),
    ]
}

/// Visits every place inside a document in order, until `act` says that it has acted.
fn visit(value: &mut Json, act: &mut dyn FnMut(Place<'_>) -> bool) -> bool {
    match value {
        Json::Array(items) => {
            (0..items.len()).any(|index| act(Place::Item(items, index)) || visit(&mut items[index], act))
        }
        Json::Object(entries) => {
            let keys: Vec<String> = entries.keys().cloned().collect();
            keys.into_iter().any(|key| {
                act(Place::Entry(entries, &key))
                    || entries.get_mut(&key).is_some_and(|value| visit(value, act))
            })
        }
        _ => false,
    }
}

enum Place<'v> {
    Item(&'v mut Vec<Json>, usize),
    Entry(&'v mut Map<String, Json>, &'v str),
}

fn mutate(document: &mut Json, mutation: &Mutation) {
    let mut places = 0;
    visit(document, &mut |_| {
        places += 1;
        false
    });
    if places == 0 {
        return;
    }
    let (Mutation::Delete(at) | Mutation::Rename(at, _) | Mutation::Replace(at, _)) = mutation;
    let mut left = at.index(places) + 1;
    visit(document, &mut |place| {
        left -= 1;
        if left == 0 {
            act(place, mutation);
        }
        left == 0
    });
}

fn act(place: Place<'_>, mutation: &Mutation) {
    match (place, mutation) {
        (Place::Item(items, index), Mutation::Replace(_, value)) => items[index] = value.clone(),
        (Place::Item(items, index), _) => {
            items.remove(index);
        }
        (Place::Entry(entries, key), Mutation::Delete(_)) => {
            entries.remove(key);
        }
        (Place::Entry(entries, key), Mutation::Rename(_, to)) => {
            let value = entries.remove(key).unwrap_or_default();
            entries.insert((*to).to_owned(), value);
        }
        (Place::Entry(entries, key), Mutation::Replace(_, value)) => {
            entries.insert(key.to_owned(), value.clone());
        }
    }
}

#[test]
fn the_sound_document_is_sound_to_all_three() {
    assert!(ORACLE.is_valid(&SOUND), "{:?}", ORACLE.iter_errors(&SOUND).next());
    serde_json::from_value::<Document>(SOUND.clone()).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn the_walk_agrees_with_serde_and_json_schema(mutations in prop::collection::vec(mutation(), 1..4)) {
        let mut document = SOUND.clone();
        for mutation in &mutations {
            mutate(&mut document, mutation);
        }
        let text = document.to_string();
        let source = Source::new("mutated.json", &text);
        let root = tree::parse(&source, |_| false).unwrap();
        let mut findings = Findings::default();
        let checked = walk(&root, &mut findings);
        let told = findings.settle(&source);
        if told.is_ok() {
            let filled = serde_json::from_value::<Document>(checked.clone());
            prop_assert!(filled.is_ok(), "the walk passes what serde refuses: {:?}\n{text}", filled.err());
            let errors: Vec<String> = ORACLE.iter_errors(&checked).map(|error| error.to_string()).collect();
            prop_assert!(errors.is_empty(), "the walk passes what JSON Schema refuses: {errors:?}\n{text}");
        }
        if ORACLE.is_valid(&document) {
            prop_assert!(told.is_ok(), "the walk refuses what JSON Schema passes: {}\n{text}", told.unwrap_err());
        }
    }
}
