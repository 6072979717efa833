//! Filling in what a client left out, and merging what it sent into what is stored.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::field::Field;
use crate::kong::store::Row;

/// `sent` with every field of the schema: its default, or null. Unknown fields stay, to be refused later.
pub(super) fn record(fields: &[Field], sent: Row) -> Row {
    let mut row = sent;
    for field in fields {
        let value = row.remove(&field.name);
        row.insert(field.name.clone(), value_of(field, value));
    }
    row
}

/// Kong deletes nothing by silence: an explicit null stays null, only what is absent gets its default.
fn value_of(field: &Field, sent: Option<Value>) -> Value {
    match sent.or_else(|| field.default.clone()) {
        Some(Value::Object(map)) if field.kind == "record" => Value::Object(record(&field.fields, map)),
        Some(Value::Object(map)) if map.is_empty() && field.is_list() => Value::Array(Vec::new()),
        Some(Value::Array(elements)) if field.kind == "set" => Value::Array(distinct(elements)),
        None if field.kind == "record" && field.required => Value::Object(record(&field.fields, Map::new())),
        other => other.unwrap_or(Value::Null),
    }
}

fn distinct(elements: Vec<Value>) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    let key = |element: &Value| element.as_str().map_or_else(|| element.to_string(), str::to_owned);
    elements.into_iter().filter(|element| seen.insert((element.is_string(), key(element)))).collect()
}

/// Lays `sent` over `row`. Records merge, all else is replaced.
pub(super) fn merge(fields: &[Field], row: &mut Row, sent: Row) {
    for (name, value) in sent {
        let nested = fields.iter().find(|field| field.name == name && field.kind == "record");
        match (nested, row.get_mut(&name), value) {
            (Some(field), Some(Value::Object(current)), Value::Object(sent)) => {
                merge(&field.fields, current, sent);
            }
            (_, _, value) => {
                row.insert(name, value);
            }
        }
    }
}
