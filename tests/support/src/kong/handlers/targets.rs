//! `/upstreams/{upstream}/targets`, which differ from all other entities.

use axum::http::Method;
use serde_json::{Value, json};

use super::Node;
use crate::kong::answer::Answer;
use crate::kong::call::{Call, encode};
use crate::kong::schema::Schema;
use crate::kong::store::{Kind, id_of};
use crate::kong::{errors, paging, write};

/// The targets newest first, by numeric offset. `?tags=` is ignored, and `next` drops `size`.
pub(super) fn list(node: &Node<'_>, call: &Call, upstream: &str) -> Result<Answer, Answer> {
    let (rows, next) = page(node, call, &upstream_id(node, upstream)?)?;
    Ok(paging::list(&format!("/upstreams/{}/targets", encode(upstream)), rows, next, &[]))
}

/// One page of an upstream's targets, and the offset of the next.
pub(super) fn page(node: &Node<'_>, call: &Call, id: &str) -> Result<(Vec<Value>, Option<String>), Answer> {
    let size = paging::unchecked_size(call)?;
    let offset = match call.parameter("offset") {
        None => 0,
        Some(text) => text.parse::<usize>().map_err(|_| errors::unexpected())?,
    };
    let table = node.store.table(Kind::Targets);
    let ids = table.children("upstream", id).rev().skip(offset).take(size);
    let rows: Vec<Value> = ids.filter_map(|id| table.get(id)).map(|row| Value::Object(row.clone())).collect();
    let end = offset + rows.len();
    let next = (end < table.count_children("upstream", id) && !rows.is_empty()).then(|| end.to_string());
    Ok((rows, next))
}

/// `/upstreams/{u}/targets/all`: the same entities by id, with cursors.
pub(super) fn list_all(node: &Node<'_>, call: &Call, upstream: &str) -> Result<Answer, Answer> {
    let id = upstream_id(node, upstream)?;
    let size = paging::unchecked_size(call)?;
    let cursor = paging::cursor(call)?;
    let after = paging::cursor_id(cursor.as_ref());
    let page = node.store.table(Kind::Targets).page_of_children("upstream", &id, after, size);
    Ok(paging::by_id(&format!("/upstreams/{}/targets/all", encode(upstream)), page, &[]))
}

pub(super) fn create(node: &mut Node<'_>, call: &Call, upstream: &str) -> Result<Answer, Answer> {
    let id = upstream_id(node, upstream)?;
    let mut sent = call.fields(Some(Schema::of(Kind::Targets)))?;
    sent.insert("upstream".to_owned(), json!({ "id": id }));
    let row = write::create(node.store, Kind::Targets, sent)?;
    Ok(Answer::json(201, Value::Object(row)))
}

/// PUT works as PATCH: there is no upsert, and an absent target is 404 for every method.
pub(super) fn one(
    node: &mut Node<'_>,
    call: &Call,
    method: &Method,
    upstream: &str,
    key: &str,
) -> Result<Answer, Answer> {
    let id = upstream_id(node, upstream)?;
    let current = node.store.find_target(&id, key).cloned().ok_or_else(errors::not_found)?;
    match *method {
        Method::GET => Ok(Answer::json(200, Value::Object(current))),
        Method::DELETE => {
            write::delete(node.store, Kind::Targets, &id_of(&current))?;
            Ok(Answer::empty(204))
        }
        _ => {
            let mut sent = call.fields(Some(Schema::of(Kind::Targets)))?;
            sent.remove("id");
            let row = write::patch(node.store, Kind::Targets, &current, sent)?;
            Ok(Answer::json(200, Value::Object(row)))
        }
    }
}

pub(super) fn upstream_id(node: &Node<'_>, upstream: &str) -> Result<String, Answer> {
    node.store.find(Kind::Upstreams, upstream).map(id_of).ok_or_else(errors::not_found)
}
