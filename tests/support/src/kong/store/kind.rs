//! The kinds of entities, and how they hang together.

use serde_json::{Value, json};

use super::{Row, id_of};

/// A kind of entity that the stand-in stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `/services`
    Services,
    /// `/routes`
    Routes,
    /// `/upstreams`
    Upstreams,
    /// `/upstreams/{upstream}/targets`
    Targets,
    /// `/consumers`
    Consumers,
    /// `/plugins`: those that a test enabled, with any configuration; the recorded node had none
    Plugins,
}

impl Kind {
    pub(in crate::kong) const ALL: [Self; 6] =
        [Self::Consumers, Self::Services, Self::Routes, Self::Upstreams, Self::Targets, Self::Plugins];

    /// The name in paths, schemas and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Services => "services",
            Self::Routes => "routes",
            Self::Upstreams => "upstreams",
            Self::Targets => "targets",
            Self::Consumers => "consumers",
            Self::Plugins => "plugins",
        }
    }

    /// The fields that refer to other entities. A service's certificate is left out: none can be stored.
    pub(in crate::kong) fn parents(self) -> &'static [(&'static str, Self)] {
        match self {
            Self::Consumers | Self::Services | Self::Upstreams => &[],
            Self::Routes => &[("service", Self::Services)],
            Self::Targets => &[("upstream", Self::Upstreams)],
            Self::Plugins => {
                &[("service", Self::Services), ("route", Self::Routes), ("consumer", Self::Consumers)]
            }
        }
    }

    pub(in crate::kong) fn parent_field(self, parent: Self) -> Option<&'static str> {
        self.parents().iter().find(|(_, kind)| *kind == parent).map(|(field, _)| *field)
    }

    /// The kinds that may be nested in it in a document.
    pub(in crate::kong) fn children(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |child| child.parent_field(self).is_some())
    }

    /// The field that names an entity of this kind in paths.
    pub(in crate::kong) fn endpoint_key(self) -> &'static str {
        match self {
            Self::Consumers => "username",
            Self::Targets => "target",
            Self::Plugins => "instance_name",
            Self::Services | Self::Routes | Self::Upstreams => "name",
        }
    }

    /// What goes with a deleted entity of this kind.
    pub(super) fn cascades(self) -> &'static [Self] {
        match self {
            Self::Upstreams => &[Self::Targets],
            Self::Consumers | Self::Services | Self::Routes => &[Self::Plugins],
            Self::Targets | Self::Plugins => &[],
        }
    }

    /// What keeps an entity of this kind from being deleted.
    pub(super) fn blocked_by(self) -> Option<Self> {
        (self == Self::Services).then_some(Self::Routes)
    }

    pub(super) fn unique_key(self, row: &Row) -> Option<String> {
        match self {
            Self::Targets => {
                Some(target_key(row.get("upstream")?["id"].as_str()?, row.get("target")?.as_str()?))
            }
            Self::Plugins => Some(plugin_key(row)),
            _ => row.get(self.endpoint_key())?.as_str().map(str::to_owned),
        }
    }

    /// What the 409 names.
    pub(super) fn unique_fields(self, row: &Row) -> Value {
        match self {
            Self::Targets => {
                json!({ "target": row.get("target"), "upstream": { "id": row.get("upstream").map(|u| &u["id"]) } })
            }
            Self::Plugins => {
                let mut fields = json!({ "name": row.get("name") });
                for (field, _) in self.parents() {
                    fields[*field] = row.get(*field).cloned().unwrap_or_default();
                }
                fields
            }
            _ => json!({ self.endpoint_key(): row.get(self.endpoint_key()) }),
        }
    }

    /// The place of a row among its parent's children: targets by creation, all else by id.
    pub(super) fn order(self, row: &Row) -> (i64, String) {
        let created = row.get("created_at").and_then(Value::as_f64).unwrap_or_default();
        let milliseconds = if self == Self::Targets { (created * 1000.0).round() as i64 } else { 0 };
        (milliseconds, id_of(row))
    }
}

/// The unique key of a plugin: one of a name for each combination of what it is attached to.
pub(in crate::kong) fn plugin_key(row: &Row) -> String {
    let parent = |field: &str| row.get(field).and_then(|parent| parent["id"].as_str()).unwrap_or_default();
    let name = row.get("name").and_then(Value::as_str).unwrap_or_default();
    format!("plugins:*:{name}:{}:{}:{}", parent("route"), parent("service"), parent("consumer"))
}

/// The unique key of a target: addresses are unique within an upstream only.
pub(super) fn target_key(upstream: &str, address: &str) -> String {
    format!("{upstream} {address}")
}
