//! The messages of the API as tables of fields, in which they are read and answered.

use serde_json::{Map, Value};

/// A message as JSON: every field of its table, unset ones as null or empty.
pub(super) type Row = Map<String, Value>;

/// What a field holds.
#[derive(Debug)]
pub(super) enum Kind {
    Text,
    Whole,
    Flag,
    /// Texts by keys.
    Texts,
    /// Only answered.
    List,
    Message(&'static Message),
    /// The name and the names of its values, by number.
    Enum(&'static str, &'static [&'static str]),
}

/// A field, by its name in JSON.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// A message, by its name in protocol buffers.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) name: &'static str,
    pub(super) fields: &'static [Field],
}

impl Message {
    /// The field of this name in JSON or in protocol buffers.
    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name || snake_case(field.name) == name)
    }

    /// Nothing is set.
    pub(super) fn unset(&self) -> Row {
        let value = |kind: &Kind| match kind {
            Kind::List => Value::Array(Vec::new()),
            Kind::Texts => Value::Object(Map::new()),
            _ => Value::Null,
        };
        self.fields.iter().map(|field| (field.name.to_owned(), value(&field.kind))).collect()
    }

    /// Everything that is set in `row`, and all else unset.
    pub(super) fn whole(&self, row: &Row) -> Value {
        let mut whole = self.unset();
        whole.extend(row.iter().map(|(name, value)| (name.clone(), value.clone())));
        Value::Object(whole)
    }
}

fn snake_case(name: &str) -> String {
    let letter =
        |c: char| if c.is_ascii_uppercase() { format!("_{}", c.to_ascii_lowercase()) } else { c.into() };
    name.chars().map(letter).collect()
}

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}

use Kind::{Enum, Flag, List, Text, Texts, Whole};

pub(super) static NAMESPACE: Message = Message {
    name: "v1.Namespace",
    fields: &[
        field("name", Text),
        field("comment", Text),
        field("owners", Text),
        field("token", Text),
        field("ctime", Text),
        field("mtime", Text),
        field("total_service_count", Whole),
        field("total_health_instance_count", Whole),
        field("total_instance_count", Whole),
        field("user_ids", List),
        field("group_ids", List),
        field("remove_user_ids", List),
        field("remove_group_ids", List),
        field("id", Text),
        field("editable", Flag),
        field("service_export_to", List),
    ],
};

pub(super) static SERVICE: Message = Message {
    name: "v1.Service",
    fields: &[
        field("name", Text),
        field("namespace", Text),
        field("metadata", Texts),
        field("ports", Text),
        field("business", Text),
        field("department", Text),
        field("cmdb_mod1", Text),
        field("cmdb_mod2", Text),
        field("cmdb_mod3", Text),
        field("comment", Text),
        field("owners", Text),
        field("token", Text),
        field("ctime", Text),
        field("mtime", Text),
        field("revision", Text),
        field("platform_id", Text),
        field("total_instance_count", Whole),
        field("healthy_instance_count", Whole),
        field("user_ids", List),
        field("group_ids", List),
        field("remove_user_ids", List),
        field("remove_group_ids", List),
        field("id", Text),
        field("editable", Flag),
        field("export_to", List),
    ],
};

static HEARTBEAT: Message = Message { name: "v1.HeartbeatHealthCheck", fields: &[field("ttl", Whole)] };

static HEALTH_CHECK: Message = Message {
    name: "v1.HealthCheck",
    fields: &[
        field("type", Enum("v1.HealthCheck.HealthCheckType", &["UNKNOWN", "HEARTBEAT"])),
        field("heartbeat", Kind::Message(&HEARTBEAT)),
    ],
};

static LOCATION: Message = Message {
    name: "v1.Location",
    fields: &[field("region", Text), field("zone", Text), field("campus", Text)],
};

pub(super) static INSTANCE: Message = Message {
    name: "v1.Instance",
    fields: &[
        field("id", Text),
        field("service", Text),
        field("namespace", Text),
        field("vpc_id", Text),
        field("host", Text),
        field("port", Whole),
        field("protocol", Text),
        field("version", Text),
        field("priority", Whole),
        field("weight", Whole),
        field("enableHealthCheck", Flag),
        field("healthCheck", Kind::Message(&HEALTH_CHECK)),
        field("healthy", Flag),
        field("isolate", Flag),
        field("location", Kind::Message(&LOCATION)),
        field("metadata", Texts),
        field("logic_set", Text),
        field("ctime", Text),
        field("mtime", Text),
        field("revision", Text),
        field("service_token", Text),
    ],
};

pub(super) static DISCOVER: Message = Message {
    name: "v1.DiscoverRequest",
    fields: &[
        field(
            "type",
            Enum(
                "v1.DiscoverRequest.DiscoverRequestType",
                &[
                    "UNKNOWN",
                    "INSTANCE",
                    "CLUSTER",
                    "ROUTING",
                    "RATE_LIMIT",
                    "CIRCUIT_BREAKER",
                    "SERVICES",
                    "NAMESPACES",
                    "FAULT_DETECTOR",
                ],
            ),
        ),
        field("service", Kind::Message(&SERVICE)),
    ],
};

pub(super) static CLIENT: Message = Message {
    name: "v1.Client",
    fields: &[
        field("host", Text),
        field("type", Enum("v1.Client.ClientType", &["UNKNOWN", "SDK", "AGENT"])),
        field("version", Text),
        field("location", Kind::Message(&LOCATION)),
        field("id", Text),
        field("stat", List),
        field("ctime", Text),
        field("mtime", Text),
    ],
};

pub(super) static LOGIN: Message = Message {
    name: "v1.LoginRequest",
    fields: &[field("owner", Text), field("name", Text), field("password", Text)],
};
