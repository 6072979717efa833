//! Whether an answer is the recorded one but for what varies from run to run.

use serde_json::Value;

use crate::exchange::{Answer, Exchange};

/// The first difference, if any.
pub(crate) fn answers(recorded: &Exchange, answer: &Answer) -> Result<(), String> {
    if recorded.status != answer.status {
        return Err(format!("status {} instead of {}: {}", answer.status, recorded.status, answer.body));
    }
    let (mut expected, mut actual) = (recorded.response.clone(), answer.body.clone());
    for body in [&mut expected, &mut actual] {
        mask("", body);
        recorded.unstable.iter().for_each(|place| loosen(place, body));
    }
    values("", &expected, &actual)
}

/// Puts a placeholder in the place of times, tokens, random ids and revisions, when they have the right form.
fn mask(name: &str, value: &mut Value) {
    match value {
        Value::Object(members) => members.iter_mut().for_each(|(name, value)| mask(name, value)),
        Value::Array(elements) => elements.iter_mut().for_each(|element| mask(name, element)),
        Value::String(text) => {
            let masked = match name {
                "ctime" | "mtime" => is_time(text),
                "revision" => is_hex(text, &[32, 40]),
                "token" | "service_token" => text == "<token>" || is_hex(text, &[32]),
                "id" | "user_id" | "owners" => is_hex(text, &[32]),
                "internal-lastheartbeat" => text.parse::<u64>().is_ok(),
                _ => false,
            };
            if masked {
                *value = Value::from("(varies)");
            }
        }
        _ => {}
    }
}

fn is_time(text: &str) -> bool {
    let form: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    form == "0000-00-00 00:00:00"
}

fn is_hex(text: &str, lengths: &[usize]) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Drops what the recording says is unstable: an order, the content of a page, or one value.
fn loosen(place: &str, body: &mut Value) {
    if let Some(list) = place.strip_prefix("order:") {
        if let Some(Value::Array(elements)) = body.pointer_mut(list) {
            elements.sort_by_key(Value::to_string);
        }
    } else if let Some(value) = body.pointer_mut(place) {
        *value = match value {
            Value::Array(elements) => Value::from(elements.len()),
            _ => Value::from("(unstable)"),
        };
    } else if let Some((object, name)) = place.rsplit_once('/')
        && let Some(Value::Object(members)) = body.pointer_mut(object)
    {
        members.insert(name.to_owned(), Value::from("(unstable)"));
    }
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
            let mut names = wanted.iter();
            names.try_for_each(|(name, value)| values(&format!("{path}/{name}"), value, &found[name]))
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            let mut pairs = wanted.iter().zip(found).enumerate();
            pairs.try_for_each(|(at, (a, b))| values(&format!("{path}/{at}"), a, b))
        }
        _ if expected == actual => Ok(()),
        _ => Err(format!("{path} is {actual} instead of {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn same(expected: Value, actual: Value) -> bool {
        let [mut expected, mut actual] = [expected, actual];
        mask("", &mut expected);
        mask("", &mut actual);
        values("", &expected, &actual).is_ok()
    }

    #[test]
    fn what_varies_is_let_pass_and_nothing_else() {
        let (one, other) = ("0123456789abcdef0123456789abcdef", "f123456789abcdef0123456789abcdef");
        assert!(same(
            json!({ "id": one, "ctime": "2026-11-20 20:30:58" }),
            json!({ "id": other, "ctime": "2027-01-01 00:00:00" })
        ));
        assert!(!same(json!({ "id": one }), json!({ "id": "own-id-1" })));
        assert!(!same(json!({ "id": one }), json!({ "id": null })));
        assert!(!same(json!({ "name": one }), json!({ "name": other })));
        assert!(!same(json!({ "a": [1, 2] }), json!({ "a": [1] })));
        assert!(!same(json!({ "a": null }), json!({})));
    }
}
