//! The values that Kong gives to fields that a document leaves out, as a Kong 3.9.1 answered them.
//!
//! What is written is left out when it equals them, and what is read is completed by them: a document that Kong wrote
//! out in full and one that names only what is meant are the same to a plan.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde_json::Value;

use super::node::Node;
use crate::{Fields, Kind};

const TABLE: &str = include_str!("defaults.json");

static DEFAULTS: LazyLock<BTreeMap<&str, Arc<Fields>>> = LazyLock::new(|| {
    // The table is part of the program, and a test reads it.
    let table: BTreeMap<&str, Fields> = serde_json::from_str(TABLE).unwrap_or_default();
    table.into_iter().map(|(kind, fields)| (kind, Arc::new(fields))).collect()
});

/// Those of a kind; none of targets, whose only one is the weight.
fn of(kind: Kind) -> Option<&'static Arc<Fields>> {
    let list = match kind {
        Kind::Service => "services",
        Kind::Upstream => "upstreams",
        Kind::Route => "routes",
        Kind::Target => return None,
    };
    DEFAULTS.get(list)
}

/// The fields with those that are not among them.
pub(super) fn completed(kind: Kind, fields: Fields) -> Arc<Fields> {
    let Some(defaults) = of(kind) else { return Arc::new(fields) };
    if fields.is_empty() {
        return defaults.clone();
    }
    let mut all = (**defaults).clone();
    for (name, value) in fields {
        match (all.get_mut(&name), value) {
            (Some(stands), value) => lay_over(stands, value),
            (None, value) => drop(all.insert(name, value)),
        }
    }
    Arc::new(all)
}

fn lay_over(stands: &mut Value, value: Value) {
    match (stands, value) {
        (Value::Object(stands), Value::Object(fields)) => {
            for (name, value) in fields {
                lay_over(stands.entry(name).or_insert(Value::Null), value);
            }
        }
        (stands, value) => *stands = value,
    }
}

/// Takes out of an entity what Kong would put there by itself: defaults, times, and fields without a value.
pub(super) fn leave_out(kind: Kind, entity: &mut Node) {
    const TIMES: [&str; 2] = ["created_at", "updated_at"];
    let defaults = of(kind);
    entity.retain(|field, node| {
        let default = defaults.and_then(|defaults| defaults.get(field));
        match default {
            // A record may spell out what is null in the table's.
            Some(default) => without_nulls(node.value()) != *default,
            None => !node.is_null() && !TIMES.contains(&field),
        }
    });
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let named = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(named.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_left_out_is_completed_again() {
        let mut full = json!({ "name": "u", "created_at": 1, "hash_on_header": null, "slots": 1000 });
        for (name, value) in &**of(Kind::Upstream).unwrap() {
            full.as_object_mut().unwrap().entry(name.clone()).or_insert(value.clone());
        }
        full["healthchecks"]["active"]["headers"] = Value::Null;
        let mut node = Node::of(&full);
        leave_out(Kind::Upstream, &mut node);
        assert_eq!(node.value(), json!({ "name": "u", "slots": 1000 }));

        let Value::Object(fields) = json!({ "slots": 1000, "healthchecks": { "threshold": 50 } }) else {
            unreachable!()
        };
        let all = completed(Kind::Upstream, fields);
        assert_eq!(all["slots"], 1000);
        assert_eq!(all["healthchecks"]["threshold"], 50);
        assert_eq!(all["healthchecks"]["active"]["http_path"], "/");
        assert_eq!(all["algorithm"], "round-robin");
    }

    #[test]
    fn the_table_names_every_kind() {
        assert_eq!(DEFAULTS.keys().copied().collect::<Vec<_>>(), ["routes", "services", "upstreams"]);
    }
}
