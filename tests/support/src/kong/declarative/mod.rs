//! `/config` of a node without a database: the whole world as one document.
//!
//! ```text
//!  body ──document──▶ lists of entities ──drafts──▶ ids, parents, checks ──▶ rows, swapped in at once
//!                                            └────▶ problems, by place or by entity
//! ```

mod document;
mod draft;
mod load;
mod problems;

use std::collections::BTreeMap;

use md5::{Digest, Md5};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::answer::Answer;
use super::call::Call;
use super::store::{Kind, Row, Store};
use document::Document;

/// What `/status` shows of a node that holds nothing.
pub(super) const EMPTY_HASH: &str = "00000000000000000000000000000000";

/// `POST /config`: replaces all entities, or none.
pub(super) fn post(store: &mut Store, call: &Call) -> Result<Answer, Answer> {
    let document = Document::read(call)?;
    let text_hash = document.text.as_deref().map(hash);
    if document.check_hash && text_hash.as_deref() == Some(store.config_hash()) {
        return Ok(Answer::empty(304));
    }
    let loaded = load::load(document.fields, store.enabled_plugins())
        .map_err(|problems| problems.explain(document.flatten_errors))?;
    let answer = loaded.shown();
    // Kong takes the hash of a document that did not come as text over entities that bear the time of loading:
    // no two are equal.
    let new_hash = match text_hash {
        _ if loaded.is_empty() => EMPTY_HASH.to_owned(),
        Some(hash) => hash,
        None => Uuid::new_v4().simple().to_string(),
    };
    store.swap(loaded.rows(), new_hash);
    Ok(Answer::json(201, answer))
}

/// `GET /config`: the live entities as a YAML document within JSON.
pub(super) fn get(store: &Store) -> Answer {
    let mut document = Map::from_iter([
        ("_format_version".to_owned(), Value::from("3.0")),
        ("_transform".to_owned(), Value::from(false)),
    ]);
    for kind in Kind::ALL {
        let rows: Vec<Value> = store.table(kind).rows().map(|row| written(kind, row)).collect();
        if !rows.is_empty() {
            document.insert(kind.name().to_owned(), Value::from(rows));
        }
    }
    let yaml = serde_saphyr::to_string(&document).unwrap_or_default();
    Answer::json(200, json!({ "config": yaml }))
}

/// A row as a document writes it: parents by their id alone.
fn written(kind: Kind, row: &Row) -> Value {
    let mut row = row.clone();
    for (field, _) in kind.parents() {
        if let Some(id) = row.get(*field).and_then(|parent| parent.get("id")).cloned() {
            row.insert((*field).to_owned(), id);
        }
    }
    Value::Object(row)
}

fn hash(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Entities that passed every check.
struct Loaded {
    entities: Vec<draft::Checked>,
}

impl Loaded {
    fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }

    /// The answer: every entity with its defaults by kind and id, addresses as they were sent.
    fn shown(&self) -> Value {
        let mut kinds: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        for entity in &self.entities {
            let of_kind = kinds.entry(entity.kind.name()).or_default();
            of_kind.insert(super::store::id_of(&entity.row), Value::Object(entity.row.clone()));
        }
        json!(kinds)
    }

    /// What is stored: addresses in their canonical form.
    fn rows(self) -> Vec<(Kind, Row)> {
        self.entities.into_iter().map(draft::Checked::normalised).collect()
    }
}
