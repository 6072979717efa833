//! What is wrong with a document, told by place or by entity.

use serde_json::{Map, Value, json};

use super::draft::Draft;
use crate::kong::answer::Answer;
use crate::kong::errors;
use crate::kong::schema::Errors;
use crate::kong::store::{Kind, Row};

/// One step on the way to an entity: the list and the place in it.
pub(super) type Step = (Kind, usize);

/// Everything that is wrong.
#[derive(Default)]
pub(super) struct Problems {
    /// Errors of members that are no entities.
    general: Errors,
    entities: Vec<Problem>,
}

struct Problem {
    kind: Kind,
    place: Vec<Step>,
    entity: Row,
    errors: Errors,
}

impl Problems {
    pub(super) fn is_empty(&self) -> bool {
        self.general.is_empty() && self.entities.is_empty()
    }

    pub(super) fn add_general(&mut self, name: &str, error: &str) {
        self.general.insert(name.to_owned(), Value::from(error));
    }

    /// A list, or a member of one, that has not the shape it must have.
    pub(super) fn add_list(&mut self, place: &[Step], kind: Kind, error: &str) {
        if place.is_empty() {
            return self.add_general(kind.name(), error);
        }
        let errors = Map::from_iter([(kind.name().to_owned(), Value::from(error))]);
        self.entities.push(Problem { kind, place: place.to_vec(), entity: Map::new(), errors });
    }

    pub(super) fn add(&mut self, draft: &Draft, errors: Errors) {
        let (kind, place, entity) = (draft.kind, draft.place.clone(), draft.sent.clone());
        self.entities.push(Problem { kind, place, entity, errors });
    }

    /// Found after ids and parents were given, and shown with them.
    pub(super) fn add_repetition(&mut self, draft: &Draft, error: String) {
        let errors = Map::from_iter([("@entity".to_owned(), json!([error]))]);
        let (kind, place, entity) = (draft.kind, draft.place.clone(), draft.row.clone());
        self.entities.push(Problem { kind, place, entity, errors });
    }

    pub(super) fn explain(self, flat: bool) -> Answer {
        let intro = "declarative config is invalid";
        if flat {
            let flattened = self.entities.iter().map(Problem::flattened).collect();
            return errors::declarative(self.general, Some(flattened), intro);
        }
        let mut fields = self.general;
        for problem in self.entities {
            insert(&mut fields, &problem.place, problem.errors);
        }
        errors::declarative(fields, None, intro)
    }
}

/// Lays errors into the tree that mirrors the document; good entities before bad ones are null.
fn insert(fields: &mut Errors, place: &[Step], errors: Errors) {
    let Some(((kind, index), rest)) = place.split_first() else {
        return fields.extend(errors);
    };
    let list = fields.entry(kind.name()).or_insert_with(|| json!([]));
    let Value::Array(list) = list else { return };
    if list.len() <= *index {
        list.resize(index + 1, Value::Null);
    }
    if list[*index].is_null() {
        list[*index] = json!({});
    }
    if let Value::Object(nested) = &mut list[*index] {
        insert(nested, rest, errors);
    }
}

impl Problem {
    /// One entry of `flattened_errors`. A parent given without its id is told as an entity of its own.
    fn flattened(&self) -> Value {
        for (field, parents) in self.kind.parents() {
            if let (Some(Value::Object(errors)), Some(Value::Object(given))) =
                (self.errors.get(*field), self.entity.get(*field))
            {
                return entry(*parents, given, errors);
            }
        }
        entry(self.kind, &self.entity, &self.errors)
    }
}

fn entry(kind: Kind, entity: &Row, errors: &Errors) -> Value {
    let mut list = Vec::new();
    for (field, error) in errors {
        flatten(&mut list, field, error);
    }
    let mut entry = Map::new();
    entry.insert("entity_type".to_owned(), Value::from(kind.name().trim_end_matches('s')));
    for (shown, field) in [("entity_name", "name"), ("entity_id", "id"), ("entity_tags", "tags")] {
        if let Some(value) = entity.get(field) {
            entry.insert(shown.to_owned(), value.clone());
        }
    }
    entry.insert("entity".to_owned(), Value::Object(entity.clone()));
    entry.insert("errors".to_owned(), Value::from(list));
    Value::Object(entry)
}

fn flatten(list: &mut Vec<Value>, path: &str, error: &Value) {
    match error {
        Value::Null => {}
        Value::Array(errors) if path == "@entity" => {
            list.extend(errors.iter().map(|error| json!({ "type": "entity", "message": error })));
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                flatten(list, &format!("{path}.{}", index + 1), element);
            }
        }
        Value::Object(fields) => {
            for (name, nested) in fields {
                flatten(list, &format!("{path}.{name}"), nested);
            }
        }
        message => list.push(json!({ "type": "field", "field": path, "message": message })),
    }
}
