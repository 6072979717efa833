//! One field of a schema, and whether a value fits it.

use serde_json::{Map, Value};

use super::{Errors, formats, lua};
use crate::kong::store::{Kind, Row};

/// A field as the published schema describes it.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) required: bool,
    pub(super) default: Option<Value>,
    pub(super) fields: Vec<Field>,
    elements: Option<Box<Field>>,
    /// The whole description, for the rules that few fields have.
    rules: Value,
}

impl Field {
    /// Reads `[{"name": {…}}, …]`.
    pub(super) fn parse_all(list: &Value) -> Vec<Self> {
        let entries = list.as_array().into_iter().flatten().filter_map(Value::as_object);
        entries.flatten().map(|(name, rules)| Self::parse(name, rules)).collect()
    }

    fn parse(name: &str, rules: &Value) -> Self {
        Self {
            name: name.to_owned(),
            kind: rules["type"].as_str().unwrap_or_default().to_owned(),
            required: rules["required"] == true,
            default: rules.get("default").filter(|value| !value.is_null()).cloned(),
            fields: Self::parse_all(&rules["fields"]),
            elements: rules
                .get("elements")
                .or_else(|| rules.get("values"))
                .map(|e| Box::new(Self::parse(name, e))),
            rules: rules.clone(),
        }
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.kind.as_str(), "array" | "set")
    }

    fn is_auto(&self) -> bool {
        self.rules["auto"] == true
    }
}

/// The errors of a complete record, by field.
pub(super) fn check_record(kind: Kind, fields: &[Field], row: &Row) -> Errors {
    let mut errors = Map::new();
    for (name, value) in row {
        let error = match fields.iter().find(|field| field.name == *name) {
            None => Some(Value::from("unknown field")),
            Some(field) => check(kind, field, value),
        };
        if let Some(error) = error {
            errors.insert(name.clone(), error);
        }
    }
    errors
}

fn check(kind: Kind, field: &Field, value: &Value) -> Option<Value> {
    if value.is_null() {
        return (field.required && !field.is_auto()).then(|| Value::from("required field missing"));
    }
    match (field.kind.as_str(), value) {
        ("string", Value::String(text)) => check_text(kind, field, text).map(Value::from),
        ("integer" | "number", Value::Number(_)) => check_number(field, value).map(Value::from),
        ("boolean", Value::Bool(_)) | ("foreign", Value::Object(_)) | ("any", _) => None,
        ("array" | "set", Value::Array(elements)) => check_elements(kind, field, elements),
        ("map", Value::Object(entries)) => check_map(kind, field, entries),
        ("record", Value::Object(nested)) => {
            let errors = check_record(kind, &field.fields, nested);
            (!errors.is_empty()).then_some(Value::Object(errors))
        }
        (expected, _) => Some(Value::from(format!("expected {}", with_article(expected)))),
    }
}

fn with_article(kind: &str) -> String {
    let article = if matches!(kind, "integer" | "array") { "an" } else { "a" };
    format!("{article} {kind}")
}

fn check_text(kind: Kind, field: &Field, text: &str) -> Option<String> {
    let rules = &field.rules;
    let shortest = rules["len_min"].as_u64().unwrap_or(1);
    if (text.len() as u64) < shortest {
        return Some(format!("length must be at least {shortest}"));
    }
    if rules["uuid"] == true && !crate::kong::store::is_uuid(text) {
        return Some("expected a valid UUID".to_owned());
    }
    if let Some(start) = rules["starts_with"].as_str().filter(|start| !text.starts_with(start)) {
        return Some(format!("should start with: {start}"));
    }
    check_one_of(field, &Value::from(text))
        .or_else(|| check_patterns(rules, text))
        .or_else(|| formats::check(kind, &field.name, text))
}

fn check_patterns(rules: &Value, text: &str) -> Option<String> {
    let list = |name: &str| rules[name].as_array().cloned().unwrap_or_default();
    let pattern = |rule: &Value| rule["pattern"].as_str().is_some_and(|p| lua::matches(p, text));
    let message =
        |rule: &Value| rule["err"].as_str().map_or_else(|| format!("invalid value: {text}"), str::to_owned);
    if let Some(rule) = list("match_none").iter().find(|rule| pattern(rule)) {
        return Some(message(rule));
    }
    if let Some(rule) = list("match_all").iter().find(|rule| !pattern(rule)) {
        return Some(message(rule));
    }
    if let Some(any) = rules.get("match_any") {
        let patterns = any["patterns"].as_array().cloned().unwrap_or_default();
        if !patterns.iter().filter_map(Value::as_str).any(|p| lua::matches(p, text)) {
            return Some(message(any));
        }
    }
    let wanted = rules["match"].as_str()?;
    (!lua::matches(wanted, text)).then(|| format!("invalid value: {text}"))
}

fn check_one_of(field: &Field, value: &Value) -> Option<String> {
    let allowed = field.rules["one_of"].as_array()?;
    (!allowed.contains(value)).then(|| {
        let names: Vec<_> = allowed.iter().map(plain).collect();
        format!("expected one of: {}", names.join(", "))
    })
}

/// A value as Kong's messages print it, without quotes.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn check_number(field: &Field, value: &Value) -> Option<String> {
    let number = value.as_f64().unwrap_or_default();
    if field.kind == "integer" && number.fract() != 0.0 {
        return Some("expected an integer".to_owned());
    }
    if let Some([low, high]) = field.rules["between"].as_array().map(Vec::as_slice)
        && !(low.as_f64() <= Some(number) && Some(number) <= high.as_f64())
    {
        return Some(format!("value should be between {low} and {high}"));
    }
    check_one_of(field, value)
}

/// The error of each element, null for a good one before a bad one.
fn check_elements(kind: Kind, field: &Field, elements: &[Value]) -> Option<Value> {
    let element = field.elements.as_deref()?;
    let mut errors: Vec<Value> =
        elements.iter().map(|value| check(kind, element, value).unwrap_or_default()).collect();
    let Some(last) = errors.iter().rposition(|error| !error.is_null()) else {
        let shortest = field.rules["len_min"].as_u64().unwrap_or(0);
        let short = (elements.len() as u64) < shortest;
        return short.then(|| Value::from(format!("length must be at least {shortest}")));
    };
    errors.truncate(last + 1);
    Some(Value::Array(errors))
}

fn check_map(kind: Kind, field: &Field, entries: &Row) -> Option<Value> {
    for (key, value) in entries {
        if let Some(error) = check_patterns(&field.rules["keys"], key) {
            return Some(Value::from(error));
        }
        if let Some(error) = field.elements.as_deref().and_then(|element| check(kind, element, value)) {
            return Some(error);
        }
    }
    None
}
