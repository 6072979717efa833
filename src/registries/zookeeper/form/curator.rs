//! A copy as an entry of Curator's discovery: JSON in a node. Pure.

use serde_json::{Value, json};

use crate::model::{Instance, Metadata};
use crate::registries::zookeeper::spring_cloud;

/// The data of an entry whose payload is a map that holds the metadata, of no class of Java's.
pub(super) fn data(service: &str, id: &str, instance: &Instance, persistent: bool) -> Vec<u8> {
    let mut data = entry(service, id, instance, persistent);
    data["payload"] = json!({ "metadata": instance.metadata });
    // Neither knows unhealthy instances, so those are switched off.
    if !instance.usable() {
        data["enabled"] = Value::Bool(false);
    }
    data.to_string().into_bytes()
}

/// The same as Spring Cloud writes it.
pub(super) fn data_of_spring_cloud(
    service: &str,
    id: &str,
    instance: &Instance,
    persistent: bool,
) -> Vec<u8> {
    let mut data = entry(service, id, instance, persistent);
    let status = if instance.usable() { spring_cloud::UP } else { spring_cloud::OUT_OF_SERVICE };
    let mut metadata: Metadata = instance.metadata.clone();
    metadata.insert(spring_cloud::STATUS.to_owned(), status.to_owned());
    data["payload"] =
        json!({ "@class": spring_cloud::CLASS, "id": id, "name": service, "metadata": metadata });
    data.to_string().into_bytes()
}

/// When it was registered isn't told: it would be another entry each time.
fn entry(service: &str, id: &str, instance: &Instance, persistent: bool) -> Value {
    let port = instance.address.port;
    let told = |key: &str| instance.attributes.get(key).map(String::as_str);
    let (plain, secure) = match (told("protocol"), told("secure_port").and_then(|port| port.parse().ok())) {
        (Some("https"), _) => (None, Some(port)),
        (_, secure) => (Some(port), secure),
    };
    json!({
        "name": service,
        "id": id,
        "address": instance.address.host,
        "port": plain,
        "sslPort": secure,
        "registrationTimeUTC": 0,
        "serviceType": if persistent { "STATIC" } else { "DYNAMIC" },
        "uriSpec": null,
    })
}
