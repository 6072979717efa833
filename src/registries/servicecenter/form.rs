//! A copy in service-center's own form, as a server of 1.4.8 takes it. Pure.
//!
//! The server changes an instance's properties and status in place, and nothing else of it. One of another version is an instance of
//! another service to it.

use super::answer::{DataCenterInfo, Described};
use super::instance::{DOWN, Entry, OUT_OF_SERVICE, REST, UP, VERSION, WEIGHT};
use crate::model::{Instance, Metadata, ServiceKey, Weight};
use crate::registries::InstanceCopy;

/// The version of a service that names none, as the server itself numbers it.
const NO_VERSION: &str = "0.0.1";
/// Parts of a version, and the largest number that one can be.
const VERSION_PARTS: usize = 4;
const VERSION_MAX: u32 = 32_767;
/// The longest names: of a host, an application, a service, and a place.
const HOST_NAME: usize = 64;
const APP_NAME: usize = 160;
const SERVICE_NAME: usize = 128;
const PLACE_NAME: usize = 128;
/// What stands for a part of a place that isn't known, where others are: the server takes all or none.
const NO_PLACE: &str = "default";

/// The copy as it is registered, but for the service's id.
///
/// # Errors
/// Why service-center can't hold it.
pub(super) fn form(copy: &InstanceCopy) -> Result<Described, String> {
    let InstanceCopy { key, mark, instance, .. } = copy;
    check_names(key)?;
    let form = Described {
        instance_id: mark.id(key, &instance.address),
        endpoints: vec![endpoint(instance)],
        host_name: instance.address.host.chars().take(HOST_NAME).collect(),
        status: status(instance).to_owned(),
        properties: properties(instance),
        version: version(instance),
        data_center_info: place(&instance.attributes),
        ..Described::default()
    };
    match Entry::of(form.clone()) {
        Some(entry) if *entry.address() == instance.address => Ok(form),
        _ => Err(format!("service-center can't hold the address {}", instance.address)),
    }
}

/// The same under another id, to stand in for the copy while its own id is taken by what it was before.
pub(super) fn stand_in(copy: &InstanceCopy, form: &Described) -> Described {
    let beside = ServiceKey::new(&copy.key.namespace, format!("{} in passing", copy.key.service));
    Described { instance_id: copy.mark.id(&beside, &copy.instance.address), ..form.clone() }
}

/// What a source shows of the copy, but for the service's id. One that can't be held is shown as it is.
pub(super) fn as_shown(copy: &InstanceCopy) -> Instance {
    let shown = form(copy).ok().and_then(Entry::of).map(|entry| entry.within(None));
    shown.unwrap_or_else(|| copy.instance.clone())
}

/// Whether both agree in everything that can't be changed in place.
pub(super) fn are_of_one_kind(one: &Described, other: &Described) -> bool {
    let fixed = |it: &Described| {
        (it.version.clone(), it.endpoints.clone(), it.host_name.clone(), it.data_center_info.clone())
    };
    fixed(one) == fixed(other)
}

/// Whether service-center takes a service's names.
///
/// # Errors
/// Why it doesn't.
pub(super) fn check_names(key: &ServiceKey) -> Result<(), String> {
    for (what, name, longest) in
        [("an application", &key.namespace, APP_NAME), ("a service", &key.service, SERVICE_NAME)]
    {
        if !is_name(name, longest) {
            return Err(format!(
                "service-center has no place for {key}: the name of {what} is at most {longest} letters, digits, `_`, `-` \
                 and `.`, with a letter or digit at either end, which `{name}` is not; map it to such a name"
            ));
        }
    }
    Ok(())
}

fn is_name(name: &str, longest: usize) -> bool {
    let ends = |c: char| c.is_ascii_alphanumeric();
    is_plain(name, longest) && name.starts_with(ends) && name.ends_with(ends)
}

fn is_plain(name: &str, longest: usize) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (1..=longest).contains(&name.len()) && name.chars().all(inner)
}

