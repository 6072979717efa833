//! Checks that look at several fields of an entity at once.

use serde_json::{Value, json};

use super::field::plain;
use super::{Errors, lua};
use crate::kong::store::{Kind, Row};

/// One check of a whole entity.
pub(super) enum EntityCheck {
    /// When one field matches, another must.
    Conditional(Value),
    /// No two of the fields may be equal.
    Distinct(Vec<String>),
    /// A route must be able to match something.
    Routable,
}

/// The fields of which a route needs one, by protocol, in the order in which Kong looks.
const MATCHERS: [(&str, &[&str]); 8] = [
    ("https", &["methods", "hosts", "headers", "paths", "snis"]),
    ("http", &["methods", "hosts", "headers", "paths"]),
    ("grpcs", &["hosts", "headers", "paths", "snis"]),
    ("grpc", &["hosts", "headers", "paths"]),
    ("tls_passthrough", &["snis"]),
    ("tls", &["sources", "destinations", "snis"]),
    ("tcp", &["sources", "destinations"]),
    ("udp", &["sources", "destinations"]),
];

impl EntityCheck {
    /// Reads `[{"conditional": {…}}, …]`; Kong publishes nothing of what its own code checks.
    pub(super) fn parse_all(kind: Kind, list: &Value) -> Vec<Self> {
        let published = list.as_array().into_iter().flatten().filter_map(Self::parse);
        published.chain((kind == Kind::Routes).then_some(Self::Routable)).collect()
    }

    fn parse(check: &Value) -> Option<Self> {
        if let Some(rule) = check.get("conditional") {
            return Some(Self::Conditional(rule.clone()));
        }
        let names = check.get("distinct")?.as_array()?;
        Some(Self::Distinct(names.iter().map(plain).collect()))
    }

    pub(super) fn run(&self, row: &Row, errors: &mut Errors) {
        match self {
            Self::Conditional(rule) => conditional(rule, row, errors),
            Self::Distinct(names) => distinct(names, row, errors),
            Self::Routable => routable(row, errors),
        }
    }
}

fn field<'a>(row: &'a Row, name: &Value) -> &'a Value {
    name.as_str().and_then(|name| row.get(name)).unwrap_or(&Value::Null)
}

fn conditional(rule: &Value, row: &Row, errors: &mut Errors) {
    let (tested, wanted) = (field(row, &rule["if_field"]), field(row, &rule["then_field"]));
    if tested.is_null() || violation(&rule["if_match"], tested).is_some() {
        return;
    }
    if let Some(error) = violation(&rule["then_match"], wanted) {
        errors.entry(plain(&rule["then_field"])).or_insert(Value::from(error));
        let general = rule["then_err"].as_str().map_or_else(
            || format!("failed conditional validation given value of field '{}'", plain(&rule["if_field"])),
            str::to_owned,
        );
        add(errors, general);
    }
}

/// Why `value` does not satisfy a condition.
fn violation(condition: &Value, value: &Value) -> Option<String> {
    let (name, expected) = condition.as_object()?.iter().find(|(name, _)| *name != "type")?;
    let listed = expected.as_array().is_some_and(|list| list.contains(value));
    let (holds, why) = match name.as_str() {
        "eq" => (value == expected, format!("value must be {}", plain(expected))),
        "one_of" => (listed, format!("expected one of: {}", names(expected))),
        "not_one_of" => (!listed, format!("must not be one of: {}", names(expected))),
        "required" => (!value.is_null(), "required field missing".to_owned()),
        "match" => {
            let text = value.as_str().unwrap_or_default();
            (lua::matches(&plain(expected), text), format!("invalid value: {text}"))
        }
        "len_eq" => {
            let length = value.as_array().map_or(0, Vec::len);
            (expected.as_u64() == Some(length as u64), format!("length must be {expected}"))
        }
        "elements" => {
            let all = value.as_array().into_iter().flatten();
            (all.into_iter().all(|v| violation(expected, v).is_none()), "invalid elements".to_owned())
        }
        _ => (true, String::new()),
    };
    (!holds).then_some(why)
}

fn names(list: &Value) -> String {
    list.as_array().into_iter().flatten().map(plain).collect::<Vec<_>>().join(", ")
}

fn distinct(fields: &[String], row: &Row, errors: &mut Errors) {
    let values: Vec<_> = fields.iter().filter_map(|name| row.get(name)).filter(|v| !v.is_null()).collect();
    let repeated = values.iter().enumerate().any(|(index, value)| values[..index].contains(value));
    if repeated {
        let list = fields.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        add(errors, format!("values of these fields must be distinct: {list}"));
    }
}

fn routable(row: &Row, errors: &mut Errors) {
    let protocols = field(row, &json!("protocols"));
    let speaks = |name: &str| protocols.as_array().is_some_and(|list| list.contains(&Value::from(name)));
    let Some((protocol, fields)) = MATCHERS.iter().find(|(name, _)| speaks(name)) else { return };
    if fields.iter().all(|name| row.get(*name).is_none_or(Value::is_null)) {
        let list = fields.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        add(errors, format!("must set one of {list} when 'protocols' is '{protocol}'"));
    }
}

fn add(errors: &mut Errors, message: String) {
    if let Value::Array(list) = errors.entry("@entity").or_insert_with(|| json!([])) {
        list.push(Value::from(message));
    }
}
