//! Writing instances.

use serde_json::{Value, json};

use super::super::answers::{Answer, Batch};
use super::super::codes::{
    BAD_HOST, BAD_ISOLATE, BAD_PORT, NO_INSTANCE, NO_NEED_TO_UPDATE, OK, SAME_INSTANCE,
};
use super::super::messages::{INSTANCE, Row};
use super::super::store::{Key, Store, instance_id, object, text};
use super::services::check_metadata;
use super::{Node, check_namespace, check_service, each};
use crate::stand_in::Asked;

const LONGEST_HOST: usize = 128;
const LARGEST_PORT: u64 = 65_535;
/// What an unusable time to live becomes, in seconds.
const DEFAULT_TTL: u64 = 5;
const LONGEST_TTL: u64 = 60;

/// What an update may change. A location that it doesn't give is taken away.
const CHANGEABLE: &[&str] = &[
    "protocol",
    "version",
    "priority",
    "weight",
    "enableHealthCheck",
    "healthCheck",
    "healthy",
    "isolate",
    "location",
    "metadata",
    "logic_set",
];

/// What an answer repeats of an instance that was registered.
const IDENTITY: &[&str] = &["id", "service", "namespace", "vpc_id", "host", "port"];

/// The service and host that a row names.
fn host_of(row: &Row) -> Result<(Key, String), u32> {
    let service = check_service(row, "service")?;
    let namespace = check_namespace(row, "namespace")?;
    let host = text(row, "host");
    if host.is_empty() || host.len() > LONGEST_HOST {
        return Err(BAD_HOST);
    }
    Ok(((namespace, service), host.to_owned()))
}

/// The service and the id by which a row is registered.
fn identity(row: &Row) -> Result<(Key, String), u32> {
    let (key, host) = host_of(row)?;
    let port =
        row.get("port").and_then(Value::as_u64).filter(|port| *port <= LARGEST_PORT).ok_or(BAD_PORT)?;
    check_metadata(row)?;
    let vpc = Some(text(row, "vpc_id")).filter(|vpc| !vpc.is_empty());
    let id = match text(row, "id") {
        "" => instance_id(&key, vpc, &host, u32::try_from(port).unwrap_or_default()),
        own => own.to_owned(),
    };
    Ok((key, id))
}

/// The id that a row means, which may be all that it has.
pub(super) fn id_of(row: &Row) -> Result<String, u32> {
    match text(row, "id") {
        "" => identity(row).map(|(_, id)| id),
        id => Ok(id.to_owned()),
    }
}

/// Registers an instance, in place of one at the same address. What the answer repeats of it.
pub(super) fn put(node: &mut Node<'_>, row: &Row) -> Result<Row, u32> {
    let (key, id) = identity(row)?;
    if !node.store.services.contains_key(&key) {
        let given = object(json!({ "owners": node.implied_owner() }));
        node.store.put_service(&key, given);
    }
    let mut stored = object(json!({ "weight": 100, "healthy": true, "isolate": false }));
    let given = row.iter().filter(|(name, _)| INSTANCE.field(name).is_some() && *name != "service_token");
    stored.extend(given.map(|(name, value)| (name.clone(), value.clone())));
    normalise_check(&mut stored);
    let mut told: Row = row.clone();
    told.retain(|name, _| IDENTITY.contains(&name.as_str()));
    told.insert("id".to_owned(), json!(id));
    node.store.put_instance(id, key, stored);
    Ok(told)
}

/// A check without the flag switches it on, the flag without a check means none.
fn normalise_check(row: &mut Row) {
    let Some(check) = row.get("healthCheck") else {
        row.remove("enableHealthCheck");
        return;
    };
    let ttl = check.pointer("/heartbeat/ttl").and_then(Value::as_u64);
    let ttl = ttl.filter(|ttl| (1..=LONGEST_TTL).contains(ttl)).unwrap_or(DEFAULT_TTL);
    row.insert("healthCheck".to_owned(), json!({ "type": "HEARTBEAT", "heartbeat": { "ttl": ttl } }));
    row.insert("enableHealthCheck".to_owned(), json!(true));
}

pub(super) fn create(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    each(&INSTANCE, asked, |rows| {
        let ids: Vec<Option<String>> = rows.iter().map(|row| Some(identity(row).ok()?.1)).collect();
        let mut batch = Batch::new("instance", &INSTANCE);
        for (at, row) in rows.into_iter().enumerate() {
            if ids[at].is_some() && ids[at + 1..].contains(&ids[at]) {
                batch.add(SAME_INSTANCE, row);
                continue;
            }
            match put(node, &row) {
                Ok(told) => batch.add(OK, told),
                Err(code) => batch.add(code, row),
            }
        }
        batch.by_common_code()
    })
}

/// Does something about each item, and answers with the items.
fn for_each(
    node: &mut Node<'_>,
    asked: &Asked,
    act: impl Fn(&mut Store, &Row) -> Result<(), u32>,
) -> Option<Answer> {
    each(&INSTANCE, asked, |rows| {
        let mut batch = Batch::new("instance", &INSTANCE);
        for row in rows {
            batch.add(act(node.store, &row).err().unwrap_or(OK), row);
        }
        batch.by_common_code()
    })
}

pub(super) fn update(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    for_each(node, asked, |store, row| {
        let id = id_of(row)?;
        let mut changes = object(json!({ "location": null }));
        let given = row.iter().filter(|(name, _)| CHANGEABLE.contains(&name.as_str()));
        changes.extend(given.map(|(name, value)| (name.clone(), value.clone())));
        change(store, &id, changes)
    })
}

fn change(store: &mut Store, id: &str, changes: Row) -> Result<(), u32> {
    let now = store.now();
    let instance = store.instance_mut(id).ok_or(NO_INSTANCE)?;
    if changes.iter().all(|(name, value)| instance.row[name] == *value) {
        return Err(NO_NEED_TO_UPDATE);
    }
    let checked = changes.contains_key("healthCheck");
    let healthy = changes.get("healthy") == Some(&json!(true));
    instance.change(now, |row| {
        row.extend(changes);
        if checked {
            normalise_check(row);
        }
    });
    if checked {
        let row = instance.row.clone();
        store.follow_beats(id, &row);
    }
    if healthy {
        store.trust(id);
    }
    Ok(())
}

pub(super) fn delete(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    for_each(node, asked, |store, row| {
        store.delete_instance(&id_of(row)?);
        Ok(())
    })
}

fn on_host(store: &Store, row: &Row) -> Result<Vec<String>, u32> {
    let (key, host) = host_of(row)?;
    Ok(store.ids(|instance| instance.key == key && text(&instance.row, "host") == host))
}

pub(super) fn delete_host(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    for_each(node, asked, |store, row| {
        on_host(store, row)?.iter().for_each(|id| store.delete_instance(id));
        Ok(())
    })
}

pub(super) fn isolate_host(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    for_each(node, asked, |store, row| {
        let isolate = row.get("isolate").ok_or(BAD_ISOLATE)?;
        let mut outcome = Err(NO_NEED_TO_UPDATE);
        for id in on_host(store, row)? {
            outcome = outcome.or(change(store, &id, object(json!({ "isolate": isolate }))));
        }
        outcome
    })
}
