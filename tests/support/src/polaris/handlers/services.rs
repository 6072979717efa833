//! Services, as the console has them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::answers::{self, Answer, Batch, Outcome};
use super::super::codes::{BAD_METADATA, BAD_PARAMETER, EXISTS, HAS_INSTANCES, NOT_FOUND, OK};
use super::super::messages::{Row, SERVICE};
use super::super::store::{Key, Service, Store, object, random_id, text};
use super::query::Query;
use super::{Node, check_namespace, check_service, each};
use crate::stand_in::Asked;

const MOST_METADATA: usize = 64;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 4096;

/// What a list of services can be asked for.
const PARAMETERS: &[&str] = &[
    "name",
    "namespace",
    "business",
    "department",
    "cmdb_mod1",
    "cmdb_mod2",
    "cmdb_mod3",
    "owner",
    "keys",
    "values",
    "host",
    "port",
    "offset",
    "limit",
];

pub(super) fn list(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    Some(listed(node.store, asked).unwrap_or_else(|refused| refused))
}

fn listed(store: &Store, asked: &Asked) -> Result<Answer, Answer> {
    let query = Query::strict(asked, PARAMETERS)?;
    let fits = |key: &Key, service: &Service| {
        query.fits("namespace", &key.0)
            && query.fits("name", &key.1)
            && query.fits("business", text(&service.row, "business"))
            && has_metadata(&query, service.row.get("metadata"))
            && (query.get("host").is_none()
                || store.cache.of(key).any(|instance| query.fits("host", text(&instance.row, "host"))))
    };
    let mut fitting: Vec<_> =
        store.cache.services.iter().filter(|(key, service)| fits(key, service)).collect();
    fitting.sort_by_key(|(_, service)| std::cmp::Reverse(service.changed));
    let amount = fitting.len();
    let row = |(key, service): (&Key, &Arc<Service>)| {
        let mut row = shown(store, key, service);
        counted(store, key, &mut row);
        row.insert("editable".to_owned(), json!(true));
        SERVICE.whole(&row)
    };
    let page = query.page(fitting)?.into_iter().map(row).collect();
    Ok(answers::list(OK, Some(("services", page)), amount))
}

/// Whether metadata holds the pair that is asked for. Half a pair fits nothing.
pub(super) fn has_metadata(query: &Query, metadata: Option<&Value>) -> bool {
    match (query.get("keys"), query.get("values")) {
        (None, None) => true,
        (Some(key), Some(value)) => metadata.is_some_and(|pairs| pairs[key] == json!(value)),
        _ => false,
    }
}

fn counted(store: &Store, key: &Key, row: &mut Row) {
    let (all, healthy) = store.cache.counts(key);
    row.insert("total_instance_count".to_owned(), json!(all));
    row.insert("healthy_instance_count".to_owned(), json!(healthy));
}

/// A service as the console and Discover show it.
pub(super) fn shown(store: &Store, key: &Key, service: &Service) -> Row {
    let mut row = service.row.clone();
    if text(&row, "ports").is_empty()
        && let Some(ports) = store.cache.ports(key)
    {
        row.insert("ports".to_owned(), json!(ports));
    }
    row.extend(object(json!({
        "ctime": store.clock.text(service.created), "mtime": store.clock.text(service.changed),
        "revision": service.revision, "id": service.id,
    })));
    row
}

pub(super) fn all(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    let query = Query::lenient(asked);
    let cache = &node.store.cache;
    let fitting = cache.services.iter().filter(|(key, _)| query.fits("namespace", &key.0));
    let row = |(key, service): (&Key, &Arc<Service>)| {
        let mut row = name_and_metadata(key, service);
        counted(node.store, key, &mut row);
        SERVICE.whole(&row)
    };
    let rows: Vec<Value> = fitting.map(row).collect();
    let amount = rows.len();
    Some(answers::list(OK, Some(("services", rows)), amount))
}

/// What a list of names tells of a service.
pub(super) fn name_and_metadata(key: &Key, service: &Service) -> Row {
    let mut row = object(json!({ "namespace": key.0, "name": key.1 }));
    row.extend(service.row.get("metadata").map(|metadata| ("metadata".to_owned(), metadata.clone())));
    row
}

pub(super) fn count(node: &mut Node<'_>, _: &Asked) -> Option<Answer> {
    Some(answers::list(OK, None, node.store.cache.services.len()))
}

/// At most 64 pairs, of which none is too long.
pub(super) fn check_metadata(row: &Row) -> Result<(), u32> {
    let Some(Value::Object(pairs)) = row.get("metadata") else { return Ok(()) };
    let long = |(key, value): (&String, &Value)| {
        key.len() > LONGEST_KEY || value.as_str().is_some_and(|value| value.len() > LONGEST_VALUE)
    };
    if pairs.len() > MOST_METADATA || pairs.iter().any(long) { Err(BAD_METADATA) } else { Ok(()) }
}

fn key_of(row: &Row) -> Result<Key, u32> {
    let service = check_service(row, "name")?;
    Ok((check_namespace(row, "namespace")?, service))
}

fn known_id(mut row: Row, id: &str) -> Row {
    row.insert("id".to_owned(), json!(id));
    row
}

pub(super) fn create(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    each(&SERVICE, asked, |rows| {
        let mut batch = Batch::new("service", &SERVICE);
        for row in rows {
            let key = key_of(&row).and_then(|key| check_metadata(&row).map(|()| key));
            match key {
                Err(code) => batch.add(code, row),
                Ok(key) => match node.store.services.get(&key) {
                    Some(standing) => batch.add(EXISTS, known_id(row, &standing.id)),
                    None => batch.add(OK, created(node, &key, row)),
                },
            }
        }
        batch.by_common_code()
    })
}

fn created(node: &mut Node<'_>, key: &Key, row: Row) -> Row {
    let mut given = object(json!({ "owners": node.owner() }));
    given.extend(row);
    let service = node.store.put_service(key, given);
    object(json!({ "namespace": key.0, "name": key.1, "token": service.token, "id": service.id }))
}

pub(super) fn update(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    each(&SERVICE, asked, |rows| {
        let mut batch = Batch::new("service", &SERVICE);
        for row in rows {
            let outcome = key_of(&row).map_err(Outcome::from).and_then(|key| change(node.store, &key, &row));
            batch.add(outcome.err().unwrap_or_else(|| OK.into()), row);
        }
        batch.by_common_code()
    })
}

fn change(store: &mut Store, key: &Key, row: &Row) -> Result<(), Outcome> {
    let now = store.now();
    let standing = store.services.get_mut(key).ok_or(NOT_FOUND)?;
    let mut changed = standing.row.clone();
    changed.extend(row.iter().map(|(name, value)| (name.clone(), value.clone())));
    if text(&changed, "owners").is_empty() {
        // The embedded store wants one, though the server itself creates services without.
        return Err(Outcome::with(BAD_PARAMETER, "Update Service missing some params"));
    }
    let service = Arc::make_mut(standing);
    (service.row, service.changed, service.revision) = (changed, now, random_id());
    Ok(())
}

pub(super) fn delete(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    each(&SERVICE, asked, |rows| {
        let mut batch = Batch::new("service", &SERVICE);
        for row in rows {
            let outcome = key_of(&row).and_then(|key| {
                if !node.store.ids(|instance| instance.key == key).is_empty() {
                    return Err(HAS_INSTANCES);
                }
                node.store.services.remove(&key);
                Ok(())
            });
            batch.add(outcome.err().unwrap_or(OK), row);
        }
        batch.by_common_code()
    })
}
