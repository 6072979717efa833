//! Which requests a route matches, so that two routes that match the same ones are found.
//!
//! A route matches a request when every field that says anything has an entry that fits. So two routes have a request in common that
//! neither fits better when in each field they have an entry in common, or both say nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::Fields;

/// What Kong takes where a route says nothing.
const DEFAULT_PROTOCOLS: [&str; 2] = ["http", "https"];
/// Fields that are lists of entries, besides those that are told apart below.
const LISTS: [&str; 5] = ["paths", "methods", "snis", "sources", "destinations"];

/// The matching fields of one route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matching {
    lists: BTreeMap<&'static str, BTreeSet<String>>,
    hosts: BTreeSet<String>,
    /// Values by name; a request must have one of each.
    headers: BTreeMap<String, BTreeSet<String>>,
    protocols: BTreeSet<String>,
}

impl Matching {
    /// Reads a route's fields; none for one without any of these fields, such as a route by `expression`.
    pub(crate) fn of(fields: &Fields) -> Option<Self> {
        let found = Self {
            lists: LISTS.iter().map(|name| (*name, entries(fields.get(*name), str::to_owned))).collect(),
            hosts: entries(fields.get("hosts"), str::to_lowercase),
            headers: headers(fields.get("headers")),
            protocols: protocols(fields),
        };
        let says_nothing = found.hosts.is_empty() && found.headers.is_empty();
        (!says_nothing || found.lists.values().any(|list| !list.is_empty())).then_some(found)
    }

    /// Whether there is a request that both match, and neither by more than the other.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        let same_names = self.headers.keys().eq(other.headers.keys());
        same_names
            && !self.protocols.is_disjoint(&other.protocols)
            && meet(&self.hosts, &other.hosts)
            && self.lists.iter().all(|(name, list)| meet(list, &other.lists[name]))
            && self.headers.iter().all(|(name, values)| meet(values, &other.headers[name]))
    }

    /// Where to look for routes that may meet this one: two that do share one of these.
    pub(crate) fn handles(&self) -> BTreeSet<String> {
        let paths = &self.lists["paths"];
        let handles = if paths.is_empty() { &self.hosts } else { paths };
        if handles.is_empty() { BTreeSet::from([String::new()]) } else { handles.clone() }
    }
}

fn meet(one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
    (one.is_empty() && other.is_empty()) || !one.is_disjoint(other)
}

/// The entries of a list; what is no text (`sources` are records) by its JSON.
fn entries(list: Option<&Value>, canonical: impl Fn(&str) -> String) -> BTreeSet<String> {
    let entries = list.and_then(Value::as_array).into_iter().flatten();
    entries.map(|entry| entry.as_str().map_or_else(|| entry.to_string(), &canonical)).collect()
}

/// Kong's router reads names and values of headers without regard to case, and `_` in a name as `-`.
fn headers(map: Option<&Value>) -> BTreeMap<String, BTreeSet<String>> {
    let headers = map.and_then(Value::as_object).into_iter().flatten();
    headers
        .map(|(name, values)| {
            (name.to_lowercase().replace('_', "-"), entries(Some(values), str::to_lowercase))
        })
        .collect()
}

fn protocols(fields: &Fields) -> BTreeSet<String> {
    let said = entries(fields.get("protocols"), str::to_owned);
    if said.is_empty() { DEFAULT_PROTOCOLS.map(str::to_owned).into() } else { said }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matching(fields: &Value) -> Matching {
        Matching::of(fields.as_object().unwrap()).unwrap()
    }

    #[test]
    fn routes_meet_where_neither_is_more_special() {
        let orders = json!({ "paths": ["/orders", "/o"] });
        for (one, other) in [
            (orders.clone(), json!({ "paths": ["/o"], "hosts": [], "methods": null })),
            (orders.clone(), json!({ "paths": ["/orders"], "protocols": ["https"], "strip_path": false })),
            (json!({ "hosts": ["A.example"] }), json!({ "hosts": ["a.example", "b"] })),
            (
                json!({ "paths": ["/o"], "headers": { "X-Version": ["1", "A"] } }),
                json!({ "paths": ["/o"], "headers": { "x_version": ["a"] } }),
            ),
            (json!({ "sources": [{ "port": 1 }] }), json!({ "sources": [{ "port": 1 }, { "port": 2 }] })),
        ] {
            let (one, other) = (matching(&one), matching(&other));
            assert!(one.meets(&other) && other.meets(&one), "{one:?} {other:?}");
            assert!(!one.handles().is_disjoint(&other.handles()), "{one:?} {other:?}");
        }
        for other in [
            json!({ "paths": ["/orders/"] }),
            json!({ "paths": ["/o"], "hosts": ["a.example"] }),
            json!({ "paths": ["/o"], "methods": ["GET"] }),
            json!({ "paths": ["/o"], "headers": { "x-version": ["1"] } }),
            json!({ "paths": ["/o"], "protocols": ["grpc"] }),
        ] {
            assert!(!matching(&orders).meets(&matching(&other)), "{other}");
        }
    }

    #[test]
    fn a_route_that_names_no_request_meets_none() {
        for fields in [json!({}), json!({ "expression": "http.path == \"/\"" }), json!({ "paths": [] })] {
            assert_eq!(Matching::of(fields.as_object().unwrap()), None);
        }
    }
}
