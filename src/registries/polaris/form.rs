//! From a copy to what is registered, and to what the source shows of that. Pure.

use serde_json::{Map, Value, json};

use super::answer::{DEFAULT_WEIGHT, LAST_HEARTBEAT};
use crate::model::{Instance, Metadata, Weight};
use crate::registries::InstanceCopy;

/// The largest weight that is written, ten thousand times the default.
const MOST_WEIGHT: u32 = 1_000_000;
/// Fields that the server puts into the metadata of what it shows, over what the user has there.
const FIELDS: [&str; 2] = ["protocol", "version"];
/// The same for the parts of a location, of which it puts all where one is set.
const LOCATION: [&str; 3] = ["region", "zone", "campus"];
const LOGIC_SET: &str = "logic_set";

/// A copy in Polaris' terms. It has an id of its own, so that it stands beside a native instance at the same address and no
/// write of ours can hit that.
pub(super) struct Form<'a> {
    copy: &'a InstanceCopy,
    id: String,
    weight: u32,
    metadata: Metadata,
    /// Those of `protocol` and `version` that are set.
    fields: Metadata,
    /// All of it or nothing.
    location: Metadata,
}

impl<'a> Form<'a> {
    /// How a copy is registered. Where a field and the metadata's entry of that name disagree, the field becomes what the metadata
    /// says: the server would put it there, and it is the metadata that people make groups of.
    pub(super) fn of(copy: &'a InstanceCopy) -> Self {
        let instance = &copy.instance;
        let attribute = |name: &str| instance.attributes.get(name).filter(|value| !value.is_empty());
        let agreed = |name: &str| instance.metadata.get(name).or_else(|| attribute(name)).cloned();
        let pair = |name: &str| Some((name.to_owned(), agreed(name)?));
        let set = FIELDS.into_iter().filter(|name| attribute(name).is_some()).filter_map(pair);
        let fields = set.filter(|(_, value)| !value.is_empty()).collect();
        let located = LOCATION.iter().any(|name| attribute(name).is_some());
        let part = |name: &str| (name.to_owned(), agreed(name).unwrap_or_default());
        let location = LOCATION.into_iter().filter(|_| located).map(part).collect();
        let mut metadata = instance.metadata.clone();
        metadata.remove(LAST_HEARTBEAT);
        Self {
            copy,
            id: id(copy),
            weight: instance.weight.scaled(DEFAULT_WEIGHT, MOST_WEIGHT),
            metadata,
            fields,
            location,
        }
    }

    /// The item of a request that registers it, or takes the place of all of it. Without a health check it is as healthy as we say,
    /// and stays until it is removed.
    pub(super) fn registration(&self) -> Value {
        let instance = &self.copy.instance;
        let mut item = named(self.copy);
        item.extend([
            ("weight".to_owned(), json!(self.weight)),
            ("healthy".to_owned(), json!(instance.healthy)),
            ("isolate".to_owned(), json!(!instance.wanted())),
            ("metadata".to_owned(), json!(self.metadata)),
        ]);
        item.extend(self.fields.iter().map(|(name, value)| (name.clone(), json!(value))));
        if !self.location.is_empty() {
            item.insert("location".to_owned(), json!(self.location));
        }
        item.extend(self.logic_set().map(|set| (LOGIC_SET.to_owned(), json!(set))));
        Value::Object(item)
    }

    /// What the source shows of it.
    pub(super) fn shown(self) -> Instance {
        let instance = &self.copy.instance;
        let logic_set = self.logic_set().map(|set| (LOGIC_SET.to_owned(), set.clone()));
        let mut attributes = Metadata::from([("id".to_owned(), self.id.clone())]);
        attributes.extend(logic_set);
        attributes.extend(self.fields.clone());
        attributes.extend(self.location.clone().into_iter().filter(|(_, value)| !value.is_empty()));
        let mut metadata = self.metadata;
        metadata.extend(self.fields);
        metadata.extend(self.location);
        Instance {
            weight: Weight::from_ratio(f64::from(self.weight) / f64::from(DEFAULT_WEIGHT)),
            healthy: instance.healthy,
            isolated: !instance.wanted(),
            metadata,
            attributes,
            ..Instance::new(instance.address.clone())
        }
    }

    fn logic_set(&self) -> Option<&'a String> {
        self.copy.instance.attributes.get(LOGIC_SET).filter(|set| !set.is_empty())
    }
}

/// The id of a copy, the same in every process.
fn id(copy: &InstanceCopy) -> String {
    copy.mark.id(&copy.key, &copy.instance.address)
}

/// An item that isolates a copy and changes its weight. A deletion without a change before it is overlooked by servers with the
/// embedded store, and an isolation alone is no change of what is isolated already.
pub(super) fn isolation(copy: &InstanceCopy, weight: u32) -> Value {
    let mut item = named(copy);
    item.extend([("isolate".to_owned(), json!(true)), ("weight".to_owned(), json!(weight))]);
    Value::Object(item)
}

/// An item that names a copy and nothing else.
pub(super) fn name(copy: &InstanceCopy) -> Value {
    Value::Object(named(copy))
}

