//! Whether an answer is the recorded one but for what varies from run to run.

use serde_json::Value;

use crate::exchange::{Answer, Exchange, Mode};

/// Times above this (2017) were the clock's and not a client's choice, in seconds since 1970.
const CLOCK: f64 = 1_500_000_000.0;

/// What stands in a recording for a value that was taken out of it.
const LEFT_OUT: &str = "(left out)";

/// The recorded hashes of documents that did not come as text.
const HASHES_OVER_TIMES: [&str; 2] = ["495f621f51d056660bfc66f2aacbc7f6", "cef86fb919ceb49fc2e20c8346cca204"];

/// The first difference, if any.
pub(crate) fn answers(recorded: &Exchange, answer: &Answer) -> Result<(), String> {
    if recorded.status != answer.status {
        let body = String::from_utf8_lossy(&answer.body);
        return Err(format!("status {} instead of {}: {body}", answer.status, recorded.status));
    }
    for name in ["content-type", "allow"] {
        let (expected, actual) = (recorded.headers.get(name), answer.headers.get(name));
        if expected != actual {
            return Err(format!("{name} is {actual:?} instead of {expected:?}"));
        }
    }
    match &recorded.response {
        // Kong says that a 304 has no bytes, the stand-in's HTTP library leaves that out.
        None if answer.status == 304 => Ok(()),
        None if answer.body.is_empty() => lengths(recorded, answer),
        None => Err("there is a body".to_owned()),
        Some(Value::String(text)) => raw(recorded, text, answer),
        Some(expected) => {
            let (mut expected, mut actual) = (expected.clone(), parse(&answer.body)?);
            for body in [&mut expected, &mut actual] {
                read_yaml(body)?;
                drop_order(body, recorded.mode);
            }
            if recorded.is_trimmed() {
                part("", &expected, &actual)?
            } else {
                values("", &expected, &actual)?
            }
            lengths(recorded, answer)
        }
    }
}

/// The live configuration comes as YAML within JSON, its lists in any order.
fn read_yaml(body: &mut Value) -> Result<(), String> {
    if let Some(Value::String(text)) = body.get("config") {
        let mut document: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        document.as_object_mut().into_iter().flatten().for_each(|(_, list)| sort(list));
        body["config"] = document;
    }
    Ok(())
}

/// Sorts what has no order of its own: flattened errors, and targets that one document made in one moment.
fn drop_order(body: &mut Value, mode: Mode) {
    if let Some(flattened) = body.get_mut("flattened_errors") {
        flattened.as_array_mut().into_iter().flatten().for_each(|entry| sort(&mut entry["errors"]));
        sort(flattened);
    }
    if mode == Mode::Dbless && body.pointer("/data/0/target").is_some() {
        sort(&mut body["data"]);
    }
}

fn sort(list: &mut Value) {
    if let Value::Array(elements) = list {
        elements
            .sort_by_key(|element| element.get("id").map_or_else(|| canonical(element), Value::to_string));
    }
}

/// A value as text, whatever order its members have.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> =
                members.iter().map(|(name, v)| format!("{name}:{}", canonical(v))).collect();
            members.sort();
            members.concat()
        }
        Value::Array(elements) => elements.iter().map(canonical).collect(),
        other => other.to_string(),
    }
}

fn parse(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body)
        .map_err(|error| format!("no JSON ({error}): {}", String::from_utf8_lossy(body)))
}

/// A body that was recorded as text: HTML, or the beginning of a long one.
fn raw(recorded: &Exchange, text: &str, answer: &Answer) -> Result<(), String> {
    if let Some((start, _)) = text.rsplit_once("...(") {
        let expected = repaired(start).ok_or("the recorded beginning can't be read")?;
        part("", &expected, &parse(&answer.body)?)?;
        return lengths(recorded, answer);
    }
    let actual = String::from_utf8_lossy(&answer.body);
    if actual == text { lengths(recorded, answer) } else { Err(format!("{actual:?} instead of {text:?}")) }
}

/// JSON that breaks off, cut back to the last value that is whole.
fn repaired(start: &str) -> Option<Value> {
    let (mut open, mut quoted, mut escaped) = (Vec::new(), false, false);
    let mut whole = None;
    for (at, c) in start.char_indices() {
        match (quoted, c) {
            (true, _) if escaped => escaped = false,
            (true, '\\') => escaped = true,
            (_, '"') => quoted = !quoted,
            (false, '{') => open.push('}'),
            (false, '[') => open.push(']'),
            (false, '}' | ']') => {
                open.pop();
            }
            (false, ',') => whole = Some((at, open.clone())),
            _ => {}
        }
    }
    let (at, open) = whole?;
    let closing: String = open.iter().rev().collect();
    serde_json::from_str(&format!("{}{closing}", &start[..at])).ok()
}

/// Whether everything in `expected` is in `actual`, lists from their first element on.
fn part(path: &str, expected: &Value, actual: &Value) -> Result<(), String> {
    match (expected, actual) {
        (Value::Object(some), Value::Object(all)) => some.iter().try_for_each(|(name, value)| {
            let path = format!("{path}/{name}");
            let found = all.get(name).ok_or_else(|| format!("{path} is missing"))?;
            if value.is_object() || value.is_array() {
                part(&path, value, found)
            } else {
                member(&path, name, value, found)
            }
        }),
        (Value::Array(some), Value::Array(all)) if some.len() <= all.len() => {
            let pairs = some.iter().zip(all).enumerate();
            pairs.into_iter().try_for_each(|(at, (a, b))| part(&format!("{path}/{at}"), a, b))
        }
        _ => values(path, expected, actual),
    }
}