/// The registry's own field, else what metadata say, where it is a version to service-center.
fn version(instance: &Instance) -> String {
    let told = [instance.attributes.get(VERSION), instance.metadata.get(VERSION)];
    let fits = told.into_iter().flatten().find(|version| is_version(version));
    fits.map_or(NO_VERSION, String::as_str).to_owned()
}

fn is_version(version: &str) -> bool {
    let is_number = |part: &str| {
        part.chars().all(|c| c.is_ascii_digit())
            && part.parse::<u32>().is_ok_and(|number| number <= VERSION_MAX)
    };
    version.split('.').count() <= VERSION_PARTS && version.split('.').all(is_number)
}

/// As the source reads it: `rest` for HTTP, else the protocol itself.
fn endpoint(instance: &Instance) -> String {
    let protocol = instance.attributes.get("protocol").map(|protocol| protocol.to_ascii_lowercase());
    let (scheme, tls) = match protocol.as_deref() {
        Some("https") => (REST, true),
        Some(scheme) if scheme != "http" && is_scheme(scheme) => (scheme, false),
        _ => (REST, false),
    };
    format!("{scheme}://{}?sslEnabled={tls}", instance.address)
}

fn is_scheme(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(inner)
}

fn status(instance: &Instance) -> &'static str {
    match (instance.wanted(), instance.healthy) {
        (false, _) => OUT_OF_SERVICE,
        (true, true) => UP,
        (true, false) => DOWN,
    }
}

/// Service-center has no weights; the source reads them from this property, so another registry's must not stand in it.
fn properties(instance: &Instance) -> Metadata {
    let mut properties = instance.metadata.clone();
    if instance.weight != Weight::DEFAULT || properties.contains_key(WEIGHT) {
        properties.insert(WEIGHT.to_owned(), instance.weight.to_string());
    }
    properties
}

