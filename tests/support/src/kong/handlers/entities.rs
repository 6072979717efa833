//! Services, routes, upstreams (and plugins that tests seeded) by path.

use axum::http::Method;
use serde_json::{Value, json};

use super::Node;
use crate::kong::answer::Answer;
use crate::kong::call::{Call, encode};
use crate::kong::schema::{Schema, formats};
use crate::kong::store::{Kind, Row, id_of, is_uuid};
use crate::kong::{errors, paging, write};

/// A parent in a path: its kind and its name or id.
pub(super) type Parent<'a> = (Kind, &'a str);

pub(super) fn list(node: &Node<'_>, call: &Call, kind: Kind) -> Result<Answer, Answer> {
    let size = paging::size(call)?;
    let after = if node.db_less {
        paging::key_cursor_id(call)?
    } else {
        paging::cursor_id(paging::cursor(call)?.as_ref()).map(str::to_owned)
    };
    let filter = paging::tag_filter(call)?;
    let page = node.store.table(kind).page(filter.as_ref(), after.as_deref(), size);
    let kept: Vec<_> =
        ["tags", "size"].into_iter().filter_map(|name| Some((name, call.parameter(name)?))).collect();
    let path = format!("/{}", kind.name());
    if node.db_less {
        let next = page.next.map(|id| paging::encode_key_cursor(kind.name(), filter.is_some(), &id));
        return Ok(paging::list(&path, page.rows, next, &kept));
    }
    Ok(paging::by_id(&path, page, &kept))
}

/// The children of a parent; `next` drops `size`.
pub(super) fn children(
    node: &Node<'_>,
    call: &Call,
    parent: Parent<'_>,
    kind: Kind,
) -> Result<Answer, Answer> {
    let id = parent_id(node, parent)?;
    let size = paging::size(call)?;
    let cursor = paging::cursor(call)?;
    let field = kind.parent_field(parent.0).unwrap_or_default();
    let page = node.store.table(kind).page_of_children(field, &id, paging::cursor_id(cursor.as_ref()), size);
    let path = format!("/{}/{}/{}", parent.0.name(), encode(parent.1), kind.name());
    Ok(paging::by_id(&path, page, &[]))
}

pub(super) fn create(
    node: &mut Node<'_>,
    call: &Call,
    kind: Kind,
    parent: Option<Parent<'_>>,
) -> Result<Answer, Answer> {
    let parent = parent.map(|parent| Ok((parent.0, parent_id(node, parent)?))).transpose()?;
    let mut sent = call.fields(Some(Schema::of(kind)))?;
    if let Some((parents, id)) = parent {
        sent.insert(kind.parent_field(parents).unwrap_or_default().to_owned(), json!({ "id": id }));
    }
    let row = write::create(node.store, kind, sent)?;
    Ok(Answer::json(201, Value::Object(row)))
}

pub(super) fn one(
    node: &mut Node<'_>,
    call: &Call,
    method: &Method,
    kind: Kind,
    key: &str,
) -> Result<Answer, Answer> {
    let current = node.store.find(kind, key).cloned();
    match *method {
        Method::GET => found(current),
        Method::PUT => put(node, call, kind, key, current.as_ref(), None),
        Method::PATCH => patch(node, call, kind, key, current.as_ref()),
        _ => {
            if let Some(current) = current {
                write::delete(node.store, kind, &id_of(&current))?;
            }
            Ok(Answer::empty(204))
        }
    }
}

/// `/services/{s}/routes/{r}`: as `/routes/{r}`, but the parent must be there and be the child's.
pub(super) fn child(
    node: &mut Node<'_>,
    call: &Call,
    method: &Method,
    parent: Parent<'_>,
    kind: Kind,
    key: &str,
) -> Result<Answer, Answer> {
    let parent_id = parent_id(node, parent)?;
    let field = kind.parent_field(parent.0).unwrap_or_default();
    let current = node.store.find(kind, key).cloned();
    if *method == Method::PUT {
        return put(node, call, kind, key, current.as_ref(), Some((field, &parent_id)));
    }
    let current = current.filter(|row| row[field]["id"] == parent_id).ok_or_else(errors::not_found)?;
    one(node, call, method, kind, &id_of(&current))
}

/// `/routes/{r}/service`.
pub(super) fn service_of_route(
    node: &mut Node<'_>,
    call: &Call,
    method: &Method,
    route: &str,
) -> Result<Answer, Answer> {
    let route = node.store.find(Kind::Routes, route).ok_or_else(errors::not_found)?;
    let service = route["service"]["id"].as_str().ok_or_else(errors::not_found)?.to_owned();
    if *method == Method::DELETE {
        return Err(errors::method_not_allowed());
    }
    one(node, call, method, Kind::Services, &service)
}

/// The name in the path wins over `name` and `id` in the body.
fn put(
    node: &mut Node<'_>,
    call: &Call,
    kind: Kind,
    key: &str,
    current: Option<&Row>,
    parent: Option<(&str, &str)>,
) -> Result<Answer, Answer> {
    let mut sent = call.fields(Some(Schema::of(kind)))?;
    sent.remove("id");
    let id = if is_uuid(key) {
        key.to_ascii_lowercase()
    } else {
        check_name(kind, key)?;
        sent.insert(kind.endpoint_key().to_owned(), Value::from(key));
        current.map_or_else(|| node.store.new_id(), id_of)
    };
    if let Some((field, parent)) = parent {
        sent.insert(field.to_owned(), json!({ "id": parent }));
    }
    Ok(Answer::json(200, Value::Object(write::put(node.store, kind, &id, sent)?)))
}

fn patch(
    node: &mut Node<'_>,
    call: &Call,
    kind: Kind,
    key: &str,
    current: Option<&Row>,
) -> Result<Answer, Answer> {
    let mut sent = call.fields(Some(Schema::of(kind)))?;
    sent.remove("id");
    let field = if is_uuid(key) { "id" } else { kind.endpoint_key() };
    let current = current.ok_or_else(|| errors::nothing_to_patch(field, key))?;
    Ok(Answer::json(200, Value::Object(write::patch(node.store, kind, current, sent)?)))
}

fn check_name(kind: Kind, name: &str) -> Result<(), Answer> {
    let error = match kind {
        Kind::Upstreams => formats::upstream_name(name),
        Kind::Services | Kind::Routes => formats::name(name),
        _ => None,
    };
    error.map_or(Ok(()), |message| Err(errors::invalid_unique(kind.endpoint_key(), message)))
}

fn found(row: Option<Row>) -> Result<Answer, Answer> {
    row.map(|row| Answer::json(200, Value::Object(row))).ok_or_else(errors::not_found)
}

fn parent_id(node: &Node<'_>, (kind, key): Parent<'_>) -> Result<String, Answer> {
    node.store.find(kind, key).map(id_of).ok_or_else(errors::not_found)
}