/// The length of the body, unless what is in it may be written in several widths: the times of targets, which
/// count milliseconds, and YAML.
fn lengths(recorded: &Exchange, answer: &Answer) -> Result<(), String> {
    let body = String::from_utf8_lossy(&answer.body);
    let (expected, actual) = (recorded.headers.get("content-length"), answer.headers.get("content-length"));
    if expected == actual
        || recorded.is_trimmed()
        || body.contains("\"target\"")
        || body.contains("\"config\"")
    {
        return Ok(());
    }
    Err(format!("content-length is {actual:?} instead of {expected:?}"))
}

fn values(path: &str, expected: &Value, actual: &Value) -> Result<(), String> {
    match (expected, actual) {
        (Value::Object(wanted), Value::Object(found)) => {
            if let Some(name) = wanted.keys().find(|name| !found.contains_key(*name)) {
                return Err(format!("{path}/{name} is missing"));
            }
            if let Some(name) = found.keys().find(|name| !wanted.contains_key(*name)) {
                return Err(format!("{path}/{name} is one too many"));
            }
            wanted
                .iter()
                .try_for_each(|(name, value)| member(&format!("{path}/{name}"), name, value, &found[name]))
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            let pairs = wanted.iter().zip(found).enumerate();
            pairs.into_iter().try_for_each(|(at, (a, b))| values(&format!("{path}/{at}"), a, b))
        }
        _ if expected == actual => Ok(()),
        _ => Err(format!("{path} is {actual} instead of {expected}")),
    }
}

fn member(path: &str, name: &str, expected: &Value, actual: &Value) -> Result<(), String> {
    let alike = match name {
        "created_at" | "updated_at" => same_kind_of_time(expected, actual),
        "node_id" => is_uuid(expected) && is_uuid(actual),
        "pid" | "total_requests" => expected.is_u64() && actual.is_u64(),
        _ if name.starts_with("connections_") => expected.is_u64() && actual.is_u64(),
        "allocated_slabs" | "http_allocated_gc" => is_size(expected) && is_size(actual),
        "configuration_hash" => same_kind_of_hash(expected, actual),
        _ if expected == LEFT_OUT => true,
        _ => return values(path, expected, actual),
    };
    if alike { Ok(()) } else { Err(format!("{path} is {actual} instead of {expected}")) }
}

/// Whole seconds stay whole; what a client chose stays as it is.
fn same_kind_of_time(expected: &Value, actual: &Value) -> bool {
    let clock = |time: &Value| time.as_f64().is_some_and(|seconds| seconds > CLOCK);
    expected == actual || (clock(expected) && clock(actual) && (expected.is_f64() || actual.is_u64()))
}

fn is_size(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.ends_with(" MiB"))
}

/// The hash of a document that came as text is its own; that of any other is over the time of loading too.
fn same_kind_of_hash(expected: &Value, actual: &Value) -> bool {
    let of_times = expected.as_str().is_some_and(|hash| HASHES_OVER_TIMES.contains(&hash));
    let looks_like_one =
        actual.as_str().is_some_and(|hash| hash.len() == 32 && !hash.trim_matches('0').is_empty());
    expected == actual || (of_times && looks_like_one)
}

fn is_uuid(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 36 && text.bytes().filter(|b| *b == b'-').count() == 4)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_varies_is_let_pass_and_nothing_else() {
        let recorded = json!({ "id": "a", "created_at": 1_795_204_247, "tags": ["x", "y"], "url": null });
        let same = |actual: Value| values("", &recorded, &actual).is_ok();
        assert!(same(json!({ "url": null, "id": "a", "created_at": 1_800_000_000, "tags": ["x", "y"] })));
        assert!(!same(json!({ "id": "b", "created_at": 1_800_000_000, "tags": ["x", "y"], "url": null })));
        assert!(!same(json!({ "id": "a", "created_at": 1_800_000_000.5, "tags": ["x", "y"], "url": null })));
        assert!(!same(json!({ "id": "a", "created_at": 1, "tags": ["x", "y"], "url": null })));
        assert!(!same(json!({ "id": "a", "created_at": 1_800_000_000, "tags": ["y", "x"], "url": null })));
        assert!(!same(json!({ "id": "a", "created_at": 1_800_000_000, "tags": ["x", "y"] })));
        assert!(!same(
            json!({ "id": "a", "created_at": 1_800_000_000, "tags": ["x", "y"], "url": null, "z": 1 })
        ));
    }

    #[test]
    fn a_body_that_breaks_off_is_compared_as_far_as_it_goes() {
        let start =
            r#"{"next":null,"data":[{"id":"a","x":{"y":1,"z":"},{"}},{"id":"b","q":[1,2,{"id":"c","na"#;
        let expected = repaired(start).unwrap();
        assert_eq!(expected["data"][1], json!({ "id": "b", "q": [1, 2, { "id": "c" }] }));
        let with = |y: u8, q: Value| json!({ "next": null, "data": [{ "id": "a", "x": { "y": y, "z": "},{" } }, { "id": "b", "q": q }] });
        let whole = json!([1, 2, { "id": "c", "name": "n" }, 4]);
        assert!(part("", &expected, &with(1, whole.clone())).is_ok());
        assert!(part("", &expected, &with(2, whole)).is_err());
        assert!(part("", &expected, &with(1, json!([1, 2]))).is_err());
    }
}
