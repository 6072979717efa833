//! `/tags` and `/tags/{tag}`.

use serde_json::{Value, json};

use super::Node;
use crate::kong::answer::Answer;
use crate::kong::call::{Call, encode};
use crate::kong::schema::formats;
use crate::kong::{errors, paging};

/// A node without a database searches kind by kind, and its first page holds the first kind's entities: none.
const FIRST_KEY: &str = "vaults|nil";

/// Every tag of every entity; the cursor is an id and the place of a tag in its entity's list.
pub(super) fn all(node: &Node<'_>, call: &Call) -> Result<Answer, Answer> {
    let size = tag_page_size(call)?;
    let cursor = paging::cursor(call)?;
    let after = cursor.as_ref().and_then(|parts| {
        Some((parts.first()?.as_str()?.to_owned(), usize::try_from(parts.get(1)?.as_u64()?).ok()?))
    });
    let mut rows = node.store.all_tags(after.as_ref(), size);
    let more = rows.len() > size;
    rows.truncate(size);
    let last = rows.last().filter(|_| more);
    let next = last.map(|(place, row)| paging::encode_cursor(&json!([row["entity_id"], place])));
    let kept: Vec<_> = call.parameter("size").map(|size| ("size", size)).into_iter().collect();
    Ok(paging::list("/tags", rows.into_iter().map(|(_, row)| row).collect(), next, &kept))
}

/// The entities of every kind with one tag; `next` drops `size`.
pub(super) fn one(node: &Node<'_>, call: &Call, tag: &str) -> Result<Answer, Answer> {
    if let Some(message) = formats::tag(tag) {
        return Err(errors::invalid_unique("tag", message));
    }
    let size = tag_page_size(call)?;
    let path = format!("/tags/{}", encode(tag));
    if node.db_less && call.parameter("offset").is_none() {
        return Ok(paging::list(&path, Vec::new(), Some(FIRST_KEY.to_owned()), &[]));
    }
    let cursor = if call.parameter("offset") == Some(FIRST_KEY) { None } else { paging::cursor(call)? };
    let mut rows = node.store.with_tag(tag, paging::cursor_id(cursor.as_ref()), size);
    let more = rows.len() > size;
    rows.truncate(size);
    let last = rows.last().filter(|_| more);
    let next = last.map(|row: &Value| paging::encode_cursor(&json!([row["entity_id"]])));
    Ok(paging::list(&path, rows, next, &[]))
}

/// Kong checks no range here: 0 makes its own code fail, and more than 1000 is 1000.
fn tag_page_size(call: &Call) -> Result<usize, Answer> {
    match paging::raw_size(call)? {
        Some(size) if size < 1.0 => Err(errors::unexpected()),
        _ => paging::unchecked_size(call),
    }
}

pub(super) fn no_writes() -> Answer {
    errors::bad_field("tags", "does not support insert/upsert/update/delete operations")
}
