//! Metadata as registries write them in JSON.

use serde_json::Value;

/// A pair of JSON as metadata. Java's maps may hold nulls, which say nothing.
pub(super) fn pair((key, value): (&String, &Value)) -> Option<(String, String)> {
    match value {
        Value::Null => None,
        Value::String(text) => Some((key.clone(), text.clone())),
        other => Some((key.clone(), other.to_string())),
    }
}
