//! Kong's entities as the model has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::world::Shared;
use crate::{Fields, LiveObject, LiveTarget, Tags, TargetAddress};

/// A named entity.
pub(super) struct Entity {
    /// Its id where it has no name.
    pub(super) name: String,
    pub(super) object: LiveObject,
}

/// What changes by itself or is kept elsewhere in the model.
const ELSEWHERE: [&str; 5] = ["id", "name", "tags", "created_at", "updated_at"];

impl Entity {
    pub(super) fn of_upstream(value: Value) -> Option<Self> {
        Self::of(value, |_| None)
    }

    pub(super) fn of_service(value: Value) -> Option<Self> {
        Self::of(value, |fields| text(fields.remove("host")?))
    }

    /// It leads to the id of its service; see [`Entity::lead_to_name`].
    pub(super) fn of_route(value: Value) -> Option<Self> {
        Self::of(value, |fields| text(fields.remove("service")?.get_mut("id")?.take()))
    }

    /// Puts the name of a route's service in place of its id, where it is among these.
    pub(super) fn lead_to_name(&mut self, names: &BTreeMap<String, String>) {
        let name = self.object.leads_to.as_ref().and_then(|id| names.get(id));
        if let Some(name) = name {
            self.object.leads_to = Some(name.clone());
        }
    }

    /// With fields that equal ones share.
    pub(super) fn sharing(mut self, shared: &mut Shared) -> Self {
        self.object.fields = shared.share(self.object.fields);
        self
    }

    fn of(value: Value, leads_to: impl FnOnce(&mut Fields) -> Option<String>) -> Option<Self> {
        let Value::Object(mut fields) = value else { return None };
        let id = text(fields.get_mut("id")?.take())?;
        let name = fields.get_mut("name").map(Value::take).and_then(text).unwrap_or_else(|| id.clone());
        let tags = Arc::new(tags(fields.get("tags")));
        for field in ELSEWHERE {
            fields.remove(field);
        }
        let leads_to = leads_to(&mut fields);
        Some(Self { name, object: LiveObject { id, tags, leads_to, fields: Arc::new(fields) } })
    }
}

/// A target and its address.
pub(super) fn target(value: Value) -> Option<(TargetAddress, LiveTarget)> {
    let id = value.get("id")?.as_str()?.to_owned();
    let address = TargetAddress::stored(value.get("target")?.as_str()?);
    let weight = u32::try_from(value.get("weight")?.as_u64()?).ok()?;
    Some((address, LiveTarget { id, weight, tags: Arc::new(tags(value.get("tags"))) }))
}

/// The id of the service or route that a plugin is on, and the plugin's name.
pub(super) fn plugin(value: &Value) -> Option<(String, String)> {
    let on = value.pointer("/route/id").or_else(|| value.pointer("/service/id"))?.as_str()?;
    Some((on.to_owned(), value.get("name")?.as_str()?.to_owned()))
}

/// Absent, null and empty are the same.
fn tags(value: Option<&Value>) -> Tags {
    value
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}
