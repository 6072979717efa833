//! What Consul says of services, and the snapshots that it makes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::model::{Address, Instance, Metadata, ServiceKey, Snapshot, Weight};
use crate::registries::metadata::original;

/// Consul's own maintenance mode is a critical check of this name for a node,
const NODE_MAINTENANCE: &str = "_node_maintenance";
/// and of a name that begins so for a service.
pub(super) const SERVICE_MAINTENANCE: &str = "_service_maintenance:";
/// What tags stand behind in metadata. No key of Consul's own metadata has a dot.
pub(super) const TAG: &str = "tag.";
pub(super) const TAGGED: &str = "true";

/// The names in an answer to `/v1/catalog/services`.
///
/// # Errors
/// What is unreadable in it.
pub(super) fn parse_names(body: &[u8]) -> Result<BTreeSet<String>, String> {
    let names: BTreeMap<String, IgnoredAny> =
        serde_json::from_slice(body).map_err(|error| error.to_string())?;
    Ok(names.into_keys().collect())
}

/// The instances in an answer to `/v1/health/service/…`.
///
/// # Errors
/// What is unreadable in it.
pub(super) fn parse_instances(body: &[u8]) -> Result<Vec<Instance>, String> {
    Ok(parse_standing(body)?.into_iter().map(|standing| standing.instance).collect())
}

/// The entries in an answer to `/v1/health/service/…`, as a writer looks at them.
///
/// # Errors
/// What is unreadable in it.
pub(super) fn parse_standing(body: &[u8]) -> Result<Vec<Standing>, String> {
    let mut entries: Vec<Entry> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    entries.sort_by(|a, b| a.rank().cmp(&b.rank()));
    Ok(entries.into_iter().filter_map(Entry::standing).collect())
}

/// The snapshot of a service from its instances and the answer's index.
pub(super) fn snapshot(key: ServiceKey, instances: Vec<Instance>, index: u64) -> Snapshot {
    Snapshot { revision: index.to_string(), ..Snapshot::new(key, instances) }
}

