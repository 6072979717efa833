//! What a node says of itself, and its schemas.

use serde_json::{Map, Value, json};

use super::Node;
use crate::kong::answer::{Answer, VERSION};
use crate::kong::call::Call;
use crate::kong::schema::Schema;
use crate::kong::store::Kind;
use crate::kong::{errors, schema};

/// The endpoints that a node of this version lists.
const ENDPOINTS: &str = include_str!("../../../data/kong/endpoints.json");

pub(super) fn root(node: &Node<'_>) -> Answer {
    Answer::json(
        200,
        json!({
            "version": VERSION,
            "tagline": "Welcome to kong",
            "edition": "community",
            "node_id": node.node_id,
            "lua_version": "LuaJIT 2.1.1700206165",
            "plugins": { "enabled_in_cluster": [], "available_on_server": {} },
            "timers": { "pending": 0, "running": 257 },
            "configuration": { "database": if node.db_less { "off" } else { "postgres" }, "role": "traditional", "admin_listen": [] },
        }),
    )
}

pub(super) fn status(node: &Node<'_>) -> Answer {
    let dicts: Map<String, Value> =
        SHARED_DICTS.iter().map(|(name, capacity)| shared_dict(name, capacity)).collect();
    let mut body = json!({
        "memory": {
            "lua_shared_dicts": dicts,
            "workers_lua_vms": [{ "http_allocated_gc": "40.92 MiB", "pid": 1 }],
        },
        "server": {
            "connections_reading": 0,
            "connections_writing": 1,
            "connections_waiting": 0,
            "connections_active": 1,
            "connections_accepted": 1,
            "connections_handled": 1,
            "total_requests": node.served,
        },
    });
    if node.db_less {
        body["configuration_hash"] = Value::from(node.store.config_hash());
    } else {
        body["database"] = json!({ "reachable": true });
    }
    Answer::json(200, body)
}

/// The memory that workers share, with its size.
const SHARED_DICTS: [(&str, &str); 10] = [
    ("kong", "5.00 MiB"),
    ("kong_locks", "8.00 MiB"),
    ("kong_healthchecks", "5.00 MiB"),
    ("kong_cluster_events", "5.00 MiB"),
    ("kong_rate_limiting_counters", "12.00 MiB"),
    ("kong_core_db_cache", "128.00 MiB"),
    ("kong_core_db_cache_miss", "12.00 MiB"),
    ("kong_db_cache", "128.00 MiB"),
    ("kong_db_cache_miss", "12.00 MiB"),
    ("kong_secrets", "5.00 MiB"),
];

fn shared_dict(name: &str, capacity: &str) -> (String, Value) {
    (name.to_owned(), json!({ "allocated_slabs": "0.04 MiB", "capacity": capacity }))
}

pub(super) fn endpoints() -> Answer {
    Answer::json(200, serde_json::from_str(ENDPOINTS).unwrap_or_default())
}

pub(super) fn no_config_with_database() -> Answer {
    Answer::message(400, "this endpoint is only available when Kong is configured to not use a database")
}

pub(super) fn schema(name: &str) -> Result<Answer, Answer> {
    Ok(Answer::json(200, named(name)?.published().clone()))
}

/// `POST /schemas/{entity}/validate`: the checks of a creation without the creation.
pub(super) fn validate(call: &Call, name: &str) -> Result<Answer, Answer> {
    let schema: &schema::Schema = named(name)?;
    let sent = call.fields(Some(schema))?;
    schema.create(sent).map_err(errors::schema_violation)?;
    Ok(Answer::message(200, "schema validation successful"))
}

fn named(name: &str) -> Result<&'static Schema, Answer> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
    kind.map(Schema::of).ok_or_else(|| {
        let body: Value = json!({ "message": format!("No entity named '{name}'") });
        Answer::json(404, body)
    })
}
