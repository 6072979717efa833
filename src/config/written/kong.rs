//! Settings for Kong's entities, as a table of Kong 3.9's own fields. Those that Causeway derives itself (name,
//! host, tags, id) are not among them.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Value, json};

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
    /// Tags to add to services and upstreams.
    pub(crate) tags: Option<Vec<String>>,
}

/// Fields of a Kong service, by name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct ServiceFields(pub(crate) BTreeMap<String, Value>);

impl JsonSchema for ServiceFields {
    fn schema_name() -> Cow<'static, str> {
        "ServiceFields".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let protocols = ["http", "https", "grpc", "grpcs", "tcp", "tls", "tls_passthrough", "udp"];
        let timeout = json!({ "type": "integer", "minimum": 1, "maximum": 2_147_483_646, "description": "Milliseconds." });
        json_schema!({
            "type": "object",
            "description": "Fields of Kong's services.",
            "additionalProperties": false,
            "properties": {
                "protocol": { "enum": protocols },
                "port": { "type": "integer", "minimum": 0, "maximum": 65535 },
                "path": { "type": "string" },
                "retries": { "type": "integer", "minimum": 0, "maximum": 32767 },
                "connect_timeout": timeout,
                "write_timeout": timeout,
                "read_timeout": timeout,
                "tls_verify": { "type": "boolean" },
                "tls_verify_depth": { "type": "integer", "minimum": 0, "maximum": 64 },
                "client_certificate": { "type": "object" },
                "ca_certificates": { "type": "array", "items": { "type": "string" } },
                "enabled": { "type": "boolean" },
            },
        })
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
        let inputs = ["none", "consumer", "ip", "header", "cookie", "path", "query_arg", "uri_capture"];
        let text = json!({ "type": "string" });
        json_schema!({
            "type": "object",
            "description": "Fields of Kong's upstreams.",
            "additionalProperties": false,
            "properties": {
                "algorithm": { "enum": ["round-robin", "least-connections", "consistent-hashing", "latency"] },
                "slots": { "type": "integer", "minimum": 10, "maximum": 65536 },
                "hash_on": { "enum": inputs },
                "hash_fallback": { "enum": inputs },
                "hash_on_header": text,
                "hash_fallback_header": text,
                "hash_on_cookie": text,
                "hash_on_cookie_path": text,
                "hash_on_query_arg": text,
                "hash_fallback_query_arg": text,
                "hash_on_uri_capture": text,
                "hash_fallback_uri_capture": text,
                "host_header": text,
                "use_srv_name": { "type": "boolean" },
                "client_certificate": { "type": "object" },
                "healthchecks": { "type": "object", "description": "As Kong's Admin API takes it." },
            },
        })
    }
}
