//! Metadata as registries write them in JSON, and what copies have in place of keys that a registry can't hold.

use serde_json::Value;

use crate::model::Metadata;
use crate::model::escape::unescape;
use crate::sync::Mark;

/// The metadata of an entry under its original keys: those of our copies may be escaped.
pub(super) fn original(metadata: Metadata) -> Metadata {
    if Mark::read(&metadata).is_none() {
        return metadata;
    }
    metadata.into_iter().map(|(key, value)| (unescape(&key).unwrap_or(key), value)).collect()
}

/// A pair of JSON as metadata. Java's maps may hold nulls, which say nothing.
pub(super) fn pair((key, value): (&String, &Value)) -> Option<(String, String)> {
    match value {
        Value::Null => None,
        Value::String(text) => Some((key.clone(), text.clone())),
        other => Some((key.clone(), other.to_string())),
    }
}