fn named(copy: &InstanceCopy) -> Map<String, Value> {
    let address = &copy.instance.address;
    let parts = [
        ("id", json!(id(copy))),
        ("namespace", json!(copy.key.namespace)),
        ("service", json!(copy.key.service)),
        ("host", json!(address.host)),
        ("port", json!(address.port)),
    ];
    parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What to do about an item that the server will always refuse.
pub(super) fn advice(code: u32, copy: &InstanceCopy) -> Option<String> {
    const BAD_NAMESPACE: u32 = 400_110;
    const BAD_SERVICE: u32 = 400_120;
    const BAD_METADATA: u32 = 400_150;
    match code {
        BAD_NAMESPACE | BAD_SERVICE => {
            Some("Polaris' names have letters, digits and -./:_ only, a service's at most 128".to_owned())
        }
        BAD_METADATA => {
            let metadata = &copy.instance.metadata;
            let longest = metadata.iter().max_by_key(|(key, value)| key.len().max(value.len()));
            let longest = longest.map(|(key, value)| format!("{key} with {} bytes", value.len()));
            Some(format!(
                "Polaris takes 64 entries, keys of 128 and values of 4096 bytes; this copy has {}, the longest being {}: shorten it \
                 at the source",
                metadata.len(),
                longest.unwrap_or_default()
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(metadata: &[(&str, &str)], attributes: &[(&str, &str)]) -> InstanceCopy {
        let pairs = |pairs: &[(&str, &str)]| -> Metadata {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let mut copy = InstanceCopy::example("default", "orders");
        // Without the mark, so that a test tells all that comes back.
        (copy.instance.metadata, copy.instance.attributes) = (pairs(metadata), pairs(attributes));
        copy
    }

    fn told(map: &Metadata) -> Vec<String> {
        map.iter().map(|(key, value)| format!("{key}={value}")).collect()
    }

    fn shown(metadata: &[(&str, &str)], attributes: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let copy = copy(metadata, attributes);
        let mut shown = Form::of(&copy).shown();
        let given = shown.attributes.remove("id").unwrap();
        assert!(crate::model::marks::is_copy_id(&given), "{given}");
        (told(&shown.metadata), told(&shown.attributes))
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn fields_come_back_in_the_metadata() {
        let (metadata, attributes) = shown(&[("a", "1")], &[("version", "2"), ("protocol", ""), ("id", "x")]);
        assert_eq!((metadata, attributes), (owned(&["a=1", "version=2"]), owned(&["version=2"])));
        let (metadata, attributes) = shown(&[], &[("zone", "z1"), ("logic_set", "s"), ("vpc_id", "v")]);
        assert_eq!(metadata, ["campus=", "region=", "zone=z1"], "of a location all parts");
        assert_eq!(attributes, ["logic_set=s", "zone=z1"]);
    }

    #[test]
    fn the_metadata_says_what_a_field_is_to_be() {
        let (metadata, attributes) = shown(&[("version", "1.0.0")], &[("version", "2")]);
        assert_eq!((metadata, attributes), (owned(&["version=1.0.0"]), owned(&["version=1.0.0"])));
        assert_eq!(shown(&[("version", "1.0.0")], &[]), (owned(&["version=1.0.0"]), Vec::new()));
        assert_eq!(shown(&[("version", "")], &[("version", "2")]), (owned(&["version="]), Vec::new()));
        let (metadata, _) = shown(&[("zone", "mine")], &[("zone", "z1"), ("region", "r")]);
        assert_eq!(metadata, ["campus=", "region=r", "zone=mine"]);
    }

    #[test]
    fn an_item_has_all_that_a_registration_replaces() {
        let mut copy = copy(&[("a", "1")], &[("region", "r"), ("protocol", "grpc")]);
        copy.instance.weight = Weight::from_ratio(0.255);
        copy.instance.enabled = false;
        let id = id(&copy);
        assert_eq!(
            Form::of(&copy).registration(),
            json!({
                "id": id, "namespace": "default", "service": "orders", "host": "10.0.0.1", "port": 80, "weight": 26,
                "healthy": true, "isolate": true, "metadata": { "a": "1" }, "protocol": "grpc",
                "location": { "region": "r", "zone": "", "campus": "" },
            })
        );
        let shown = Form::of(&copy).shown();
        assert_eq!((shown.weight, shown.isolated, shown.enabled), (Weight::from_ratio(0.26), true, true));
        assert_eq!(isolation(&copy, 1)["isolate"], true);
    }

    #[test]
    fn a_person_is_told_what_polaris_takes() {
        let long = "v".repeat(5000);
        let told = advice(400_150, &copy(&[("a", "1"), ("dubbo", &long)], &[])).unwrap();
        assert!(told.contains("has 2") && told.contains("dubbo with 5000 bytes"), "{told}");
        assert!(advice(400_120, &copy(&[], &[])).unwrap().contains("-./:_"));
        assert_eq!(advice(400_000, &copy(&[], &[])), None);
    }
}
