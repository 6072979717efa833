//! One request as the handlers see it.

use axum::http::Method;
use bytes::Bytes;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::answer::Answer;
use super::errors;
use super::schema::Schema;
use super::store::Row;

/// The largest body that nginx lets through by default (`nginx_admin_client_max_body_size`), in bytes.
pub(super) const MAX_BODY: usize = 10 * 1024 * 1024;

/// A request: method, decoded path segments, query and body.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) content_type: Option<String>,
    pub(super) body: Bytes,
}

impl Call {
    /// Takes a request target such as `/services?size=10` apart.
    pub(super) fn new(method: Method, target: &str, content_type: Option<String>, body: Bytes) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = path.split('/').filter(|segment| !segment.is_empty()).map(decode).collect();
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { method, path, query, content_type, body }
    }

    /// The first value of a query parameter; Kong ignores repetitions and parameters that it does not know.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether nginx or Kong's content filter refuses the body before any handler sees it.
    pub(super) fn refused(&self) -> Option<Answer> {
        if self.body.len() > MAX_BODY {
            return Some(Answer::html(413));
        }
        let writes = matches!(self.method, Method::POST | Method::PUT | Method::PATCH);
        let known = match self.media_type() {
            None => self.body.is_empty(),
            Some(media) => KNOWN_MEDIA.contains(&media.as_str()),
        };
        (writes && !known).then(|| Answer::html(415))
    }

    pub(super) fn media_type(&self) -> Option<String> {
        let media = self.content_type.as_deref()?.split(';').next()?;
        Some(media.trim().to_ascii_lowercase())
    }

    /// The fields of the body. `schema` gives form values their types.
    pub(super) fn fields(&self, schema: Option<&Schema>) -> Result<Row, Answer> {
        match self.media_type().as_deref() {
            None => Ok(Map::new()),
            Some(FORM) => Ok(form_fields(&self.body, schema)),
            Some(_) => json_fields(&self.body),
        }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";
const KNOWN_MEDIA: [&str; 5] =
    ["application/json", FORM, "multipart/form-data", "application/yaml", "text/yaml"];

/// Kong takes an empty array for an empty object, and stumbles over anything else that is no object.
fn json_fields(body: &[u8]) -> Result<Row, Answer> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(Value::Array(elements)) if elements.is_empty() => Ok(Map::new()),
        Ok(_) => Err(errors::unexpected()),
        Err(_) => Err(errors::unparsable_body()),
    }
}

/// `name=a&tags[]=x&tags[]=y`, each value in the type that the schema gives its field.
fn form_fields(body: &[u8], schema: Option<&Schema>) -> Row {
    let mut fields = Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        if let Some(name) = name.strip_suffix("[]") {
            let list = fields.entry(name).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(Value::from(value.as_ref()));
            }
        } else {
            let kind = schema.and_then(|schema| schema.type_of(&name)).unwrap_or("string");
            fields.insert(name.to_string(), typed(kind, &value));
        }
    }
    fields
}

fn typed(kind: &str, text: &str) -> Value {
    let parsed = match kind {
        "integer" | "number" => serde_json::from_str(text).ok(),
        "boolean" => text.parse().ok().map(Value::Bool),
        _ => None,
    };
    parsed.unwrap_or_else(|| Value::from(text))
}

/// Undoes percent-encoding; `+` stays, as in any path.
fn decode(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.filter(|_| bytes[at] == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Percent-encodes a path segment or a query value as Kong does in `next`.
pub(super) fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}
