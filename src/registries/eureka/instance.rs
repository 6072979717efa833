//! From Eureka's description of an instance to ours.

use super::answer::InstanceInfo;
use crate::model::{Address, Instance, Metadata, Weight};
use crate::registries::metadata::original;

/// Takes traffic.
pub(super) const UP: &str = "UP";
/// An operator, or the application itself, took it out of traffic.
pub(super) const OUT_OF_SERVICE: &str = "OUT_OF_SERVICE";

/// The instance as we write it. What is neither up nor out of service (`DOWN`, `STARTING`, `UNKNOWN`) is unhealthy.
pub(super) fn to_instance(mut info: InstanceInfo) -> Instance {
    info.metadata = original(info.metadata);
    let (port, attributes) = (info.port.on().or(info.secure_port.on()), attributes(&info));
    let host = if info.ip_addr.is_empty() { info.host_name } else { info.ip_addr };
    Instance {
        address: Address::new(host, port.unwrap_or(0)),
        weight: weight(&info.metadata),
        healthy: info.status == UP || info.status == OUT_OF_SERVICE,
        enabled: true,
        isolated: info.status == OUT_OF_SERVICE,
        metadata: info.metadata,
        attributes,
    }
}

/// Eureka has no weights; Spring Cloud LoadBalancer takes them from the metadata, where a whole number from 1 on counts.
fn weight(metadata: &Metadata) -> Weight {
    let written = metadata.get("weight").and_then(|weight| weight.parse::<u32>().ok());
    written.filter(|weight| *weight > 0).map_or(Weight::DEFAULT, |weight| Weight::from_ratio(weight.into()))
}

fn attributes(info: &InstanceInfo) -> Metadata {
    let (plain, secure) = (info.port.on(), info.secure_port.on());
    let protocol = if plain.is_none() && secure.is_some() { "https" } else { "http" };
    let zone = info.metadata.get("zone").or_else(|| info.data_center_info.metadata.get("availability-zone"));
    let attributes = [
        ("id", Some(info.id().to_owned())),
        ("protocol", Some(protocol.to_owned())),
        ("secure_port", secure.filter(|_| plain.is_some()).map(|port| port.to_string())),
        ("status", Some(info.status.clone())),
        ("zone", zone.cloned()),
    ];
    attributes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn instance(more: serde_json::Value) -> Instance {
        let mut info = json!({ "instanceId": "i", "hostName": "h", "ipAddr": "10.0.0.1", "status": "UP",
            "port": { "$": 80, "@enabled": "true" }, "securePort": { "$": 443, "@enabled": "false" } });
        info.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        to_instance(serde_json::from_value(info).unwrap())
    }

    #[test]
    fn statuses() {
        for (status, healthy, isolated) in [
            ("UP", true, false),
            ("OUT_OF_SERVICE", true, true),
            ("DOWN", false, false),
            ("STARTING", false, false),
            ("UNKNOWN", false, false),
            ("ON_FIRE", false, false),
        ] {
            let instance = instance(json!({ "status": status }));
            assert_eq!((instance.healthy, instance.isolated), (healthy, isolated), "{status}");
        }
    }

    #[test]
    fn ports_and_addresses() {
        let on = |port: u16| json!({ "$": port, "@enabled": "true" });
        let off = json!({ "$": 80, "@enabled": "false" });
        let plain = instance(json!({}));
        assert_eq!(
            (plain.address.to_string().as_str(), &*plain.attributes["protocol"]),
            ("10.0.0.1:80", "http")
        );
        let secure = instance(json!({ "port": off, "securePort": on(8443) }));
        assert_eq!(
            (secure.address.to_string().as_str(), &*secure.attributes["protocol"]),
            ("10.0.0.1:8443", "https")
        );
        let both = instance(json!({ "securePort": on(8443) }));
        assert_eq!((both.address.port, &*both.attributes["secure_port"]), (80, "8443"));
        assert_eq!(instance(json!({ "port": off })).address.port, 0);
        assert_eq!(instance(json!({ "ipAddr": null })).address.host, "h");
    }

    #[test]
    fn weights_stand_in_the_metadata() {
        for (written, ratio) in [("3", 3.0), ("1", 1.0), ("0", 1.0), ("-1", 1.0), ("heavy", 1.0)] {
            let instance = instance(json!({ "metadata": { "weight": written } }));
            assert_eq!(instance.weight, Weight::from_ratio(ratio), "{written}");
        }
    }
}