/// All parts or none.
fn place(attributes: &Metadata) -> DataCenterInfo {
    let told = ["datacenter", "region", "zone"]
        .map(|part| attributes.get(part).filter(|name| is_plain(name, PLACE_NAME)));
    if told.iter().all(Option::is_none) {
        return DataCenterInfo::default();
    }
    let [name, region, available_zone] = told.map(|part| part.map_or(NO_PLACE, String::as_str).to_owned());
    DataCenterInfo { name, region, available_zone }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Address, marks};

    fn copy(change: impl FnOnce(&mut Instance)) -> InstanceCopy {
        InstanceCopy::example("shop", "cart").with(change)
    }

    fn with(attributes: &[(&str, &str)], metadata: &[(&str, &str)]) -> InstanceCopy {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        copy(|instance| {
            instance.attributes.extend(attributes.iter().map(owned));
            instance.metadata.extend(metadata.iter().map(owned));
        })
    }

    #[test]
    fn a_plain_copy() {
        let form = form(&copy(|_| {})).unwrap();
        assert_eq!(form.endpoints, ["rest://10.0.0.1:80?sslEnabled=false"]);
        assert_eq!((form.version.as_str(), form.status.as_str()), ("0.0.1", "UP"));
        assert_eq!((form.host_name.as_str(), form.properties.len()), ("10.0.0.1", 3), "the marks");
        assert_eq!(form.data_center_info, DataCenterInfo::default());
        assert_eq!(
            form.instance_id,
            copy(|_| {}).mark.id(&ServiceKey::new("shop", "cart"), &Address::new("10.0.0.1", 80))
        );
    }

    #[test]
    fn versions_that_are_none_to_the_server_stay_metadata() {
        for (attribute, metadata, version) in [
            ("1.2.3", "blue", "1.2.3"),
            ("blue", "1.2", "1.2"),
            ("", "1.2.3.4", "1.2.3.4"),
            ("", "1.2.3.4.5", "0.0.1"),
            ("", "32768", "0.0.1"),
            ("", "1.", "0.0.1"),
            ("", "+1", "0.0.1"),
        ] {
            let copy = with(&[("version", attribute)], &[("version", metadata)]);
            assert_eq!(form(&copy).unwrap().version, version, "{attribute} {metadata}");
            let shown = as_shown(&copy);
            assert_eq!(
                (&shown.attributes["version"], shown.metadata["version"].as_str()),
                (&version.to_owned(), metadata)
            );
        }
    }

    #[test]
    fn endpoints_and_places() {
        for (protocol, endpoint, shown) in [
            ("http", "rest://10.0.0.1:80?sslEnabled=false", "http"),
            ("https", "rest://10.0.0.1:80?sslEnabled=true", "https"),
            ("gRPC", "grpc://10.0.0.1:80?sslEnabled=false", "grpc"),
            ("ws", "ws://10.0.0.1:80?sslEnabled=false", "ws"),
            ("no scheme", "rest://10.0.0.1:80?sslEnabled=false", "http"),
        ] {
            let copy = with(&[("protocol", protocol)], &[]);
            assert_eq!(form(&copy).unwrap().endpoints, [endpoint]);
            assert_eq!(as_shown(&copy).attributes["protocol"], shown);
        }
        let place = form(&with(&[("zone", "z1"), ("region", "not plain")], &[])).unwrap().data_center_info;
        let [name, region, zone] = [place.name, place.region, place.available_zone];
        assert_eq!([name.as_str(), region.as_str(), zone.as_str()], ["default", "default", "z1"]);
    }

    #[test]
    fn what_can_not_be_changed_in_place() {
        let plain = form(&copy(|_| {})).unwrap();
        for attribute in [("protocol", "grpc"), ("version", "2"), ("zone", "z1")] {
            let other = form(&with(&[attribute], &[])).unwrap();
            assert!(
                !are_of_one_kind(&plain, &other) && plain.instance_id == other.instance_id,
                "{attribute:?}"
            );
        }
        assert!(are_of_one_kind(&plain, &form(&with(&[("cluster", "c")], &[("k", "v")])).unwrap()));
        let beside = stand_in(&copy(|_| {}), &plain);
        assert!(are_of_one_kind(&plain, &beside) && marks::is_copy_id(&beside.instance_id));
        assert_ne!(plain.instance_id, beside.instance_id);
    }

    #[test]
    fn what_can_not_be_held_is_told() {
        for (namespace, service, told) in [
            ("shop", "providers:a.B::", "`providers:a.B::`"),
            ("shop", "-cart", "`-cart`"),
            ("", "cart", "application"),
            ("shop", &"x".repeat(129), "at most 128"),
        ] {
            let copy = InstanceCopy { key: ServiceKey::new(namespace, service), ..copy(|_| {}) };
            let why = form(&copy).unwrap_err();
            assert!(why.contains(told), "{why}");
            assert_eq!(as_shown(&copy), copy.instance);
        }
        let odd = copy(|instance| instance.address = Address::new("no host", 80));
        assert!(form(&odd).unwrap_err().contains("the address no host:80"));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_what_was_copied(
            millionths in 0u64..1_000_000_000,
            healthy: bool,
            wanted: bool,
            metadata in prop::collection::btree_map("\\PC{1,8}", "\\PC{0,8}", 0..4),
            host in "[a-z0-9][a-z0-9.-]{0,80}",
        ) {
            let weight = Weight::from_ratio(millionths as f64 / 1_000_000.0);
            let copy = copy(|instance| {
                (instance.weight, instance.healthy, instance.enabled) = (weight, healthy, wanted);
                instance.address = Address::new(host, 80);
                instance.metadata.extend(metadata);
            });
            let shown = as_shown(&copy);
            prop_assert_eq!(shown.weight, weight);
            prop_assert_eq!(shown.usable(), copy.instance.usable());
            prop_assert_eq!(shown.wanted(), wanted);
            prop_assert_eq!(&shown.address, &copy.instance.address);
            let kept = |(key, value): (&String, &String)| {
                key == "weight" || shown.metadata.get(key) == Some(value)
            };
            prop_assert!(copy.instance.metadata.iter().all(kept));
            let again = InstanceCopy { instance: shown.clone(), ..copy };
            prop_assert_eq!(as_shown(&again), shown, "what is shown is carried as it is");
        }
    }
}
