//! From a document to rows: nested lists laid flat, parents found, everything checked.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Loaded;
use super::draft::{Checked, Draft};
use super::problems::{Problems, Step};
use crate::kong::handlers::{EMPTY_LISTS, NOT_STORED};
use crate::kong::schema::{Errors, Schema};
use crate::kong::store::{Kind, Row};
use crate::kong::write::{Now, plugin_error, stamp};

/// The versions of the format that a node of this version reads.
const FORMAT_VERSIONS: [&str; 3] = ["1.1", "2.1", "3.0"];
/// Members of a document that are no entities.
const META: [&str; 5] = ["_format_version", "_transform", "_comment", "_ignore", "_workspace"];

/// Ids by kind and name or id.
type Names = BTreeMap<(Kind, String), String>;

/// `plugins` are those that the node has enabled.
pub(super) fn load(document: Row, plugins: &BTreeSet<String>) -> Result<Loaded, Problems> {
    let mut problems = Problems::default();
    check_version(&document, &mut problems);
    let mut drafts = Vec::new();
    for (name, list) in document {
        match Kind::ALL.into_iter().find(|kind| kind.name() == name) {
            _ if META.contains(&name.as_str()) => {}
            Some(kind) => collect(kind, &[], None, list, &mut drafts, &mut problems),
            None if EMPTY_LISTS.contains(&name.as_str()) => {
                if list != json!([]) {
                    problems.add_general(&name, NOT_STORED);
                }
            }
            None => problems.add_general(&name, "unknown field"),
        }
    }
    let now = Now::read();
    let names = names_of(&drafts);
    let entities =
        drafts.iter().filter_map(|draft| check(draft, &names, plugins, now, &mut problems)).collect();
    if problems.is_empty() {
        refuse_repetitions(&drafts, &mut problems);
    }
    if problems.is_empty() { Ok(Loaded { entities }) } else { Err(problems) }
}

fn check_version(document: &Row, problems: &mut Problems) {
    match document.get("_format_version") {
        None | Some(Value::Null) => problems.add_general("_format_version", "required field missing"),
        Some(version) if version.as_str().is_some_and(|v| FORMAT_VERSIONS.contains(&v)) => {}
        Some(Value::String(_)) => {
            let error = format!("expected one of: {}", FORMAT_VERSIONS.join(", "));
            problems.add_general("_format_version", &error);
        }
        Some(_) => problems.add_general("_format_version", "expected a string"),
    }
}

/// Lays a list flat, each entity before those nested in it.
fn collect(
    kind: Kind,
    above: &[Step],
    parent: Option<(Kind, &str)>,
    list: Value,
    drafts: &mut Vec<Draft>,
    problems: &mut Problems,
) {
    let Value::Array(entities) = list else {
        return problems.add_list(above, kind, "expected an array");
    };
    for (index, entity) in entities.into_iter().enumerate() {
        let place: Vec<Step> = above.iter().copied().chain([(kind, index)]).collect();
        let Value::Object(mut sent) = entity else {
            problems.add_list(&place, kind, "expected a record");
            continue;
        };
        let nested: Vec<(Kind, Value)> =
            kind.children().filter_map(|child| Some((child, sent.remove(child.name())?))).collect();
        let draft = Draft::new(kind, place.clone(), sent, parent);
        let id = draft.id();
        drafts.push(draft);
        for (child, list) in nested {
            collect(child, &place, Some((kind, &id)), list, drafts, problems);
        }
    }
}

fn names_of(drafts: &[Draft]) -> Names {
    let ids = drafts.iter().map(|draft| ((draft.kind, draft.id()), draft.id()));
    let names = drafts.iter().filter_map(|draft| Some(((draft.kind, draft.name()?.to_owned()), draft.id())));
    ids.chain(names).collect()
}

fn check(
    draft: &Draft,
    names: &Names,
    plugins: &BTreeSet<String>,
    now: Now,
    problems: &mut Problems,
) -> Option<Checked> {
    let mut row = draft.row.clone();
    let mut errors = resolve_parents(draft.kind, names, &mut row);
    match Schema::of(draft.kind).create(row.clone()) {
        Ok(complete) => row = complete,
        Err(found) => errors.extend(found),
    }
    if draft.kind == Kind::Plugins
        && let Some(error) = plugin_error(plugins, &row)
    {
        errors.insert("name".to_owned(), Value::from(error));
    }
    if !errors.is_empty() {
        problems.add(draft, errors);
        return None;
    }
    stamp(now, draft.kind, &mut row);
    Some(Checked { kind: draft.kind, row })
}

/// At the top level a parent is named by a string; an object must have its id.
fn resolve_parents(kind: Kind, names: &Names, row: &mut Row) -> Errors {
    let mut errors = Map::new();
    for &(field, parents) in kind.parents() {
        let found = |key: &str| names.get(&(parents, key.to_owned()));
        match row.get(field) {
            Some(Value::String(key)) => match found(key) {
                Some(id) => {
                    row.insert(field.to_owned(), json!({ "id": id }));
                }
                None => {
                    let error =
                        format!("invalid reference '{field}: {key}' (no such entry in '{}')", parents.name());
                    errors.insert("@entity".to_owned(), json!([error]));
                }
            },
            Some(Value::Object(parent)) if !parent.contains_key("id") => {
                errors.insert(field.to_owned(), json!({ "id": "missing primary key" }));
            }
            _ => {}
        }
    }
    errors
}

/// Names are told before ids, though ids derived from equal names are equal too.
fn refuse_repetitions(drafts: &[Draft], problems: &mut Problems) {
    let mut ids = BTreeSet::new();
    let mut names = BTreeSet::new();
    for draft in drafts {
        let (kind, key) = (draft.kind.name(), draft.kind.endpoint_key());
        let new_id = ids.insert((draft.kind, draft.id()));
        let name = draft.name().filter(|_| draft.kind != Kind::Targets);
        let error = match name {
            Some(name) if !names.insert((draft.kind, name)) => {
                format!("uniqueness violation: '{kind}' entity with {key} set to '{name}' already declared")
            }
            _ if !new_id => {
                let id = draft.id();
                format!(
                    "uniqueness violation: '{kind}' entity with primary key set to '{id}' already declared"
                )
            }
            _ => continue,
        };
        problems.add_repetition(draft, error);
    }
}
