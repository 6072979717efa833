//! Listing instances.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::answers::{self, Answer, Outcome};
use super::super::codes::{EMPTY_QUERY, HALF_QUERY, OK};
use super::super::messages::{INSTANCE, Row};
use super::super::store::{Instance, Store, object, random_id, text};
use super::Node;
use super::discover::INJECTED;
use super::query::Query;
use super::services::has_metadata;
use crate::stand_in::Asked;

/// What a list of instances can be asked for.
const PARAMETERS: &[&str] = &[
    "id",
    "service",
    "namespace",
    "host",
    "port",
    "keys",
    "values",
    "healthy",
    "isolate",
    "protocol",
    "version",
    "weight",
    "revision",
    "logic_set",
    "offset",
    "limit",
];

/// Panics, as the real one does, where an instance is shown whose service is deleted.
pub(super) fn list(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    listed(node.store, asked).unwrap_or_else(Some)
}

fn listed(store: &Store, asked: &Asked) -> Result<Option<Answer>, Answer> {
    let query = Query::strict(asked, PARAMETERS)?;
    if query.names_nothing() {
        return Err(answers::list(EMPTY_QUERY, None, 0));
    }
    if query.get("keys").is_some() != query.get("values").is_some() {
        let told = Outcome::with(HALF_QUERY, "instance metadata key and value must be both provided");
        return Err(answers::list(told, None, 0));
    }
    let mut fitting: Vec<&Instance> = store.cache.all().filter(|instance| fits(&query, instance)).collect();
    fitting.sort_by_key(|instance| std::cmp::Reverse(instance.changed));
    if fitting.iter().any(|instance| !store.cache.services.contains_key(&instance.key)) {
        return Ok(None);
    }
    let amount = fitting.len();
    let page = query.page(fitting)?.into_iter().map(|instance| shown(store, instance)).collect();
    Ok(Some(answers::list(OK, Some(("instances", page)), amount)))
}

fn fits(query: &Query, instance: &Instance) -> bool {
    let row = &instance.row;
    let texts = ["id", "service", "namespace", "host", "protocol", "version", "logic_set"];
    let others = ["healthy", "isolate", "weight"];
    // A port that is no number is ignored.
    let port = query.get("port").and_then(|port| port.parse::<u64>().ok());
    texts.iter().all(|name| query.fits(name, text(row, name)))
        && others.iter().all(|name| query.fits(name, &row[*name].to_string()))
        && port.is_none_or(|port| row["port"].as_u64() == Some(port))
        && has_metadata(query, row.get("metadata"))
}

/// Without the keys that Discover adds, be they the user's own.
fn shown(store: &Store, instance: &Instance) -> Value {
    let mut row = dated(store, instance);
    if let Some(Value::Object(metadata)) = row.get_mut("metadata") {
        metadata.retain(|key, _| !INJECTED.contains(&key.as_str()));
    }
    row.insert("service_token".to_owned(), json!(random_id()));
    INSTANCE.whole(&row)
}

/// An instance's fields with its times and revision.
pub(super) fn dated(store: &Store, instance: &Instance) -> Row {
    let mut row = instance.row.clone();
    row.extend(object(json!({
        "ctime": store.clock.text(instance.created), "mtime": store.clock.text(instance.changed),
        "revision": instance.revision,
    })));
    row
}

pub(super) fn count(node: &mut Node<'_>, _: &Asked) -> Option<Answer> {
    Some(answers::list(OK, None, node.store.cache.all().count()))
}

/// The values of each key of the metadata that Discover shows.
pub(super) fn labels(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    let query = Query::lenient(asked);
    let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for instance in node.store.cache.all().filter(|instance| fits(&query, instance)) {
        let row = super::discover::injected(instance.row.clone());
        for (key, value) in row.get("metadata").and_then(Value::as_object).into_iter().flatten() {
            labels.entry(key.clone()).or_default().extend(value.as_str().map(str::to_owned));
        }
    }
    let labels: Row = labels.into_iter().map(|(key, values)| (key, json!({ "values": values }))).collect();
    Some(answers::one(OK, Some(("instanceLabels", json!({ "labels": labels })))))
}
