//! Creating, replacing and changing rows: what every kind has in common.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::answer::Answer;
use super::errors;
use super::schema::{Schema, formats};
use super::store::{Kind, Refusal, Row, Store, id_of};

/// Adds an entity from what a client sent.
pub(super) fn create(store: &mut Store, kind: Kind, sent: Row) -> Result<Row, Answer> {
    let null_id = sent.get("id").is_some_and(Value::is_null);
    let mut row = complete(store, kind, sent, |sent| Schema::of(kind).create(sent))?;
    if null_id {
        return Err(errors::primary_key(&Value::Null));
    }
    if row["id"].is_null() {
        row.insert("id".to_owned(), Value::from(store.new_id()));
    }
    stamp(Now::later(store, kind), kind, &mut row);
    refuse_nulls(kind, &row)?;
    store.insert(kind, row.clone()).map_err(|refusal| explain(kind, refusal))?;
    Ok(row)
}

/// PUT: the whole entity anew under `id`, which may have one already.
pub(super) fn put(store: &mut Store, kind: Kind, id: &str, sent: Row) -> Result<Row, Answer> {
    let row = complete(store, kind, sent, |sent| Schema::of(kind).create(sent))?;
    replace(store, kind, id, row)
}

/// PATCH: lays what a client sent over `current`.
pub(super) fn patch(store: &mut Store, kind: Kind, current: &Row, sent: Row) -> Result<Row, Answer> {
    let row = complete(store, kind, sent, |sent| Schema::of(kind).update(current, sent))?;
    replace(store, kind, &id_of(current), row)
}

fn replace(store: &mut Store, kind: Kind, id: &str, mut row: Row) -> Result<Row, Answer> {
    row.insert("id".to_owned(), Value::from(id));
    stamp(Now::later(store, kind), kind, &mut row);
    refuse_nulls(kind, &row)?;
    store.replace(kind, row.clone()).map_err(|refusal| explain(kind, refusal))?;
    Ok(row)
}

/// Deletes an entity; says whether it was there.
pub(super) fn delete(store: &mut Store, kind: Kind, id: &str) -> Result<bool, Answer> {
    store.remove(kind, id).map_err(|refusal| explain(kind, refusal))
}

/// Reads shorthands, canonical forms and parents' names, then has the schema judge the result.
fn complete(
    store: &Store,
    kind: Kind,
    mut sent: Row,
    judge: impl FnOnce(Row) -> Result<Row, super::schema::Errors>,
) -> Result<Row, Answer> {
    match kind {
        Kind::Services => split_url(&mut sent),
        Kind::Targets => normalise_target(&mut sent)?,
        Kind::Plugins => {
            if let Some(error) = plugin_error(store.enabled_plugins(), &sent) {
                return Err(errors::bad_field("name", &error));
            }
        }
        _ => {}
    }
    for &(field, parents) in kind.parents() {
        resolve_parent(store, &mut sent, field, parents)?;
    }
    judge(sent).map_err(errors::schema_violation)
}

/// `url` is a shorthand for protocol, host, port and path. What is no URL is taken for a path.
fn split_url(sent: &mut Row) {
    let Some(Value::String(text)) = sent.remove("url") else { return };
    let Some((protocol, rest)) = text.split_once("://") else {
        sent.insert("path".to_owned(), Value::from(text));
        return;
    };
    let (authority, path) = rest.find('/').map_or((rest, None), |at| (&rest[..at], Some(&rest[at..])));
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
    let default_port = if protocol == "https" { 443 } else { 80 };
    sent.insert("protocol".to_owned(), Value::from(protocol));
    sent.insert("host".to_owned(), Value::from(host));
    sent.insert("port".to_owned(), Value::from(port.parse::<u16>().unwrap_or(default_port)));
    sent.insert("path".to_owned(), path.map_or(Value::Null, Value::from));
}

/// Why a plugin can't be made on a node that has these enabled.
pub(super) fn plugin_error(enabled: &BTreeSet<String>, sent: &Row) -> Option<String> {
    let name = sent.get("name").and_then(Value::as_str).filter(|name| !enabled.contains(*name))?;
    Some(format!("plugin '{name}' not enabled; add it to the 'plugins' configuration property"))
}

/// Before the schema sees it, so that a bad address is told alone and in other words than the schema's.
fn normalise_target(sent: &mut Row) -> Result<(), Answer> {
    let Some(Value::String(text)) = sent.get("target") else { return Ok(()) };
    let stored = formats::address(text)
        .ok_or_else(|| errors::bad_field("target", "Invalid target; not a valid hostname or ip address"))?;
    sent.insert("target".to_owned(), Value::from(stored));
    Ok(())
}

/// `{"name": …}` becomes `{"id": …}`.
fn resolve_parent(store: &Store, sent: &mut Row, field: &'static str, parents: Kind) -> Result<(), Answer> {
    let Some(parent) = sent.get(field).and_then(Value::as_object) else { return Ok(()) };
    if parent.contains_key("id") {
        return Ok(());
    }
    let Some(name) = parent.get("name").and_then(Value::as_str) else { return Ok(()) };
    let found = store.find(parents, name).map(id_of);
    let id = found.ok_or_else(|| errors::unresolved_parent(field, parents.name(), name))?;
    sent.insert(field.to_owned(), json!({ "id": id }));
    Ok(())
}

/// The time of a write: whole seconds, and with milliseconds for targets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    seconds: u64,
    precise: f64,
}

impl Now {
    pub(super) fn read() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { seconds: since_epoch.as_secs(), precise: since_epoch.as_millis() as f64 / 1000.0 }
    }

    /// As [`Now::read`], but for targets later than any target written before.
    fn later(store: &mut Store, kind: Kind) -> Self {
        let now = Self::read();
        if kind == Kind::Targets { Self { precise: store.new_target_time(now.precise), ..now } } else { now }
    }
}

/// `created_at` is the client's if it sent one, `updated_at` always Kong's.
pub(super) fn stamp(now: Now, kind: Kind, row: &mut Row) {
    let time = if kind == Kind::Targets { json!(now.precise) } else { json!(now.seconds) };
    if row.get("created_at").is_none_or(Value::is_null) {
        row.insert("created_at".to_owned(), time.clone());
    }
    row.insert("updated_at".to_owned(), time);
}

/// The schema lets a target's weight be null and the database does not; Kong reports that as a key violation.
fn refuse_nulls(kind: Kind, row: &Row) -> Result<(), Answer> {
    let refused = kind == Kind::Targets && row["weight"].is_null();
    if refused { Err(errors::primary_key(&row["id"])) } else { Ok(()) }
}

fn explain(kind: Kind, refusal: Refusal) -> Answer {
    match refusal {
        Refusal::PrimaryKey(id) => errors::primary_key(&id),
        Refusal::Unique(fields) => errors::not_unique(fields),
        Refusal::Parent(field, parents, id) => errors::no_such_parent(field, parents.name(), &id),
        Refusal::Referenced(children) => errors::still_referenced(children.name(), kind.name()),
    }
}
