//! Settings for Kong's entities, as a table of Kong 3.9's own fields. Those that Causeway derives itself (name,
//! host, tags, id) are not among them.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::config::model::FieldType;

/// What to set on Kong's services and upstreams. Only what is named here is owned after creation.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Kong {
    /// Fields of services.
    #[serde(default)]
    pub(crate) service: ServiceFields,
    /// Fields of upstreams.
    #[serde(default)]
    pub(crate) upstream: UpstreamFields,
    /// Tags to add to services, upstreams and routes.
    pub(crate) tags: Option<Vec<String>>,
}

/// A field's name and what it takes.
type Fields = [(&'static str, FieldType)];

const TIMEOUT: FieldType = FieldType::Integer { least: 1, most: 2_147_483_646 };

/// The fields of services.
pub(crate) const SERVICE: &Fields = &[
    (
        "protocol",
        FieldType::Word(&["http", "https", "grpc", "grpcs", "tcp", "tls", "tls_passthrough", "udp"]),
    ),
    ("port", FieldType::Integer { least: 0, most: 65_535 }),
    ("path", FieldType::Path),
    ("retries", FieldType::Integer { least: 0, most: 32_767 }),
    ("connect_timeout", TIMEOUT),
    ("write_timeout", TIMEOUT),
    ("read_timeout", TIMEOUT),
    ("tls_verify", FieldType::Boolean),
    ("tls_verify_depth", FieldType::Integer { least: 0, most: 64 }),
    ("client_certificate", FieldType::Record),
    ("ca_certificates", FieldType::List),
    ("enabled", FieldType::Boolean),
];

const HASH_INPUT: FieldType =
    FieldType::Word(&["none", "consumer", "ip", "header", "cookie", "path", "query_arg", "uri_capture"]);

/// The fields of upstreams.
pub(crate) const UPSTREAM: &Fields = &[
    ("algorithm", FieldType::Word(&["round-robin", "least-connections", "consistent-hashing", "latency"])),
    ("slots", FieldType::Integer { least: 10, most: 65_536 }),
    ("hash_on", HASH_INPUT),
    ("hash_fallback", HASH_INPUT),
    ("hash_on_header", FieldType::Text),
    ("hash_fallback_header", FieldType::Text),
    ("hash_on_cookie", FieldType::Text),
    ("hash_on_cookie_path", FieldType::Text),
    ("hash_on_query_arg", FieldType::Text),
    ("hash_fallback_query_arg", FieldType::Text),
    ("hash_on_uri_capture", FieldType::Text),
    ("hash_fallback_uri_capture", FieldType::Text),
    ("host_header", FieldType::Host),
    ("use_srv_name", FieldType::Boolean),
    ("client_certificate", FieldType::Record),
    ("healthchecks", FieldType::Record),
];

/// Fields of a Kong service, by name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct ServiceFields(pub(crate) BTreeMap<String, Value>);

impl JsonSchema for ServiceFields {
    fn schema_name() -> Cow<'static, str> {
        "ServiceFields".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        table("Fields of Kong's services.", SERVICE)
    }
}

/// Fields of a Kong upstream, by name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct UpstreamFields(pub(crate) BTreeMap<String, Value>);

impl JsonSchema for UpstreamFields {
    fn schema_name() -> Cow<'static, str> {
        "UpstreamFields".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        table("Fields of Kong's upstreams.", UPSTREAM)
    }
}

fn table(about: &str, fields: &Fields) -> Schema {
    let properties = fields.iter().map(|(name, of)| ((*name).to_owned(), setting(*of)));
    json_schema!({
        "type": "object",
        "description": about,
        "additionalProperties": false,
        "properties": properties.collect::<Map<_, _>>(),
    })
}

/// A value, or the metadata key that it is taken from.
fn setting(of: FieldType) -> Value {
    let literal = literal(of);
    if !of.is_told_by_metadata() {
        return literal;
    }
    let from_metadata = json!({
        "type": "object",
        "description": "Taken from the metadata of the instances.",
        "additionalProperties": false,
        "required": ["metadata"],
        "properties": {
            "metadata": { "type": "string", "minLength": 1, "description": "The metadata key." },
            "else": literal,
        },
    });
    json!({ "anyOf": [literal, from_metadata] })
}

fn literal(of: FieldType) -> Value {
    match of {
        FieldType::Integer { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        FieldType::Boolean => json!({ "type": "boolean" }),
        FieldType::Word(words) => json!({ "enum": words }),
        FieldType::Path | FieldType::Host | FieldType::Text => json!({ "type": "string" }),
        FieldType::Record => json!({ "type": "object", "description": "As Kong's Admin API takes it." }),
        FieldType::List => json!({ "type": "array", "items": { "type": "string" } }),
    }
}
