//! What Discover answers, and the snapshot that it makes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::model::{Address, Instance, Metadata, ServiceKey, Snapshot, Weight};

/// All of it.
pub(super) const OK: u32 = 200_000;
/// As before, going by the revision that was asked with.
const UNCHANGED: u32 = 200_001;
/// There is no such service.
const NO_SUCH_SERVICE: u32 = 400_202;
/// The weight of an instance for which none was given.
pub(super) const DEFAULT_WEIGHT: u32 = 100;
/// When the server last heard of an instance: a clock reading, and not the instance's own word.
pub(super) const LAST_HEARTBEAT: &str = "internal-lastheartbeat";

/// The answer to one question.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer<T> {
    /// Everything, under a revision to ask with from now on.
    All(T, String),
    /// Nothing has changed since the revision that was asked with.
    Unchanged,
    /// The service doesn't exist, or not any more.
    Gone,
}

/// An answer that isn't one of those: Polaris' code, or none, and words.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Odd {
    /// A code with the server's words.
    Code(u32, String),
    /// What is wrong with the answer.
    Unreadable(String),
}

#[derive(Deserialize)]
struct Body {
    code: u32,
    #[serde(default)]
    info: Option<String>,
    #[serde(default)]
    service: Option<Named>,
    #[serde(default)]
    instances: Option<Vec<Host>>,
    #[serde(default)]
    services: Option<Vec<Named>>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    revision: Option<String>,
}

#[derive(Deserialize)]
struct Host {
    #[serde(default)]
    id: Option<String>,
    host: String,
    port: u32,
    #[serde(default)]
    protocol: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    weight: Option<u32>,
    #[serde(default)]
    healthy: Option<bool>,
    #[serde(default)]
    isolate: Option<bool>,
    #[serde(default)]
    location: Option<Location>,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
    #[serde(default)]
    logic_set: Option<String>,
    #[serde(default)]
    vpc_id: Option<String>,
}

#[derive(Default, Deserialize)]
struct Location {
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    zone: Option<String>,
    #[serde(default)]
    campus: Option<String>,
}

impl Body {
    fn read(bytes: &[u8]) -> Result<Self, Odd> {
        serde_json::from_slice(bytes).map_err(|error| Odd::Unreadable(error.to_string()))
    }

    fn odd(self) -> Odd {
        Odd::Code(self.code, self.info.unwrap_or_default())
    }

    fn revision(&self) -> String {
        self.service.as_ref().and_then(|service| service.revision.clone()).unwrap_or_default()
    }
}

/// A service's instances. An answer about another service is no answer.
pub(super) fn instances(bytes: &[u8], key: &ServiceKey) -> Result<Answer<Snapshot>, Odd> {
    let body = Body::read(bytes)?;
    match body.code {
        OK => {
            let service = body.service.as_ref();
            let told =
                service.and_then(|service| Some((service.namespace.as_ref()?, service.name.as_ref()?)));
            if told != Some((&key.namespace, &key.service)) {
                return Err(Odd::Unreadable(format!("it is about {told:?}")));
            }
            let revision = body.revision();
            let hosts = body.instances.unwrap_or_default();
            let mut snapshot = Snapshot::new(key.clone(), hosts.into_iter().filter_map(Host::instance));
            snapshot.revision.clone_from(&revision);
            Ok(Answer::All(snapshot, revision))
        }
        UNCHANGED => Ok(Answer::Unchanged),
        NO_SUCH_SERVICE => Ok(Answer::Gone),
        _ => Err(body.odd()),
    }
}

/// The services of a namespace, or of all of them.
pub(super) fn services(bytes: &[u8]) -> Result<Answer<BTreeSet<ServiceKey>>, Odd> {
    let body = Body::read(bytes)?;
    match body.code {
        OK => {
            let revision = body.revision();
            let key = |named: Named| match (named.namespace, named.name) {
                (Some(namespace), Some(name)) => Ok(ServiceKey::new(namespace, name)),
                _ => Err(Odd::Unreadable("a service has no name or no namespace".to_owned())),
            };
            let keys: Result<_, _> = body.services.unwrap_or_default().into_iter().map(key).collect();
            Ok(Answer::All(keys?, revision))
        }
        UNCHANGED => Ok(Answer::Unchanged),
        _ => Err(body.odd()),
    }
}

