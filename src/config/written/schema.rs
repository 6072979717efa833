//! The schema of native documents, completed with what types can't say.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::Document;
use crate::config::check::SECRET_IN_FILE;

/// The JSON Schema (2020-12) of a native document.
pub(crate) static NATIVE_SCHEMA: LazyLock<Value> = LazyLock::new(native_schema);

fn native_schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Document>().to_value();
    schema["title"] = json!("Causeway configuration");
    schema["properties"]["version"] =
        json!({ "type": "integer", "const": 1, "description": "The version of this form of document." });
    schema["required"] = json!(["version"]);
    schema["patternProperties"] = json!({ "^x-": { "description": "Free, for anchors." } });
    give_secrets_their_files(&mut schema);
    schema
}

/// Beside each secret may stand `…_file`, the file to read it from; only one of them can hold.
fn give_secrets_their_files(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(give_secrets_their_files),
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                let secrets = add_file_twins(properties);
                let both = secrets.iter().map(|secret| json!([secret, format!("{secret}_file")]));
                let never: Vec<Value> = both.map(|both| json!({ "not": { "required": both } })).collect();
                if !never.is_empty() {
                    object.insert("allOf".to_owned(), Value::Array(never));
                }
            }
            object.values_mut().for_each(give_secrets_their_files);
        }
        _ => {}
    }
}

/// Returns the secrets' names.
fn add_file_twins(properties: &mut Map<String, Value>) -> Vec<String> {
    let secrets: Vec<String> = properties
        .iter()
        .filter(|(_, property)| property["writeOnly"] == true)
        .map(|(name, _)| name.clone())
        .collect();
    for secret in &secrets {
        let twin = json!({
            "type": ["string", "null"],
            SECRET_IN_FILE: secret,
            "description": format!("In place of `{secret}`: the file to read it from, without the line's end."),
        });
        properties.insert(format!("{secret}_file"), twin);
    }
    secrets
}
