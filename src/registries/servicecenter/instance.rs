//! From service-center's description of an instance to ours.

use std::cmp::Reverse;

use url::Url;

use super::answer::Described;
use crate::model::{Address, Instance, Metadata, Weight, marks};

/// Takes traffic.
pub(super) const UP: &str = "UP";
/// Would take traffic if it were well.
pub(super) const DOWN: &str = "DOWN";
/// Taken out of traffic by an operator.
pub(super) const OUT_OF_SERVICE: &str = "OUTOFSERVICE";
/// Meant to take no traffic: taken out by an operator, or open to tests only.
const TAKEN_OUT: [&str; 2] = [OUT_OF_SERVICE, "TESTING"];
/// The scheme of HTTP endpoints, which gateways can call, so it is preferred.
pub(super) const REST: &str = "rest";
/// The attribute that holds the id of the service's version.
pub(super) const SERVICE_ID: &str = "service_id";
pub(super) const VERSION: &str = "version";
pub(super) const WEIGHT: &str = "weight";

/// An instance, but for what its service says of all its instances.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// The service's version that it belongs to.
    pub(super) service_id: String,
    version: String,
    changed: String,
    instance: Instance,
}

impl Entry {
    /// `None` without an endpoint that can be called: a mere consumer registers none.
    pub(super) fn of(described: Described) -> Option<Self> {
        let endpoint = Endpoint::best_of(&described.endpoints)?;
        let attributes = attributes(&described, &endpoint);
        let instance = Instance {
            address: endpoint.address,
            weight: weight(&described.properties),
            // What is neither up nor taken out (DOWN, STARTING) is unhealthy.
            healthy: described.status == UP || TAKEN_OUT.contains(&described.status.as_str()),
            enabled: true,
            isolated: TAKEN_OUT.contains(&described.status.as_str()),
            metadata: described.properties,
            attributes,
        };
        let Described { service_id, version, mod_timestamp: changed, .. } = described;
        Some(Self { service_id, version, changed, instance })
    }

    /// The instance with what its service says, which its own properties overrule. A copy of ours carries all that its origin says
    /// itself, so the service adds nothing.
    pub(super) fn within(&self, properties: Option<&Metadata>) -> Instance {
        let mut instance = self.instance.clone();
        if instance.metadata.contains_key(marks::OWNER) {
            return instance;
        }
        let mut metadata = Metadata::new();
        if !self.version.is_empty() {
            metadata.insert(VERSION.to_owned(), self.version.clone());
        }
        metadata.extend(properties.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
        metadata.append(&mut instance.metadata);
        Instance { metadata, ..instance }
    }

    /// Where it listens.
    pub(super) fn address(&self) -> &Address {
        &self.instance.address
    }

    /// The order in which two at the same address count: usable before others, the one that was written last.
    pub(super) fn rank(&self) -> (bool, Reverse<&str>) {
        (!self.instance.usable(), Reverse(&self.changed))
    }
}

/// One way to call an instance, such as `rest://10.0.0.1:8080?sslEnabled=true`.
#[derive(Debug, PartialEq)]
struct Endpoint {
    address: Address,
    scheme: String,
    tls: bool,
}

impl Endpoint {
    /// The first for HTTP, else the first of all that name a host and a port.
    fn best_of(endpoints: &[String]) -> Option<Self> {
        let mut usable: Vec<Self> = endpoints.iter().filter_map(|endpoint| Self::parse(endpoint)).collect();
        usable.sort_by_key(|endpoint| endpoint.scheme != REST);
        usable.into_iter().next()
    }

    fn parse(endpoint: &str) -> Option<Self> {
        let url = Url::parse(endpoint).ok()?;
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
        let tls = url.query_pairs().any(|(key, value)| key == "sslEnabled" && value == "true");
        let port = url.port_or_known_default()?;
        Some(Self { address: Address::new(host, port), scheme: url.scheme().to_owned(), tls })
    }

