//! Entries of Curator's service discovery: a node with JSON in it, whose payload belongs to whoever uses it. Seen on Curator 5.7.1
//! (`JsonInstanceSerializer`).

use serde::Deserialize;
use serde_json::{Map, Value};

use super::entry::Entry;
use super::{dubbo_app, spring_cloud};
use crate::model::{Address, Instance, Metadata};
use crate::registries::metadata::pair;

/// Where the payload's Java class stands.
const CLASS: &str = "@class";
const METADATA: &str = "metadata";

/// Who wrote an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framework {
    /// An application by Curator itself.
    Own,
    /// Spring Cloud Zookeeper.
    SpringCloud,
    /// Dubbo, at its application level.
    Dubbo,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    address: Option<String>,
    #[serde(default)]
    port: Option<i64>,
    #[serde(default)]
    ssl_port: Option<i64>,
    #[serde(default)]
    payload: Value,
    #[serde(default, rename = "registrationTimeUTC")]
    registered: Option<i64>,
    #[serde(default)]
    service_type: Option<String>,
    /// Curator 5 never writes it.
    #[serde(default)]
    enabled: Option<bool>,
}

/// Reads an instance of `service` from its node's data.
///
/// # Errors
/// What is wrong with the data, as the rest of a sentence.
pub(super) fn entry(service: &str, data: &[u8]) -> Result<(Framework, Entry), String> {
    let written: Written = serde_json::from_slice(data)
        .map_err(|error| format!("its data is no entry of Curator's: {error}"))?;
    let host =
        written.address.as_deref().filter(|host| !host.is_empty()).ok_or("its data names no address")?;
    let (plain, secure) = (port(written.port)?, port(written.ssl_port)?);
    let main = plain.or(secure).ok_or("its data names no port")?;
    let mut instance = Instance {
        enabled: written.enabled.unwrap_or(true),
        metadata: metadata(&written.payload),
        attributes: attributes(&written, plain, secure),
        ..Instance::new(Address::new(host, main))
    };
    let framework = Framework::of(&written.payload);
    match framework {
        Framework::Own => {}
        Framework::SpringCloud => spring_cloud::complete(&mut instance),
        Framework::Dubbo => dubbo_app::complete(&mut instance),
    }
    let registered = written.registered.unwrap_or_default();
    Ok((framework, Entry { service: service.to_owned(), registered, instance }))
}

impl Framework {
    /// By the payload's class; Curator can be told not to write it.
    fn of(payload: &Value) -> Self {
        match payload.get(CLASS).and_then(Value::as_str) {
            Some(spring_cloud::CLASS) => Self::SpringCloud,
            Some(dubbo_app::CLASS) => Self::Dubbo,
            None if dubbo_app::is_own(payload.get(METADATA)) => Self::Dubbo,
            _ => Self::Own,
        }
    }
}

/// Java's ports: none, null and 0 alike say that there is none.
fn port(written: Option<i64>) -> Result<Option<u16>, String> {
    match written {
        None | Some(0) => Ok(None),
        Some(port) => u16::try_from(port).map(Some).map_err(|_| format!("no socket has its port {port}")),
    }
}

/// What a payload says of its instance: its `metadata` where it has one, otherwise its own plain fields.
fn metadata(payload: &Value) -> Metadata {
    let plain = |fields: &Map<String, Value>| {
        let own =
            fields.iter().filter(|(key, value)| *key != CLASS && !value.is_object() && !value.is_array());
        own.filter_map(pair).collect()
    };
    match payload {
        Value::Object(fields) => match fields.get(METADATA) {
            Some(Value::Object(pairs)) => pairs.iter().filter_map(pair).collect(),
            _ => plain(fields),
        },
        Value::Null => Metadata::new(),
        other => pair((&"payload".to_owned(), other)).into_iter().collect(),
    }
}

