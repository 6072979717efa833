//! A copy in Consul's own form, and what our source shows of it.

use serde_json::{Value, json};

use super::node::Node;
use crate::model::escape::escape;
use crate::model::marks::{ORIGIN, OWNER, TASK};
use crate::model::{Instance, Metadata, Weight};
use crate::registries::consul::entry::{SERVICE_MAINTENANCE, Standing, TAG, TAGGED};
use crate::registries::{InstanceCopy, Weights};

/// What Consul's own grammar of metadata allows.
const MOST_PAIRS: usize = 64;
const LONGEST_KEY: usize = 128;
/// In bytes, though its message says characters.
const LONGEST_VALUE: usize = 512;
/// Keys that begin so are Consul's own.
const RESERVED: &[u8] = b"consul-";
/// Weights beyond it become 1, without a word.
const HEAVIEST: f64 = 65_535.0;

/// A copy as it stands in the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Form {
    pub(super) node: Node,
    pub(super) id: String,
    service: String,
    host: String,
    port: u16,
    weight: u32,
    tags: Vec<String>,
    meta: Metadata,
    healthy: bool,
    isolated: bool,
    origin: String,
    /// Keys of metadata that Consul can't hold, nor their escaped forms.
    pub(super) left_out: Vec<String>,
}

impl Form {
    pub(super) fn of(copy: &InstanceCopy) -> Self {
        let InstanceCopy { key, mark, instance, .. } = copy;
        let Instance { address, weight, healthy, metadata, .. } = instance;
        let (tags, pairs): (Vec<_>, Vec<_>) = metadata.iter().partition(|(key, value)| is_tag(key, value));
        let (meta, left_out) = held(pairs);
        Self {
            node: Node::of(mark),
            id: mark.id(key, address),
            service: key.service.clone(),
            host: address.host.clone(),
            port: address.port,
            weight: Weights::Whole.nearest(weight.ratio()).min(HEAVIEST) as u32,
            tags: tags.into_iter().map(|(key, _)| key[TAG.len()..].to_owned()).collect(),
            meta,
            healthy: *healthy,
            // A weight of 0 means no traffic, and the least that Consul has is 1.
            isolated: !instance.wanted() || *weight == Weight::ZERO,
            origin: mark.origin.clone(),
            left_out,
        }
    }

    /// What our source shows of it, but for the datacenter.
    pub(super) fn shown(&self, copy: &InstanceCopy) -> Instance {
        let metadata = copy.instance.metadata.clone();
        let attributes = [("id", &self.id), ("node", &self.node.name)];
        Instance {
            weight: Weight::from_ratio(self.weight.into()),
            healthy: self.healthy,
            isolated: self.isolated,
            metadata: metadata.into_iter().filter(|(key, _)| !self.left_out.contains(key)).collect(),
            attributes: attributes.map(|(name, value)| (name.to_owned(), value.clone())).into(),
            ..Instance::new(copy.instance.address.clone())
        }
    }

    /// The operations that make it stand exactly so, in place of what stands there.
    pub(super) fn set(&self, standing: Option<&Standing>) -> Vec<Value> {
        let service =
            json!({ "Service": { "Verb": "set", "Node": self.node.name, "Service": self.service() } });
        let wanted = self.checks();
        let superfluous = standing.into_iter().flat_map(|standing| &standing.checks);
        let superfluous = superfluous.filter(|id| wanted.iter().all(|(wanted, _, _)| wanted != *id));
        let delete = |id: &String| json!({ "Check": { "Verb": "delete", "Check": { "Node": self.node.name, "CheckID": id } } });
        let set = |(id, name, output): &(String, &str, String)| {
            json!({ "Check": { "Verb": "set", "Check": {
                "Node": self.node.name, "CheckID": id, "Name": name, "Status": "critical", "Output": output, "ServiceID": self.id,
            } } })
        };
        std::iter::once(service).chain(wanted.iter().map(set)).chain(superfluous.map(delete)).collect()
    }

    fn service(&self) -> Value {
        json!({
            "ID": self.id,
            "Service": self.service,
            "Address": self.host,
            "Port": self.port,
            "Tags": self.tags,
            "Meta": self.meta,
            "Weights": { "Passing": self.weight, "Warning": self.weight },
        })
    }

    /// Id, name and words of its checks, all critical: what has none is passing.
    fn checks(&self) -> Vec<(String, &'static str, String)> {
        let Self { id, origin, .. } = self;
        let ill = (!self.healthy)
            .then(|| (format!("service:{id}"), "Health at the origin", format!("unhealthy in {origin}")));
        let isolated = self.isolated.then(|| {
            let output = format!("isolated, or of no weight, in {origin}");
            (format!("{SERVICE_MAINTENANCE}{id}"), "Service Maintenance Mode", output)
        });
        ill.into_iter().chain(isolated).collect()
    }
}

/// The operation that removes an entry with its checks.
pub(super) fn remove(service: &str, standing: &Standing) -> Value {
    json!({ "Service": { "Verb": "delete", "Node": standing.node, "Service": { "ID": standing.id, "Service": service } } })
}

/// Whether our source made a pair of a tag.
fn is_tag(key: &str, value: &str) -> bool {
    key.len() > TAG.len() && key.starts_with(TAG) && value == TAGGED
}