    fn protocol(&self) -> &str {
        match (self.scheme.as_str(), self.tls) {
            (REST, true) => "https",
            (REST, false) => "http",
            (other, _) => other,
        }
    }
}

/// Service-center has no weights; here they stand in the properties, as ratios to 1.
fn weight(properties: &Metadata) -> Weight {
    let written = properties.get(WEIGHT).and_then(|weight| weight.parse::<f64>().ok());
    let ratio = written.filter(|ratio| ratio.is_finite() && *ratio >= 0.0);
    ratio.map_or(Weight::DEFAULT, Weight::from_ratio)
}

fn attributes(described: &Described, endpoint: &Endpoint) -> Metadata {
    let place = &described.data_center_info;
    let attributes = [
        ("id", described.instance_id.as_str()),
        (SERVICE_ID, &described.service_id),
        (VERSION, &described.version),
        ("protocol", endpoint.protocol()),
        ("status", &described.status),
        ("host_name", &described.host_name),
        ("datacenter", &place.name),
        ("region", &place.region),
        ("zone", &place.available_zone),
    ];
    let told = attributes.into_iter().filter(|(_, value)| !value.is_empty());
    told.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn described(more: serde_json::Value) -> Described {
        let mut written = json!({ "instanceId": "i", "serviceId": "s", "status": "UP", "version": "1.2.3",
            "endpoints": ["rest://10.0.0.1:80?sslEnabled=false"] });
        written.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(written).unwrap()
    }

    fn instance(more: serde_json::Value) -> Instance {
        Entry::of(described(more)).unwrap().within(None)
    }

    #[test]
    fn statuses() {
        for (status, healthy, isolated) in [
            ("UP", true, false),
            ("DOWN", false, false),
            ("STARTING", false, false),
            ("TESTING", true, true),
            ("OUTOFSERVICE", true, true),
            ("", false, false),
        ] {
            let instance = instance(json!({ "status": status }));
            assert_eq!((instance.healthy, instance.isolated), (healthy, isolated), "{status}");
        }
    }

    #[test]
    fn the_endpoint_for_http_comes_first() {
        for (endpoints, address, protocol) in [
            (vec!["rest://10.0.0.1:80"], "10.0.0.1:80", "http"),
            (vec!["rest://10.0.0.1:443?sslEnabled=true&urlPrefix=/x"], "10.0.0.1:443", "https"),
            (vec!["highway://10.0.0.1:7070", "rest://10.0.0.1:80"], "10.0.0.1:80", "http"),
            (vec!["rest:10", "grpc://host:7070?sslEnabled=true"], "host:7070", "grpc"),
            (vec!["rest://[2001:db8::1]:80"], "[2001:db8::1]:80", "http"),
        ] {
            let instance = instance(json!({ "endpoints": endpoints }));
            let protocol_here = instance.attributes["protocol"].as_str();
            assert_eq!((instance.address.to_string().as_str(), protocol_here), (address, protocol));
        }
        for none in [vec![], vec!["10.0.0.1"], vec!["rest://10.0.0.1"], vec!["rest:///x"]] {
            assert_eq!(Entry::of(described(json!({ "endpoints": none }))), None, "{none:?}");
        }
    }

    #[test]
    fn an_instances_own_properties_overrule_its_services() {
        let properties = |pairs: &[(&str, &str)]| -> Metadata {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let own = Entry::of(described(json!({ "properties": { "tier": "web", "a": "1" } }))).unwrap();
        let service = properties(&[("tier", "all"), ("b", "2")]);
        let all = [("version", "1.2.3"), ("tier", "web"), ("a", "1"), ("b", "2")];
        assert_eq!(own.within(Some(&service)).metadata, properties(&all));
        let versioned = Entry::of(described(json!({ "properties": { "version": "blue" } }))).unwrap();
        assert_eq!(versioned.within(None).metadata, properties(&[("version", "blue")]));
        let copied = Entry::of(described(json!({ "properties": { "causeway-owner": "prod" } }))).unwrap();
        assert_eq!(copied.within(Some(&service)).metadata, properties(&[("causeway-owner", "prod")]));
    }

    #[test]
    fn weights_stand_in_the_properties() {
        for (written, ratio) in [("2.5", 2.5), ("0", 0.0), ("-1", 1.0), ("NaN", 1.0), ("inf", 1.0), ("", 1.0)]
        {
            let instance = instance(json!({ "properties": { "weight": written } }));
            assert_eq!(instance.weight, Weight::from_ratio(ratio), "{written}");
        }
    }

    #[test]
    fn of_two_at_one_address_the_one_that_is_up_counts() {
        let entry = |id: &str, status: &str, changed: &str, properties: serde_json::Value| {
            let written = json!({ "instanceId": id, "status": status, "modTimestamp": changed, "properties": properties });
            Entry::of(described(written)).unwrap()
        };
        let mut entries = [
            entry("down", "DOWN", "30", json!({})),
            entry("old", "UP", "10", json!({})),
            entry("new", "UP", "20", json!({})),
        ];
        entries.sort_by(|a, b| a.rank().cmp(&b.rank()));
        let ids: Vec<String> = entries.iter().map(|entry| entry.instance.attributes["id"].clone()).collect();
        assert_eq!(ids, ["new", "old", "down"]);
    }

    proptest! {
        #[test]
        fn no_endpoint_makes_it_panic(endpoint in "\\PC{0,32}") {
            let _ = Endpoint::parse(&endpoint);
        }
    }
}
