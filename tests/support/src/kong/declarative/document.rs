//! The body of `POST /config`: JSON, or JSON or YAML as text.

use serde_json::{Map, Value};

use crate::kong::answer::Answer;
use crate::kong::call::Call;
use crate::kong::errors;
use crate::kong::store::Row;

/// A document and how to treat it.
pub(super) struct Document {
    pub(super) fields: Row,
    /// The document as it came, unless it came as JSON members of the body.
    pub(super) text: Option<String>,
    pub(super) check_hash: bool,
    pub(super) flatten_errors: bool,
}

impl Document {
    pub(super) fn read(call: &Call) -> Result<Self, Answer> {
        let flag = |name: &str| call.parameter(name) == Some("1");
        let (mut fields, text) = body(call)?;
        // Flags may stand in the body too; there they have no effect on what an inline document does.
        fields.remove("check_hash");
        fields.remove("flatten_errors");
        Ok(Self { fields, text, check_hash: flag("check_hash"), flatten_errors: flag("flatten_errors") })
    }
}

fn body(call: &Call) -> Result<(Row, Option<String>), Answer> {
    if call.media_type().is_some_and(|media| media.ends_with("/yaml")) {
        let text = String::from_utf8_lossy(&call.body).into_owned();
        return Ok((parse(&text)?, Some(text)));
    }
    let mut fields = call.fields(None)?;
    match fields.remove("config") {
        Some(Value::String(text)) => Ok((parse(&text)?, Some(text))),
        Some(other) => {
            fields.insert("config".to_owned(), other);
            Ok((fields, None))
        }
        None => Ok((fields, None)),
    }
}

/// Text is JSON or YAML, and must be a mapping.
fn parse(text: &str) -> Result<Row, Answer> {
    let parsed: Option<Value> = serde_json::from_str(text).ok().or_else(|| parse_yaml(text));
    match parsed {
        Some(Value::Object(fields)) => Ok(fields),
        Some(Value::Array(elements)) if elements.is_empty() => Ok(Map::new()),
        _ => Err(errors::declarative(Map::new(), None, "failed parsing declarative configuration")),
    }
}

/// Kong reads `y` as a name, as YAML 1.2 does, and documents of any size.
fn parse_yaml(text: &str) -> Option<Value> {
    let options = serde_saphyr::options! { strict_booleans: true, budget: None };
    serde_saphyr::from_str_with_options(text, options).ok()
}
