//! Kong's error bodies: `name`, `code`, `fields` and a `message` that repeats them in words.

use serde_json::{Map, Value, json};

use super::answer::Answer;

pub(super) fn not_found() -> Answer {
    Answer::message(404, "Not found")
}

pub(super) fn method_not_allowed() -> Answer {
    Answer::message(405, "Method not allowed")
}

pub(super) fn unparsable_body() -> Answer {
    Answer::message(400, "Cannot parse JSON body")
}

/// What Kong says when its own code failed, as it does for bodies that are no object.
pub(super) fn unexpected() -> Answer {
    Answer::message(500, "An unexpected error occurred")
}

/// Code 2. `fields` maps a field to its error, which for arrays and records is nested.
pub(super) fn schema_violation(fields: Map<String, Value>) -> Answer {
    let parts = describe(&fields);
    let message = match parts.as_slice() {
        [one] => format!("schema violation ({one})"),
        many => format!("{} schema violations ({})", many.len(), many.join("; ")),
    };
    coded(400, "schema violation", 2, Value::Object(fields), message)
}

/// Code 2 with one field at fault.
pub(super) fn bad_field(field: &str, error: &str) -> Answer {
    schema_violation(Map::from_iter([(field.to_owned(), Value::from(error))]))
}

/// Code 3. Also what PostgreSQL's refusal of a NULL comes out as.
pub(super) fn primary_key(id: &Value) -> Answer {
    let fields = json!({ "id": id });
    let message = format!("primary key violation on key '{}'", lua_table(&fields));
    coded(400, "primary key violation", 3, fields, message)
}

/// Code 4: the row that `field` refers to is gone.
pub(super) fn no_such_parent(field: &str, parents: &str, id: &str) -> Answer {
    let key = json!({ "id": id });
    let message =
        format!("the foreign key '{}' does not reference an existing '{parents}' entity.", lua_table(&key));
    coded(400, "foreign key violation", 4, json!({ field: key }), message)
}

/// Code 4: the row cannot go while `children` refer to it.
pub(super) fn still_referenced(children: &str, parents: &str) -> Answer {
    let message = format!("an existing '{children}' entity references this '{parents}' entity");
    coded(400, "foreign key violation", 4, json!({ "@referenced_by": children }), message)
}

/// Code 5.
pub(super) fn not_unique(fields: Value) -> Answer {
    let message = format!("UNIQUE violation detected on '{}'", lua_table(&fields));
    coded(409, "unique constraint violation", 5, fields, message)
}

/// Code 6, only for PATCH; a GET of what is absent has no code.
pub(super) fn nothing_to_patch(field: &str, key: &str) -> Answer {
    let fields = json!({ field: key });
    let message = format!("could not find the entity with '{}'", lua_table(&fields));
    coded(404, "not found", 6, fields, message)
}

/// Codes 7 (offset) and 9 (size).
pub(super) fn bad_page(name: &str, code: u8, message: String) -> Answer {
    Answer::json(400, json!({ "name": name, "code": code, "message": message }))
}

/// Code 10: the name in the path of a PUT, or a tag in a path.
pub(super) fn invalid_unique(field: &str, message: String) -> Answer {
    Answer::json(400, json!({ "name": format!("invalid unique {field}"), "code": 10, "message": message }))
}

/// Code 11.
pub(super) fn bad_tags_option(reason: &str) -> Answer {
    Answer::json(
        400,
        json!({
            "name": "invalid options",
            "code": 11,
            "options": { "tags": reason },
            "message": format!("invalid option (tags: {reason})"),
        }),
    )
}

/// Code 12: a node without a database takes no single entities.
pub(super) fn read_only(what: &str) -> Answer {
    let message = format!("cannot {what} when not using a database");
    Answer::json(405, json!({ "name": "operation unsupported", "code": 12, "message": message }))
}

/// Code 14: a document that was not taken.
pub(super) fn declarative(fields: Map<String, Value>, flattened: Option<Vec<Value>>, intro: &str) -> Answer {
    let fields = Value::Object(fields);
    let message = format!("{intro}: {}", lua_table(&fields));
    let mut body = json!({
        "name": "invalid declarative configuration",
        "code": 14,
        "fields": fields,
        "message": message,
    });
    if let Some(flattened) = flattened {
        body["flattened_errors"] = Value::from(flattened);
    }
    Answer::json(400, body)
}

/// Code 13: a parent given by a name that nothing has.
pub(super) fn unresolved_parent(field: &str, parents: &str, name: &str) -> Answer {
    let why = format!(
        "the foreign key cannot be resolved with '{}' for an existing '{parents}' entity",
        lua_table(&json!({ "name": name }))
    );
    let message = format!("foreign key unresolved ({field}.name: {why})");
    coded(400, "foreign keys unresolved", 13, json!({ field: { "name": why } }), message)
}

fn coded(status: u16, name: &str, code: u8, fields: Value, message: String) -> Answer {
    Answer::json(status, json!({ "name": name, "code": code, "fields": fields, "message": message }))
}

/// The parts of a message: checks of the whole entity first, then each field in the order of its name.
pub(super) fn describe(fields: &Map<String, Value>) -> Vec<String> {
    let mut parts = Vec::new();
    let entity = fields.get("@entity").and_then(Value::as_array);
    parts.extend(entity.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
    let mut named: Vec<_> = fields.iter().filter(|(name, _)| *name != "@entity").collect();
    named.sort_by_key(|(name, _)| name.as_str());
    for (name, error) in named {
        describe_into(&mut parts, name, error);
    }
    parts
}

fn describe_into(parts: &mut Vec<String>, path: &str, error: &Value) {
    match error {
        Value::Null => {}
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                describe_into(parts, &format!("{path}.{}", index + 1), element);
            }
        }
        Value::Object(fields) => {
            let mut named: Vec<_> = fields.iter().collect();
            named.sort_by_key(|(name, _)| name.as_str());
            for (name, nested) in named {
                describe_into(parts, &format!("{path}.{name}"), nested);
            }
        }
        Value::String(text) => parts.push(format!("{path}: {text}")),
        other => parts.push(format!("{path}: {other}")),
    }
}

/// A value as Kong's messages print it: `{target="10.0.0.1:80",upstream={id="…"}}`. What follows a gap in a list
/// bears its place: `{{…},[3]={…}}`.
pub(super) fn lua_table(value: &Value) -> String {
    match value {
        Value::Null => "\"userdata: NULL\"".to_owned(),
        Value::String(text) => format!("\"{text}\""),
        Value::Array(elements) => {
            let dense = elements.iter().take_while(|element| !element.is_null()).count();
            let shown = elements.iter().enumerate().filter(|(_, element)| !element.is_null());
            let inner: Vec<_> = shown
                .map(|(index, element)| {
                    let place = if index < dense { String::new() } else { format!("[{}]=", index + 1) };
                    format!("{place}{}", lua_table(element))
                })
                .collect();
            format!("{{{}}}", inner.join(","))
        }
        Value::Object(fields) => {
            let mut named: Vec<_> = fields.iter().collect();
            named.sort_by_key(|(name, _)| name.as_str());
            let inner: Vec<_> =
                named.iter().map(|(name, v)| format!("{}={}", lua_name(name), lua_table(v))).collect();
            format!("{{{}}}", inner.join(","))
        }
        other => other.to_string(),
    }
}

fn lua_name(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain { name.to_owned() } else { format!("[\"{name}\"]") }
}
