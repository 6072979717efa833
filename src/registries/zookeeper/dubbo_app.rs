//! Dubbo's application level: entries of Curator's discovery whose metadata tell which protocols listen where. Seen on 3.3.2.

use serde::Deserialize;
use serde_json::Value;

use crate::model::Instance;

/// The payload's class.
pub(super) const CLASS: &str = "org.apache.dubbo.registry.zookeeper.ZookeeperInstance";
/// What every application of Dubbo's writes into its metadata.
const REVISION: &str = "dubbo.metadata.revision";
/// JSON in JSON: every port with its protocol.
const ENDPOINTS: &str = "dubbo.endpoints";

#[derive(Deserialize)]
struct Endpoint {
    port: i64,
    protocol: String,
}

/// Whether metadata are of Dubbo's making, for payloads that don't name their class.
pub(super) fn is_own(metadata: Option<&Value>) -> bool {
    metadata.is_some_and(|metadata| metadata.get(REVISION).is_some())
}

/// Completes an instance by what its metadata mean to Dubbo: the protocol of its port.
pub(super) fn complete(instance: &mut Instance) {
    let endpoints = instance.metadata.get(ENDPOINTS).map_or("[]", String::as_str);
    // An instance whose endpoints can't be read is an instance all the same.
    let endpoints: Vec<Endpoint> = serde_json::from_str(endpoints).unwrap_or_default();
    let own = endpoints.into_iter().find(|endpoint| endpoint.port == i64::from(instance.address.port));
    if let Some(endpoint) = own {
        instance.attributes.insert("protocol".to_owned(), endpoint.protocol);
    }
}

#[cfg(test)]
mod tests {
    use super::super::curator::{Framework, entry};

    /// As Dubbo 3.3.2 wrote it, with other endpoints in it.
    fn recorded(class: &str, endpoints: &str) -> String {
        format!(
            r#"{{"name":"demo-provider","id":"10.0.0.9:18370","address":"10.0.0.9","port":18370,"sslPort":null,"payload":{{{class}"id":"10.0.0.9:18370","name":"demo-provider","metadata":{{"dubbo.endpoints":"{endpoints}","dubbo.metadata-service.url-params":"{{}}","dubbo.metadata.revision":"5c1b8f","dubbo.metadata.storage-type":"local","meta-v":"1.0.0","timestamp":"1795204146245"}}}},"registrationTimeUTC":1795204146400,"serviceType":"DYNAMIC","uriSpec":null}}"#
        )
    }

    const BOTH: &str = r#"[{\"port\":50051,\"protocol\":\"tri\"},{\"port\":18370,\"protocol\":\"dubbo\"}]"#;

    #[test]
    fn the_ports_protocol_is_told() {
        let with_class = format!(r#""@class":"{}","#, super::CLASS);
        for (class, endpoints, protocol) in [
            (with_class.as_str(), BOTH, Some("dubbo")),
            ("", BOTH, Some("dubbo")),
            (&with_class, "", None),
            (&with_class, "[{}]", None),
            (&with_class, r#"[{\"port\":1,\"protocol\":\"tri\"}]"#, None),
        ] {
            let (framework, read) = entry("demo-provider", recorded(class, endpoints).as_bytes()).unwrap();
            assert_eq!(framework, Framework::Dubbo);
            assert_eq!(read.instance.attributes.get("protocol").map(String::as_str), protocol, "{endpoints}");
            assert_eq!(read.instance.metadata["dubbo.metadata.revision"], "5c1b8f");
        }
    }
}