fn attributes(written: &Written, plain: Option<u16>, secure: Option<u16>) -> Metadata {
    let mut attributes = Metadata::new();
    let mut set = |key: &str, value: String| drop(attributes.insert(key.to_owned(), value));
    if let Some(id) = &written.id {
        set("id", id.clone());
    }
    match (plain, secure) {
        (None, Some(_)) => set("protocol", "https".to_owned()),
        (Some(_), Some(secure)) => set("secure_port", secure.to_string()),
        _ => {}
    }
    if matches!(written.service_type.as_deref(), Some("STATIC" | "PERMANENT")) {
        set("ephemeral", "false".to_owned());
    }
    attributes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As Curator 5.7.1 wrote it.
    const RECORDED: &str = r#"{"name":"order","id":"f4562d1e","address":"10.1.2.3","port":8080,"sslPort":8443,"payload":{"@class":"Layout$Pay","id":"p1","metadata":{"env":"gray"}},"registrationTimeUTC":1795204114644,"serviceType":"DYNAMIC","uriSpec":{"parts":[{"value":"scheme","variable":true},{"value":"://","variable":false}]}}"#;

    fn read(data: &Value) -> Instance {
        entry("order", data.to_string().as_bytes()).unwrap().1.instance
    }

    fn pairs(map: &Metadata) -> Vec<String> {
        map.iter().map(|(key, value)| format!("{key}={value}")).collect()
    }

    #[test]
    fn a_recorded_entry_is_read_whole() {
        let (framework, Entry { service, registered, instance }) =
            entry("order", RECORDED.as_bytes()).unwrap();
        assert_eq!((framework, service.as_str(), registered), (Framework::Own, "order", 1_795_204_114_644));
        assert_eq!(instance.address, Address::new("10.1.2.3", 8080));
        assert!(instance.usable());
        assert_eq!(pairs(&instance.metadata), ["env=gray"]);
        assert_eq!(pairs(&instance.attributes), ["id=f4562d1e", "secure_port=8443"]);
    }

    #[test]
    fn payloads_of_every_kind_become_metadata() {
        for (payload, metadata) in [
            (json!(null), vec![]),
            (json!("blue"), vec!["payload=blue"]),
            (
                json!({ "@class": "a.Details", "version": "1", "n": 2, "no": null, "deep": [1] }),
                vec!["n=2", "version=1"],
            ),
            (json!({ "@class": "java.util.HashMap", "lane": "blue" }), vec!["lane=blue"]),
            (json!({ "x": "1", "metadata": null }), vec!["x=1"]),
            (json!({ "x": "1", "metadata": { "lane": "blue", "no": null } }), vec!["lane=blue"]),
        ] {
            let instance = read(&json!({ "address": "h", "port": 1, "payload": payload }));
            assert_eq!(pairs(&instance.metadata), metadata, "{payload}");
        }
    }

    #[test]
    fn ports_switches_and_lifetimes_are_read() {
        let secure = read(&json!({ "address": "::1", "port": null, "sslPort": 8443 }));
        assert_eq!(secure.address.to_string(), "[::1]:8443");
        assert_eq!(pairs(&secure.attributes), ["protocol=https"]);
        let kept = read(&json!({ "address": "h", "port": 1, "serviceType": "STATIC", "enabled": false }));
        assert!(!kept.enabled && kept.healthy);
        assert_eq!(pairs(&kept.attributes), ["ephemeral=false"]);
    }

    /// Curator's, Spring Cloud's and Dubbo's, which are entries of the same form.
    #[test]
    fn fuzz_curator_entries() {
        let of = |class: &str| {
            let endpoints = r#"[{"port":80,"protocol":"tri"}]"#;
            let metadata = json!({ "instance_status": "UP", "dubbo.endpoints": endpoints });
            json!({ "address": "h", "port": 80, "payload": { "@class": class, "metadata": metadata } })
                .to_string()
        };
        let (spring, dubbo) = (of(spring_cloud::CLASS), of(dubbo_app::CLASS));
        crate::fuzz::fuzz(&[RECORDED.as_bytes(), spring.as_bytes(), dubbo.as_bytes()], |bytes| {
            let _ = entry("order", bytes);
        });
    }

    #[test]
    fn what_is_no_entry_is_told() {
        for (data, told) in [
            (&b""[..], "no entry of Curator's"),
            (b"10.0.0.1", "no entry of Curator's"),
            (b"[]", "no address"),
            (br#"{"port":1}"#, "no address"),
            (br#"{"address":"h","port":0}"#, "no port"),
            (br#"{"address":"h","port":70000}"#, "port 70000"),
        ] {
            let error = entry("order", data).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