/// An entry of a service: what readers are shown of it, and what a writer has to know besides.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Standing {
    pub(super) instance: Instance,
    pub(super) node: String,
    /// Unique on its node.
    pub(super) id: String,
    /// The checks of its own, without those of its node.
    pub(super) checks: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    node: Node,
    service: Service,
    checks: Option<Vec<Check>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    node: String,
    #[serde(default)]
    address: String,
    datacenter: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Service {
    #[serde(rename = "ID")]
    id: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    port: i64,
    tags: Option<Vec<String>>,
    meta: Option<Metadata>,
    weights: Option<Weights>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Weights {
    passing: f64,
    warning: f64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Check {
    #[serde(rename = "CheckID", default)]
    id: String,
    #[serde(default)]
    status: String,
    #[serde(rename = "ServiceID", default)]
    service: String,
}

impl Check {
    fn is_maintenance(&self) -> bool {
        self.id == NODE_MAINTENANCE || self.id.starts_with(SERVICE_MAINTENANCE)
    }
}

/// The worst of an instance's checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Passing,
    Warning,
    Critical,
}

impl Status {
    fn of(checks: &[Check]) -> Self {
        let each =
            checks.iter().filter(|check| !check.is_maintenance()).map(|check| match check.status.as_str() {
                "passing" => Self::Passing,
                "warning" => Self::Warning,
                _ => Self::Critical,
            });
        each.max().unwrap_or(Self::Passing)
    }
}

impl Entry {
    /// The order in which two at the same address count.
    fn rank(&self) -> (&str, &str) {
        (&self.node.node, &self.service.id)
    }

    fn standing(self) -> Option<Standing> {
        let instance = self.instance()?;
        let own = |check: Check| (check.service == self.service.id).then_some(check.id);
        let checks = self.checks.into_iter().flatten().filter_map(own).collect();
        Some(Standing { instance, node: self.node.node, id: self.service.id, checks })
    }

    /// `None` for a port that no socket has.
    fn instance(&self) -> Option<Instance> {
        let Self { node, service, checks } = self;
        let host = if service.address.is_empty() { &node.address } else { &service.address };
        let checks = checks.as_deref().unwrap_or_default();
        let status = Status::of(checks);
        let weights = service.weights.unwrap_or(Weights { passing: 1.0, warning: 1.0 });
        let weight = if status == Status::Warning { weights.warning } else { weights.passing };
        Some(Instance {
            weight: Weight::from_ratio(weight),
            healthy: status != Status::Critical,
            isolated: checks.iter().any(|check| check.is_maintenance() && check.status == "critical"),
            metadata: self.metadata(),
            attributes: self.attributes(),
            ..Instance::new(Address::new(host.clone(), u16::try_from(service.port).ok()?))
        })
    }

    fn metadata(&self) -> Metadata {
        let tags = self.service.tags.iter().flatten();
        let tags = tags.map(|tag| (format!("{TAG}{tag}"), TAGGED.to_owned()));
        let meta = original(self.service.meta.clone().unwrap_or_default());
        meta.into_iter().chain(tags).collect()
    }

    fn attributes(&self) -> Metadata {
        let mut attributes = Metadata::from([
            ("id".to_owned(), self.service.id.clone()),
            ("node".to_owned(), self.node.node.clone()),
        ]);
        if let Some(datacenter) = &self.node.datacenter {
            attributes.insert("datacenter".to_owned(), datacenter.clone());
        }
        attributes
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::marks::{ORIGIN, OWNER, TASK};

    fn entry(service: Value, checks: Value) -> Value {
        json!({ "Node": { "Node": "n", "Address": "10.0.0.9", "Datacenter": "dc1" }, "Service": service, "Checks": checks })
    }

    fn check(id: &str, status: &str) -> Value {
        json!({ "CheckID": id, "Status": status })
    }

    fn read(entries: Value) -> Vec<Instance> {
        parse_instances(entries.to_string().as_bytes()).unwrap()
    }

    fn one(service: Value, checks: Value) -> Instance {
        read(json!([entry(service, checks)])).remove(0)
    }

    #[test]
    fn every_field_has_its_place() {
        let service = json!({
            "ID": "a-1", "Address": "10.0.0.1", "Port": 80, "Tags": ["v1", "a b"], "Meta": { "version": "1" },
            "Weights": { "Passing": 3, "Warning": 2 },
        });
        let instance = one(service, json!([check("serfHealth", "passing")]));
        assert_eq!(instance.address, Address::new("10.0.0.1", 80));
        assert_eq!((instance.weight.ratio(), instance.healthy, instance.isolated), (3.0, true, false));
        let pairs = |pairs: &[(&str, &str)]| -> Metadata {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(instance.metadata, pairs(&[("version", "1"), ("tag.v1", "true"), ("tag.a b", "true")]));
        assert_eq!(instance.attributes, pairs(&[("id", "a-1"), ("node", "n"), ("datacenter", "dc1")]));
        let bare = one(json!({ "ID": "a", "Tags": null, "Meta": null }), Value::Null);
        assert_eq!(bare.address, Address::new("10.0.0.9", 0), "the node's address stands in");
        assert_eq!((bare.weight, bare.healthy), (Weight::DEFAULT, true), "no check counts as passing");
    }

    #[test]
    fn the_worst_check_decides_and_maintenance_isolates() {
        let service = json!({ "ID": "a", "Port": 80, "Weights": { "Passing": 3, "Warning": 2 } });
        let state = |checks: Value| {
            let instance = one(service.clone(), checks);
            (instance.healthy, instance.weight.ratio(), instance.isolated)
        };
        assert_eq!(state(json!([check("a", "passing"), check("b", "warning")])), (true, 2.0, false));
        assert_eq!(state(json!([check("a", "critical"), check("b", "warning")])), (false, 3.0, false));
        assert_eq!(state(json!([check("a", "something new")])), (false, 3.0, false));
        for id in ["_node_maintenance", "_service_maintenance:a"] {
            assert_eq!(state(json!([check(id, "critical")])), (true, 3.0, true), "{id}");
        }
    }

    #[test]
    fn a_native_instance_comes_before_a_copy_and_an_impossible_port_is_none() {
        let at = |id: &str, port: i64, meta: Value| {
            entry(json!({ "ID": id, "Port": port, "Meta": meta }), json!([]))
        };
        let all = read(json!([
            at("a", 80, json!({ "causeway-origin": "nacos" })),
            at("b", 80, json!({})),
            at("c", 70_000, json!({}))
        ]));
        let ids: Vec<&str> = all.iter().map(|instance| instance.attributes["id"].as_str()).collect();
        assert_eq!(ids, ["a", "b"]);
        let kept = snapshot(ServiceKey::new("default", "x"), all, 7);
        assert_eq!(kept.instances[&Address::new("10.0.0.9", 80)].attributes["id"], "b");
        assert_eq!(kept.revision, "7");
    }

    #[test]
    fn only_our_copies_have_escaped_keys() {
        let marks = [(ORIGIN, "nacos"), (OWNER, "o"), (TASK, "t")];
        let mut meta = Metadata::from([("a_x2eb".to_owned(), "1".to_owned())]);
        let key =
            |meta: &Metadata| one(json!({ "ID": "a", "Meta": meta }), json!([])).metadata.into_keys().next();
        assert_eq!(key(&meta).unwrap(), "a_x2eb");
        meta.extend(marks.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(key(&meta).unwrap(), "a.b");
    }

    #[test]
    fn a_writer_sees_ids_and_own_checks() {
        let mut own = check("service:a-1", "passing");
        own["ServiceID"] = json!("a-1");
        let body =
            json!([entry(json!({ "ID": "a-1", "Port": 80 }), json!([check("serfHealth", "passing"), own]))]);
        let standing = parse_standing(body.to_string().as_bytes()).unwrap().remove(0);
        assert_eq!((standing.node.as_str(), standing.id.as_str()), ("n", "a-1"));
        assert_eq!(standing.checks, ["service:a-1"]);
    }

    #[test]
    fn names_are_the_keys() {
        let names = parse_names(br#"{"consul":[],"a b":["t"],"n":null}"#).unwrap();
        assert_eq!(names, ["a b", "consul", "n"].map(str::to_owned).into());
        assert!(parse_names(b"[]").is_err());
    }

    #[test]
    fn fuzz_consul_answers() {
        let entries = json!([{
            "Node": { "Node": "n", "Address": "10.0.0.1", "Datacenter": "dc1" },
            "Service": { "ID": "a", "Service": "s", "Tags": ["t"], "Address": "", "Meta": { "k": "v" }, "Port": 80,
                         "Weights": { "Passing": 1, "Warning": 1 } },
            "Checks": [{ "CheckID": "_node_maintenance", "Status": "critical" }],
        }]);
        let entries = entries.to_string().into_bytes();
        crate::fuzz::fuzz(&[&entries, br#"{"consul":[],"a b":["t"],"n":null}"#], |bytes| {
            let _ = (parse_names(bytes), parse_instances(bytes));
        });
    }
}