/// The pairs that Consul can hold, under the keys that it can hold, and the keys of the others. Marks come first.
fn held(pairs: Vec<(&String, &String)>) -> (Metadata, Vec<String>) {
    let (marks, others): (Vec<_>, Vec<_>) =
        pairs.into_iter().partition(|(key, _)| [ORIGIN, OWNER, TASK].contains(&key.as_str()));
    let (mut meta, mut left_out) = (Metadata::new(), Vec::new());
    for (key, value) in marks.into_iter().chain(others) {
        let escaped = escape(key, is_kept);
        if meta.len() < MOST_PAIRS && escaped.len() <= LONGEST_KEY && value.len() <= LONGEST_VALUE {
            meta.insert(escaped, value.clone());
        } else {
            left_out.push(key.clone());
        }
    }
    (meta, left_out)
}

fn is_kept(key: &[u8], at: usize) -> bool {
    let begins_reserved = at == 0 && key.starts_with(RESERVED);
    !begins_reserved && (key[at].is_ascii_alphanumeric() || key[at] == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registries::consul::entry::parse_standing;

    fn copy(change: impl FnOnce(&mut Instance)) -> InstanceCopy {
        InstanceCopy::example("default", "orders").with(change)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Metadata {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    /// What the catalogue would answer of a form.
    fn read_back(form: &Form) -> Instance {
        let checks: Vec<Value> = form
            .checks()
            .into_iter()
            .map(|(id, _, _)| json!({ "CheckID": id, "Status": "critical", "ServiceID": form.id }))
            .collect();
        let node = json!({ "Node": form.node.name, "Address": "127.0.0.1" });
        let body = json!([{ "Node": node, "Service": form.service(), "Checks": checks }]).to_string();
        parse_standing(body.as_bytes()).unwrap().remove(0).instance
    }

    #[test]
    fn our_source_shows_what_is_promised() {
        let awkward = [
            ("a.b", "1"),
            ("空", "2"),
            ("_x2e", "3"),
            ("", "4"),
            ("consul-x", "5"),
            ("tag.v1", "true"),
            ("tag.v2", "no"),
            ("tag.", "true"),
        ];
        for copy in [
            copy(|_| {}),
            copy(|instance| instance.weight = Weight::from_ratio(2.5)),
            copy(|instance| instance.weight = Weight::from_ratio(1e6)),
            copy(|instance| instance.weight = Weight::ZERO),
            copy(|instance| instance.healthy = false),
            copy(|instance| instance.enabled = false),
            copy(|instance| instance.metadata = pairs(&awkward)),
            copy(|instance| instance.attributes = pairs(&[("zone", "z"), ("id", "x")])),
        ] {
            let form = Form::of(&copy);
            assert_eq!(form.left_out, [""; 0]);
            assert_eq!(form.shown(&copy), read_back(&form), "{copy:?}");
        }
    }

    #[test]
    fn weights_health_and_tags() {
        let form = Form::of(&copy(|instance| {
            (instance.weight, instance.healthy) = (Weight::from_ratio(1e6), false);
            instance.metadata = pairs(&[("tag.v1", "true"), ("a.b", "1"), ("consul-x", "2")]);
        }));
        assert_eq!((form.weight, form.tags.as_slice()), (65_535, ["v1".to_owned()].as_slice()));
        let keys: Vec<&str> = form.meta.keys().map(String::as_str).collect();
        assert_eq!(keys, ["_x63onsul-x", "a_x2eb", ORIGIN, OWNER, TASK]);
        let drained = Form::of(&copy(|instance| instance.weight = Weight::ZERO));
        assert_eq!((drained.weight, drained.isolated, drained.healthy), (1, true, true));
    }

    #[test]
    fn what_consul_cannot_hold_is_left_out_and_the_marks_never() {
        let full = copy(|instance| {
            instance.metadata = (0..70).map(|n| (format!("a{n:02}"), "1".to_owned())).collect();
            instance.metadata.insert("a".to_owned(), "v".repeat(513));
            instance.metadata.insert("k".repeat(129), "1".to_owned());
        });
        let form = Form::of(&full);
        assert_eq!(form.meta.len(), 64);
        assert!([ORIGIN, OWNER, TASK].iter().all(|mark| form.meta.contains_key(*mark)));
        assert!(
            form.meta.contains_key("a60") && form.left_out.contains(&"a61".to_owned()),
            "the first ones stay"
        );
        assert!(form.left_out.contains(&"a".to_owned()) && form.left_out.contains(&"k".repeat(129)));
        assert_eq!(form.shown(&full), read_back(&form));
    }

    #[test]
    fn checks_that_are_not_wanted_go() {
        let ill = Form::of(&copy(|instance| instance.healthy = false));
        let well = Form::of(&copy(|_| {}));
        let standing = Standing {
            instance: read_back(&ill),
            node: ill.node.name.clone(),
            id: ill.id.clone(),
            checks: vec![format!("service:{}", ill.id), "by-hand".to_owned()],
        };
        let verbs = |operations: Vec<Value>| -> Vec<(String, String)> {
            let checks = operations.iter().filter_map(|operation| operation.get("Check"));
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            checks.map(|check| (text(&check["Verb"]), text(&check["Check"]["CheckID"]))).collect()
        };
        let health = format!("service:{}", ill.id);
        let (set, delete) = ("set".to_owned(), "delete".to_owned());
        assert_eq!(verbs(ill.set(None)), [(set.clone(), health.clone())]);
        assert_eq!(
            verbs(ill.set(Some(&standing))),
            [(set, health.clone()), (delete.clone(), "by-hand".to_owned())]
        );
        assert_eq!(
            verbs(well.set(Some(&standing))),
            [(delete.clone(), health), (delete, "by-hand".to_owned())]
        );
    }
}
