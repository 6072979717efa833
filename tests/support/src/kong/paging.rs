//! `size`, `offset` and `tags` of list requests, and the `next` of their answers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::call::{Call, encode};
use super::errors;
use super::store::{Page, TagFilter};

/// The elements of a page when the client names no size.
pub(super) const DEFAULT_SIZE: usize = 100;
/// The most elements of a page.
pub(super) const MAX_SIZE: usize = 1000;

/// The id of the only workspace of a node without a database.
const DEFAULT_WORKSPACE: &str = "0dc6f45b-8f8d-40d2-a504-473544ee190b";

/// `?size=` of a top-level list: 1 to 1000.
pub(super) fn size(call: &Call) -> Result<usize, Answer> {
    match raw_size(call)? {
        None => Ok(DEFAULT_SIZE),
        Some(size) if size.fract() == 0.0 && (1.0..=MAX_SIZE as f64).contains(&size) => Ok(size as usize),
        Some(_) => Err(errors::bad_page(
            "invalid size",
            9,
            format!("size must be an integer between 1 and {MAX_SIZE}"),
        )),
    }
}

/// `?size=` where Kong checks no range: too much counts as the most, nothing or less as the default.
pub(super) fn unchecked_size(call: &Call) -> Result<usize, Answer> {
    Ok(match raw_size(call)? {
        Some(size) if size >= 1.0 => (size as usize).min(MAX_SIZE),
        _ => DEFAULT_SIZE,
    })
}

/// `?size=` as the number it is.
pub(super) fn raw_size(call: &Call) -> Result<Option<f64>, Answer> {
    let Some(text) = call.parameter("size") else { return Ok(None) };
    text.parse::<f64>()
        .map(Some)
        .map_err(|_| errors::bad_page("invalid size", 9, "size must be a number".to_owned()))
}

/// `?offset=` of a list with cursors: the members of the decoded JSON array.
pub(super) fn cursor(call: &Call) -> Result<Option<Vec<Value>>, Answer> {
    let Some(text) = call.parameter("offset") else { return Ok(None) };
    let bad = |why: &str| {
        let message = format!("'{text}' is not a valid offset: {why}");
        errors::bad_page("invalid offset", 7, message)
    };
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad("bad base64 encoding"))?;
    serde_json::from_slice(&bytes).map(Some).map_err(|_| bad("bad json encoding"))
}

/// The id at the head of a cursor.
pub(super) fn cursor_id(cursor: Option<&Vec<Value>>) -> Option<&str> {
    cursor.and_then(|parts| parts.first()).and_then(Value::as_str)
}

/// The opaque form of a cursor.
pub(super) fn encode_cursor(parts: &Value) -> String {
    URL_SAFE_NO_PAD.encode(parts.to_string())
}

/// `?tags=`.
pub(super) fn tag_filter(call: &Call) -> Result<Option<TagFilter>, Answer> {
    let Some(text) = call.parameter("tags") else { return Ok(None) };
    let split = |separator: char| text.split(separator).map(str::to_owned).collect::<Vec<_>>();
    match (text.is_empty(), text.contains(','), text.contains('/')) {
        (true, ..) => Err(errors::bad_tags_option("cannot be null")),
        (_, true, true) => Err(errors::bad_tags_option("invalid filter syntax")),
        (_, _, true) => Ok(Some(TagFilter::Any(split('/')))),
        _ => Ok(Some(TagFilter::All(split(',')))),
    }
}

/// The answer of a list. `next` repeats what `keep` names of the query, after the offset.
pub(super) fn list(path: &str, rows: Vec<Value>, offset: Option<String>, kept: &[(&str, &str)]) -> Answer {
    let mut body = Map::from_iter([("data".to_owned(), Value::Array(rows))]);
    let next = offset.map(|offset| {
        let mut next = format!("{path}?offset={}", encode(&offset));
        for (name, value) in kept {
            next.push_str(&format!("&{name}={}", encode(value)));
        }
        body.insert("offset".to_owned(), Value::from(offset));
        next
    });
    body.insert("next".to_owned(), next.map_or(Value::Null, Value::from));
    Answer::json(200, Value::Object(body))
}

/// The answer of a page whose cursor is the id of its last row.
pub(super) fn by_id(path: &str, page: Page, kept: &[(&str, &str)]) -> Answer {
    list(path, page.rows, page.next.map(|id| encode_cursor(&json!([id]))), kept)
}

/// The cursor of a node without a database: a key of its local store, up to the last row of the page.
pub(super) fn encode_key_cursor(list: &str, filtered: bool, id: &str) -> String {
    let workspace = if filtered { "*" } else { DEFAULT_WORKSPACE };
    URL_SAFE_NO_PAD.encode(format!("{list}|{workspace}|*|{id}\0"))
}

/// The id in such a cursor.
pub(super) fn key_cursor_id(call: &Call) -> Result<Option<String>, Answer> {
    let Some(text) = call.parameter("offset") else { return Ok(None) };
    let bad =
        |why: &str| errors::bad_page("invalid offset", 7, format!("'{text}' is not a valid offset: {why}"));
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad("bad base64 encoding"))?;
    let key = String::from_utf8(bytes).map_err(|_| bad("bad key"))?;
    key.trim_end_matches('\0').rsplit('|').next().map(|id| Some(id.to_owned())).ok_or_else(|| bad("bad key"))
}
