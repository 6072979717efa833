//! What clients ask: the instances of a service, the services of a namespace.

use serde_json::{Value, json};

use super::super::answers::{Answer, Outcome, discovered, one};
use super::super::codes::{BAD_DISCOVER, NOT_FOUND, OK, UNCHANGED_DATA};
use super::super::messages::{DISCOVER, INSTANCE, Row, SERVICE};
use super::super::store::{Key, Store, common_revision, object, text};
use super::console::dated;
use super::services::{name_and_metadata, shown};
use super::{Node, check_service};
use crate::stand_in::Asked;

/// The keys that an instance's fields put into its metadata, over what the user has there.
pub(super) const INJECTED: [&str; 5] = ["version", "protocol", "region", "zone", "campus"];

const DEFAULT_NAMESPACE: &str = "default";

pub(super) fn discover(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    let row = match DISCOVER.read_one(&asked.body) {
        Ok(row) => row,
        Err(why) => return Some(one(Outcome::undecodable(&why), None)),
    };
    // The real one panics where there is none.
    let Some(Value::Object(service)) = row.get("service") else { return None };
    let revision = text(service, "revision");
    Some(match text(&row, "type") {
        "INSTANCE" => instances(node.store, service, revision),
        "SERVICES" => services(node.store, service, revision),
        kind @ ("ROUTING" | "RATE_LIMIT" | "CIRCUIT_BREAKER" | "FAULT_DETECTOR") => {
            discovered(OK, kind, json!({ "service": SERVICE.whole(&named(service)) }))
        }
        _ => discovered(BAD_DISCOVER, "ROUTING", json!({ "service": SERVICE.whole(&named(service)) })),
    })
}

/// Namespace and name, as they were asked for.
fn named(service: &Row) -> Row {
    let of = |name: &str| (name.to_owned(), service.get(name).cloned().unwrap_or_default());
    Row::from_iter([of("namespace"), of("name")])
}

fn instances(store: &Store, service: &Row, revision: &str) -> Answer {
    let mut asked = named(service);
    if let Err(code) = check_service(service, "name") {
        return discovered(code, "INSTANCE", json!({ "service": SERVICE.whole(&asked) }));
    }
    if text(&asked, "namespace").is_empty() {
        asked.insert("namespace".to_owned(), json!(DEFAULT_NAMESPACE));
    }
    let key: Key = (text(&asked, "namespace").to_owned(), text(&asked, "name").to_owned());
    let Some(standing) = store.cache.services.get(&key) else {
        return discovered(NOT_FOUND, "INSTANCE", json!({ "service": SERVICE.whole(&asked) }));
    };
    let revisions = store.cache.of(&key).map(|instance| instance.revision.as_str());
    let current = common_revision(revisions.chain([standing.revision.as_str()]));
    if current == revision {
        asked.insert("revision".to_owned(), json!(revision));
        return discovered(UNCHANGED_DATA, "INSTANCE", json!({ "service": SERVICE.whole(&asked) }));
    }
    let row = shown(store, &key, standing);
    let mut revised = row.clone();
    revised.insert("revision".to_owned(), json!(current));
    let instances: Vec<Value> =
        store.cache.of(&key).map(|instance| INSTANCE.whole(&injected(dated(store, instance)))).collect();
    let set = json!({
        "service": SERVICE.whole(&revised), "instances": instances, "aliasFor": SERVICE.whole(&row),
    });
    discovered(OK, "INSTANCE", set)
}

/// With the metadata that the server makes of the fields.
pub(super) fn injected(mut row: Row) -> Row {
    let location = row.get("location").and_then(Value::as_object).cloned().unwrap_or_default();
    let own = ["version", "protocol"].map(|key| (key.to_owned(), row[key].clone()));
    let own = own.into_iter().filter(|(_, value)| value.as_str().is_some_and(|text| !text.is_empty()));
    // Of a location the empty parts are set too.
    let injected: Vec<(String, Value)> = own.chain(location).collect();
    if let Some(Value::Object(metadata)) = row.get_mut("metadata") {
        metadata.extend(injected);
    }
    row
}

/// All of a namespace, or of all of them where none is named; the name is ignored.
fn services(store: &Store, service: &Row, revision: &str) -> Answer {
    let mut asked = named(service);
    let namespace = text(&asked, "namespace");
    let fits = |key: &Key| namespace.is_empty() || key.0 == namespace;
    let listed: Vec<_> = store.cache.services.iter().filter(|(key, _)| fits(key)).collect();
    let current = common_revision(listed.iter().map(|(_, service)| service.revision.as_str()));
    if !listed.is_empty() {
        asked.insert("revision".to_owned(), json!(current));
    }
    let asked = SERVICE.whole(&asked);
    if current == revision {
        return discovered(UNCHANGED_DATA, "SERVICES", json!({ "service": asked }));
    }
    let rows: Vec<Value> =
        listed.into_iter().map(|(key, service)| SERVICE.whole(&name_and_metadata(key, service))).collect();
    discovered(OK, "SERVICES", Value::Object(object(json!({ "service": asked, "services": rows }))))
}
