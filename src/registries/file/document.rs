//! The form of a services file, and what it says.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::Mistakes;
use crate::config::data::{self, Findings, Node, Path};
use crate::model::{Address, Instance, Metadata, ServiceKey, Weight};

/// The weight that is every instance's unless it says otherwise.
const DEFAULT_WEIGHT: f64 = 100.0;
const DEFAULT_NAMESPACE: &str = "default";

/// Each service's instances by address.
pub(super) type Services = BTreeMap<ServiceKey, BTreeMap<Address, Instance>>;

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Document {
    services: Vec<Service>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Service {
    #[schemars(length(min = 1))]
    namespace: Option<String>,
    #[schemars(length(min = 1))]
    service: String,
    instances: Vec<Registered>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Registered {
    #[schemars(length(min = 1))]
    host: String,
    #[schemars(range(min = 1, max = 65535))]
    port: u16,
    #[schemars(range(min = 0.0))]
    weight: Option<f64>,
    healthy: Option<bool>,
    enabled: Option<bool>,
    isolated: Option<bool>,
    #[serde(default)]
    metadata: Metadata,
}

/// Reads a services file. A service may stand in several entries, an address once in each service.
///
/// # Errors
/// Every mistake with its place. A text that says nothing is one: it may be a file that is being written.
pub(super) fn read(file: &str, text: &str) -> Result<Services, Mistakes> {
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        let message = "the file is empty (a file without services says `services: []`)";
        return Err(Mistakes::of_file(file, message.to_owned()));
    }
    let document: Document = data::read(file, text, tell_doubles)?;
    let mut services = Services::new();
    for service in document.services {
        let key = key(service.namespace.as_deref(), &service.service);
        let instances = services.entry(key).or_default();
        instances.extend(service.instances.into_iter().map(instance).map(|i| (i.address.clone(), i)));
    }
    Ok(services)
}

fn key(namespace: Option<&str>, service: &str) -> ServiceKey {
    ServiceKey::new(namespace.unwrap_or(DEFAULT_NAMESPACE), service)
}

fn instance(registered: Registered) -> Instance {
    let ratio = registered.weight.unwrap_or(DEFAULT_WEIGHT) / DEFAULT_WEIGHT;
    Instance {
        weight: Weight::from_ratio(ratio),
        healthy: registered.healthy.unwrap_or(true),
        enabled: registered.enabled.unwrap_or(true),
        isolated: registered.isolated.unwrap_or(false),
        metadata: registered.metadata,
        ..Instance::new(Address::new(registered.host, registered.port))
    }
}

fn tell_doubles(root: &Node, findings: &mut Findings) {
    let mut seen: BTreeMap<ServiceKey, BTreeSet<Address>> = BTreeMap::new();
    let services = root.get("services").map_or(&[][..], Node::items).iter().enumerate();
    for (at, service) in services {
        let Some(name) = service.get("service").and_then(Node::text) else { continue };
        let key = key(service.get("namespace").and_then(Node::text), name);
        let path = Path::default().key("services").index(at).key("instances");
        let seen = seen.entry(key.clone()).or_default();
        let instances = service.get("instances").map_or(&[][..], Node::items).iter().enumerate();
        for (at, instance) in instances {
            let Some(address) = address(instance) else { continue };
            if !seen.insert(address.clone()) {
                let message = format!("{address} stands in {key} twice");
                findings.mistake(instance.at, &path.index(at), message);
            }
        }
    }
}

fn address(instance: &Node) -> Option<Address> {
    let port = instance.get("port")?.text()?.parse().ok()?;
    Some(Address::new(instance.get("host")?.text()?, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> Vec<String> {
        read("s.yaml", text).unwrap_err().findings().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_instance_is_as_written_and_otherwise_fit_for_traffic() {
        let text = "
services:
  - service: orders
    instances:
      - { host: 10.0.0.1, port: 80 }
      - host: '[::1]'
        port: 81
        weight: 50
        healthy: false
        enabled: no
        isolated: true
        metadata: { version: 1.10, zone: a }
  - { namespace: prod, service: empty, instances: [] }
";
        let services = read("s.yaml", text).unwrap();
        let orders = &services[&ServiceKey::new("default", "orders")];
        assert_eq!(orders[&Address::new("10.0.0.1", 80)], Instance::new(Address::new("10.0.0.1", 80)));
        let version = [("version", "1.10"), ("zone", "a")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let expected = Instance {
            weight: Weight::from_ratio(0.5),
            healthy: false,
            enabled: false,
            isolated: true,
            metadata: Metadata::from(version),
            ..Instance::new(Address::new("::1", 81))
        };
        assert_eq!(orders[&expected.address], expected);
        assert!(services[&ServiceKey::new("prod", "empty")].is_empty());
    }

    #[test]
    fn json_says_the_same() {
        let json = r#"{ "services": [ // by hand
            { "service": "a", "instances": [ { "host": "h", "port": 1, }, ] } ] }"#;
        let yaml = "services: [ { service: a, instances: [ { host: h, port: 1 } ] } ]";
        assert_eq!(read("s.json", json).unwrap(), read("s.yaml", yaml).unwrap());
    }

    #[test]
    fn entries_of_one_service_unite() {
        let text = "services:
- { service: a, instances: [ { host: h, port: 1 } ] }
- { namespace: default, service: a, instances: [ { host: h, port: 2 } ] }";
        assert_eq!(read("s.yaml", text).unwrap()[&ServiceKey::new("default", "a")].len(), 2);
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let text = "services:
- service: a
  instances:
  - { host: '::1', port: 80 }
  - { hots: h, port: 80 }
  - { host: h, port: 70000 }
- { service: a, instances: [ { host: '0:0::1', port: 80, weight: -1 } ] }
- { namespace: b }";
        assert_eq!(
            mistakes(text),
            [
                "s.yaml:5:7: services[0].instances[1].hots: unknown key `hots` (did you mean `host`?)",
                "s.yaml:6:22: services[0].instances[2].port: `70000` is more than 65535",
                "s.yaml:7:30: services[1].instances[0]: [::1]:80 stands in default/a twice",
                "s.yaml:7:66: services[1].instances[0].weight: `-1` is less than 0",
                "s.yaml:8:3: services[2]: `service` is missing (here: namespace)",
                "s.yaml:8:3: services[2]: `instances` is missing (here: namespace)",
            ]
        );
    }

    #[test]
    fn what_may_be_half_a_file_is_a_mistake() {
        for text in
            ["", " \n", "\u{feff}", "# soon\n", "services:", "services:\n- service: a\n  instances:\n"]
        {
            assert!(read("s.yaml", text).is_err(), "{text:?}");
        }
        assert!(read("s.yaml", "services: []").unwrap().is_empty());
    }
}