impl Host {
    /// `None` for a port that no socket has.
    fn instance(self) -> Option<Instance> {
        let address = Address::new(self.host, u16::try_from(self.port).ok()?);
        let location = self.location.unwrap_or_default();
        let fields = [
            ("id", self.id),
            ("protocol", self.protocol),
            ("version", self.version),
            ("region", location.region),
            ("zone", location.zone),
            ("campus", location.campus),
            ("logic_set", self.logic_set),
            ("vpc_id", self.vpc_id),
        ];
        let set = |(name, value): (&str, Option<String>)| {
            let value = value.filter(|value| !value.is_empty())?;
            Some((name.to_owned(), value))
        };
        let attributes: Metadata = fields.into_iter().filter_map(set).collect();
        let mut metadata = self.metadata.unwrap_or_default();
        metadata.remove(LAST_HEARTBEAT);
        Some(Instance {
            weight: self.weight.map_or(Weight::DEFAULT, |weight| {
                Weight::from_ratio(f64::from(weight) / f64::from(DEFAULT_WEIGHT))
            }),
            healthy: self.healthy.unwrap_or(true),
            isolated: self.isolate.unwrap_or(false),
            metadata,
            attributes,
            ..Instance::new(address)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key() -> ServiceKey {
        ServiceKey::new("ins", "full")
    }

    fn read(body: &serde_json::Value) -> Result<Answer<Snapshot>, Odd> {
        instances(body.to_string().as_bytes(), &key())
    }

    fn answered(instances: serde_json::Value) -> Snapshot {
        let service = json!({ "namespace": "ins", "name": "full", "revision": "r1" });
        match read(&json!({ "code": 200_000, "service": service, "instances": instances })) {
            Ok(Answer::All(snapshot, revision)) if revision == "r1" => snapshot,
            other => panic!("{other:?}"),
        }
    }

    /// As a 1.18.1 server answers, which puts fields into the metadata over what the user has there.
    #[test]
    fn an_instance_with_every_field() {
        let snapshot = answered(json!([{
            "id": "e323e74d46f75568bb80f285770a8e40db7fc918", "service": "full", "namespace": "ins", "vpc_id": null,
            "host": "10.1.0.9", "port": 8080, "protocol": "http", "version": "v1", "priority": 3, "weight": 50,
            "enableHealthCheck": null, "healthCheck": null, "healthy": false, "isolate": true,
            "location": { "region": "r1", "zone": "z1", "campus": "" },
            "metadata": { "a": "1", "e": "", "version": "v1", "protocol": "http", "region": "r1", "zone": "z1",
                          "internal-lastheartbeat": "1795206735" },
            "logic_set": "set-1", "revision": "x", "service_token": null,
        }]));
        let instance = &snapshot.instances[&Address::new("10.1.0.9", 8080)];
        assert_eq!((instance.weight.ratio(), instance.healthy, instance.isolated), (0.5, false, true));
        assert_eq!(instance.metadata["version"], "v1", "a group can be made of the field");
        assert!(!instance.metadata.contains_key("internal-lastheartbeat"));
        let attributes: Vec<&str> = instance.attributes.keys().map(String::as_str).collect();
        assert_eq!(attributes, ["id", "logic_set", "protocol", "region", "version", "zone"]);
    }

    #[test]
    fn what_is_unset_has_the_servers_defaults_and_a_native_entry_comes_before_a_copy() {
        let snapshot = answered(json!([
            { "host": "h", "port": 80, "weight": 7, "metadata": { "__sync__": "other" } },
            { "host": "h", "port": 80 },
            { "host": "none", "port": 70_000 },
        ]));
        let instance = &snapshot.instances[&Address::new("h", 80)];
        assert_eq!((snapshot.instances.len(), instance.weight, instance.healthy), (1, Weight::DEFAULT, true));
    }

    #[test]
    fn gone_unchanged_and_refused_are_told_apart() {
        assert_eq!(read(&json!({ "code": 200_001 })), Ok(Answer::Unchanged));
        assert_eq!(read(&json!({ "code": 400_202 })), Ok(Answer::Gone));
        assert_eq!(
            read(&json!({ "code": 500_000, "info": "oops" })),
            Err(Odd::Code(500_000, "oops".to_owned()))
        );
        let other = json!({ "code": 200_000, "service": { "namespace": "ins", "name": "other" } });
        assert!(matches!(read(&other), Err(Odd::Unreadable(_))), "an answer to another question");
        assert!(matches!(instances(b"<html>", &key()), Err(Odd::Unreadable(_))));
    }

    #[test]
    fn names_are_complete_or_not_used() {
        let read = |listed: serde_json::Value| {
            services(json!({ "code": 200_000, "services": listed }).to_string().as_bytes())
        };
        let keys = BTreeSet::from([ServiceKey::new("a", "x")]);
        assert_eq!(read(json!([{ "namespace": "a", "name": "x" }])), Ok(Answer::All(keys, String::new())));
        assert!(read(json!([{ "namespace": "a", "name": "x" }, { "name": "y" }])).is_err());
    }

    #[test]
    fn fuzz_polaris_answers() {
        let instances_of = br#"{"code":200000,"info":"execute success","type":"INSTANCE","service":{"name":"full","namespace":"ins",
            "revision":"7cf3c2c859f662d377bb5362777fa35a1b1cb602"},"instances":[{"id":"own-id-1","host":"10.1.0.9","port":8080,
            "protocol":"http","version":"v1","weight":50,"healthy":false,"isolate":true,"metadata":{"a":"1"},
            "location":{"region":"r1","zone":"z1","campus":"c1"},"logic_set":"set-1","vpc_id":null}],"services":[]}"#;
        let names = br#"{"code":200000,"service":{"namespace":"","name":"","revision":"r"},"services":[{"namespace":"a","name":"x"}]}"#;
        let gone =
            br#"{"code":400202,"info":"not found resource","service":{"name":"nope","namespace":"ins"}}"#;
        crate::fuzz::fuzz(&[instances_of, names, gone], |bytes| {
            let _ = (instances(bytes, &key()), services(bytes));
        });
    }
}
