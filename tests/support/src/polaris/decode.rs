//! Reading JSON as Polaris does: strict, and with Go's words for what is wrong.

use serde_json::{Map, Value};

use super::messages::{Field, Kind, Message, Row};

impl Message {
    /// A body that is one message.
    pub(super) fn read_one(&self, body: &[u8]) -> Result<Row, String> {
        match parse(body)? {
            Value::Object(members) => self.read(&members),
            other => Err(mismatch(&other, "map[string]json.RawMessage")),
        }
    }

    /// A body that is a list of messages.
    pub(super) fn read_list(&self, body: &[u8]) -> Result<Vec<Row>, String> {
        let text = body.trim_ascii();
        if text == b"null" {
            return Ok(Vec::new());
        }
        if !text.is_empty() && !text.starts_with(b"[") {
            return Err("not at beginning of value".to_owned());
        }
        let Value::Array(items) = parse(text)? else { return Ok(Vec::new()) };
        let message = |item: &Value| match item {
            Value::Object(members) => self.read(members),
            other => Err(mismatch(other, "map[string]json.RawMessage")),
        };
        items.iter().map(message).collect()
    }

    /// Only what is set and isn't null; of `Texts` an empty one counts as set.
    fn read(&self, members: &Map<String, Value>) -> Result<Row, String> {
        let mut row = Row::new();
        for (name, value) in members {
            let unknown = || format!("unknown field \"{name}\" in {}", self.name);
            let field = self.field(name).ok_or_else(unknown)?;
            if !value.is_null() {
                row.insert(field.name.to_owned(), field.read(value)?);
            }
        }
        Ok(row)
    }
}

impl Field {
    fn read(&self, value: &Value) -> Result<Value, String> {
        match (&self.kind, value) {
            (Kind::Text, Value::String(_)) | (Kind::Flag, Value::Bool(_)) | (Kind::List, Value::Array(_)) => {
                Ok(value.clone())
            }
            (Kind::Whole, _) => whole(value),
            (Kind::Texts, Value::Object(members)) => {
                let odd = members.values().find(|value| !value.is_string());
                odd.map_or_else(|| Ok(value.clone()), |odd| Err(mismatch(odd, "string")))
            }
            (Kind::Message(message), Value::Object(members)) => Ok(message.whole(&message.read(members)?)),
            (Kind::Enum(name, values), _) => one_of(name, values, value),
            (Kind::Text, other) => Err(mismatch(other, "string")),
            (Kind::Flag, other) => Err(mismatch(other, "bool")),
            (_, other) => Err(mismatch(other, "map[string]json.RawMessage")),
        }
    }
}

/// A number, which may be written as text.
fn whole(value: &Value) -> Result<Value, String> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let number: Result<u32, _> = text.parse();
    number
        .map(Value::from)
        .map_err(|_| format!("json: cannot unmarshal number {text} into Go value of type uint32"))
}

/// The name of a value that is given by its name or number.
fn one_of(name: &str, values: &[&str], value: &Value) -> Result<Value, String> {
    let by_number = |number: u64| values.get(usize::try_from(number).ok()?).copied();
    let known = match value {
        Value::String(text) => values.iter().find(|known| **known == text.as_str()).copied(),
        other => other.as_u64().and_then(by_number),
    };
    known.map(Value::from).ok_or_else(|| format!("unknown value {:?} for enum {name}", value.to_string()))
}

fn mismatch(value: &Value, wanted: &str) -> String {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!("json: cannot unmarshal {kind} into Go value of type {wanted}")
}

fn parse(body: &[u8]) -> Result<Value, String> {
    if body.is_empty() {
        return Err("EOF".to_owned());
    }
    serde_json::from_slice(body).map_err(|error| {
        let at = error.column().checked_sub(1).and_then(|at| body.get(at)).map(|byte| char::from(*byte));
        match at {
            _ if error.is_eof() => "unexpected EOF".to_owned(),
            Some(c) => format!("invalid character '{c}' looking for beginning of object key string"),
            None => error.to_string(),
        }
    })
}
