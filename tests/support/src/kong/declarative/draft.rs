//! One entity of a document on its way to a row.

use serde_json::{Value, json};
use uuid::Uuid;

use super::problems::Step;
use crate::kong::schema::formats;
use crate::kong::store::{Kind, Row, id_of, plugin_key};

/// The namespace from which Kong derives the ids of entities that bring none.
const ID_NAMESPACE: Uuid = Uuid::from_u128(0xfd02_801f_0957_4a15_a55a_c8d9_606f_30b5);

/// An entity as it was sent, with its place, and with the id and the parent that the place gives it.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) kind: Kind,
    pub(super) place: Vec<Step>,
    /// As it was sent, without the entities nested in it.
    pub(super) sent: Row,
    /// With id and parent.
    pub(super) row: Row,
}

/// An entity that passed every check.
pub(super) struct Checked {
    pub(super) kind: Kind,
    pub(super) row: Row,
}

impl Draft {
    pub(super) fn new(kind: Kind, place: Vec<Step>, sent: Row, parent: Option<(Kind, &str)>) -> Self {
        let mut row = sent.clone();
        if let Some((parents, id)) = parent
            && let Some(field) = kind.parent_field(parents)
        {
            row.insert(field.to_owned(), json!({ "id": id }));
        }
        if row.get("id").is_none_or(Value::is_null) {
            row.insert("id".to_owned(), Value::from(derived_id(kind, &row)));
        }
        Self { kind, place, sent, row }
    }

    pub(super) fn id(&self) -> String {
        id_of(&self.row)
    }

    /// The name by which others may refer to it.
    pub(super) fn name(&self) -> Option<&str> {
        self.row.get(self.kind.endpoint_key()).and_then(Value::as_str)
    }
}

impl Checked {
    pub(super) fn normalised(mut self) -> (Kind, Row) {
        if self.kind == Kind::Targets
            && let Some(stored) = self.row.get("target").and_then(Value::as_str).and_then(formats::address)
        {
            self.row.insert("target".to_owned(), Value::from(stored));
        }
        (self.kind, self.row)
    }
}

/// UUIDv5 of the kind and the name; of a target, of its upstream (its id where nested, else as it is named) and
/// its address as sent. What has no name gets a random one.
fn derived_id(kind: Kind, row: &Row) -> String {
    let namespace = Uuid::new_v5(&ID_NAMESPACE, kind.name().as_bytes());
    let text = |field: &str| row.get(field).and_then(Value::as_str);
    let key = match kind {
        Kind::Targets => text("target").map(|address| {
            let upstream = row.get("upstream").map(|u| u["id"].as_str().or(u.as_str()).unwrap_or_default());
            format!("targets:*:{}:{address}", upstream.unwrap_or_default())
        }),
        Kind::Plugins => Some(plugin_key(row)),
        _ => text(kind.endpoint_key()).map(str::to_owned),
    };
    key.map_or_else(Uuid::new_v4, |key| Uuid::new_v5(&namespace, key.as_bytes())).to_string()
}
