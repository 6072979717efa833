//! A copy in Eureka's own form, and what our source shows of it. Pure.

use serde_json::{Value, json};

use crate::model::escape::escape;
use crate::model::marks::is_copy_id;
use crate::model::{Instance, Metadata, Weight};
use crate::registries::eureka::answer::{InstanceInfo, Port};
use crate::registries::eureka::instance::{OUT_OF_SERVICE, UP, to_instance};
use crate::registries::http::path_segment;
use crate::registries::{InstanceCopy, Weights};

/// Takes no traffic, by the instance's own word.
pub(super) const DOWN: &str = "DOWN";
/// Where Spring Cloud LoadBalancer reads weights,
const WEIGHT: &str = "weight";
/// and zones.
const ZONE: &str = "zone";
/// What a server's Tomcat takes in no path, however it is encoded.
const NOT_IN_PATHS: [char; 4] = ['/', '\\', '%', ';'];

/// A copy as it is registered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Form {
    pub(super) id: String,
    pub(super) status: &'static str,
    app: String,
    host: String,
    port: Option<u16>,
    secure_port: Option<u16>,
    metadata: Metadata,
    /// Keys of metadata that would make the server's XML unreadable for everybody.
    pub(super) left_out: Vec<String>,
}

impl Form {
    pub(super) fn of(copy: &InstanceCopy) -> Self {
        let InstanceCopy { key, mark, instance, .. } = copy;
        let port = Some(instance.address.port).filter(|port| *port > 0);
        let attribute = |name: &str| instance.attributes.get(name);
        let only_secure = attribute("protocol").is_some_and(|protocol| protocol == "https");
        let other_port = attribute("secure_port").and_then(|port| port.parse().ok()).filter(|port| *port > 0);
        let (port, secure_port) = if only_secure { (None, port) } else { (port, other_port) };
        let (metadata, left_out) = held(described(instance));
        Self {
            id: mark.id(key, &instance.address),
            status: status(instance),
            app: key.service.clone(),
            host: instance.address.host.clone(),
            port,
            secure_port,
            metadata,
            left_out,
        }
    }

    /// What our source shows of it.
    pub(super) fn shown(&self) -> Instance {
        to_instance(InstanceInfo {
            instance_id: self.id.clone(),
            ip_addr: self.host.clone(),
            status: self.status.to_owned(),
            port: Port::of(self.port),
            secure_port: Port::of(self.secure_port),
            metadata: self.metadata.clone(),
            ..InstanceInfo::default()
        })
    }

    /// Where it is, below the API's path.
    pub(super) fn path(&self) -> String {
        instance_path(&self.app, &self.id)
    }

    /// Where it is registered.
    pub(super) fn app_path(&self) -> String {
        format!("apps/{}", path_segment(&self.app))
    }

    /// The body that registers it, with this status.
    pub(super) fn body(&self, status: &str, dirty: u64, lease: Lease) -> Value {
        let port =
            |port: Option<u16>| json!({ "$": port.unwrap_or(0), "@enabled": port.is_some().to_string() });
        json!({ "instance": {
            "instanceId": self.id,
            "app": self.app,
            "hostName": self.host,
            "ipAddr": self.host,
            "vipAddress": self.app,
            "secureVipAddress": self.app,
            "status": status,
            // Some servers fail where it is missing.
            "overriddenstatus": "UNKNOWN",
            "port": port(self.port),
            "securePort": port(self.secure_port),
            "dataCenterInfo": {
                "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo",
                "name": "MyOwn",
            },
            "leaseInfo": { "renewalIntervalInSecs": lease.renewal, "durationInSecs": lease.duration },
            "metadata": self.metadata,
            "lastDirtyTimestamp": dirty.to_string(),
        }})
    }
}

/// A copy's lease, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) renewal: u64,
    pub(super) duration: u64,
}

/// Where an application is, below the API's path.
///
/// # Errors
/// What is wrong with its name.
pub(super) fn app_path(app: &str) -> Result<String, String> {
    if app.is_empty() || app == "." || app == ".." || app.contains(NOT_IN_PATHS) {
        return Err(format!(
            "no Eureka takes an application named `{app}`: a name must be no dots only and hold no /, \\, % or ;"
        ));
    }
    Ok(format!("apps/{}", path_segment(app)))
}

pub(super) fn instance_path(app: &str, id: &str) -> String {
    format!("apps/{}/{}", path_segment(app), path_segment(id))
}

/// The id of a copy that stands: as it is shown, since its writer may have been another version.
pub(super) fn standing_id(copy: &InstanceCopy) -> String {
    let shown = copy.instance.attributes.get("id").filter(|id| is_copy_id(id));
    shown.cloned().unwrap_or_else(|| copy.mark.id(&copy.key, &copy.instance.address))
}

/// Out of service is what no health brings back into traffic.
fn status(instance: &Instance) -> &'static str {
    match (instance.wanted() && instance.weight != Weight::ZERO, instance.healthy) {
        (false, _) => OUT_OF_SERVICE,
        (true, false) => DOWN,
        (true, true) => UP,
    }
}

/// The metadata with what else stands in it at a Eureka.
fn described(instance: &Instance) -> Metadata {
    let mut metadata = instance.metadata.clone();
    let weight = Weights::Whole.nearest(instance.weight.ratio());
    let own = instance.weight != Weight::DEFAULT && instance.weight != Weight::ZERO;
    if own && (weight > 1.0 || metadata.contains_key(WEIGHT)) {
        metadata.insert(WEIGHT.to_owned(), (weight as u32).to_string());
    }
    if let Some(zone) = instance.attributes.get(ZONE) {
        metadata.entry(ZONE.to_owned()).or_insert_with(|| zone.clone());
    }
    metadata
}

/// What can stand in the XML that the server makes of it, and the keys of the rest.
fn held(metadata: Metadata) -> (Metadata, Vec<String>) {
    let (held, left_out): (Metadata, Metadata) =
        metadata.into_iter().partition(|(key, value)| key.chars().chain(value.chars()).all(is_in_xml));
    (
        held.into_iter().map(|(key, value)| (escape(&key, is_kept), value)).collect(),
        left_out.into_keys().collect(),
    )
}

/// The characters of XML 1.0.
fn is_in_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// A colon names a namespace that isn't there, and keys that begin with `@` are the serialiser's own.
fn is_kept(key: &[u8], at: usize) -> bool {
    key[at] != b':' && (at > 0 || key[at] != b'@')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registries::eureka::answer::parse_instance;

    const LEASE: Lease = Lease { renewal: 30, duration: 90 };

    fn copy(change: impl FnOnce(&mut Instance)) -> InstanceCopy {
        InstanceCopy::example("default", "orders").with(change)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Metadata {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn read_back(form: &Form) -> Instance {
        to_instance(parse_instance(form.body(form.status, 7, LEASE).to_string().as_bytes()).unwrap())
    }

    #[test]
    fn our_source_shows_what_is_promised() {
        for copy in [
            copy(|_| {}),
            copy(|instance| instance.weight = Weight::from_ratio(2.5)),
            copy(|instance| instance.weight = Weight::ZERO),
            copy(|instance| instance.healthy = false),
            copy(|instance| (instance.enabled, instance.healthy) = (false, false)),
            copy(|instance| {
                instance.metadata = pairs(&[("a:b", "1"), ("@c", "2"), ("", "3"), ("空", "4"), ("_x3a", "5")])
            }),
            copy(|instance| {
                instance.attributes = pairs(&[("zone", "z"), ("id", "x"), ("protocol", "https")])
            }),
            copy(|instance| instance.attributes = pairs(&[("secure_port", "8443"), ("protocol", "http")])),
            copy(|instance| instance.address.port = 0),
        ] {
            let form = Form::of(&copy);
            assert_eq!(form.left_out, [""; 0]);
            assert_eq!(form.shown(), read_back(&form), "{copy:?}");
            assert!(
                copy.instance.metadata.iter().all(|pair| form.shown().metadata.get(pair.0) == Some(pair.1))
            );
            assert_eq!(form.shown().address, copy.instance.address);
        }
    }

    #[test]
    fn weights_and_statuses() {
        let shown = |change: &dyn Fn(&mut Instance)| {
            let form = Form::of(&copy(change));
            (form.status, form.metadata.get(WEIGHT).cloned().unwrap_or_default(), form.shown().weight.ratio())
        };
        let weighing = |ratio: f64, written: &'static str| {
            move |instance: &mut Instance| {
                instance.weight = Weight::from_ratio(ratio);
                if !written.is_empty() {
                    instance.metadata.insert(WEIGHT.to_owned(), written.to_owned());
                }
            }
        };
        assert_eq!(shown(&weighing(1.0, "")), (UP, String::new(), 1.0));
        assert_eq!(shown(&weighing(1.0, "4")), (UP, "4".to_owned(), 4.0), "the application's own word");
        assert_eq!(
            shown(&weighing(2.5, "4")),
            (UP, "3".to_owned(), 3.0),
            "the registry's weight stands above it"
        );
        assert_eq!(shown(&weighing(0.4, "")), (UP, String::new(), 1.0));
        assert_eq!(shown(&weighing(0.0, "")), (OUT_OF_SERVICE, String::new(), 1.0));
        assert_eq!(shown(&|instance| instance.healthy = false).0, DOWN);
        let isolated_and_ill =
            |instance: &mut Instance| (instance.isolated, instance.healthy) = (true, false);
        assert_eq!(shown(&isolated_and_ill).0, OUT_OF_SERVICE);
    }

    #[test]
    fn what_would_break_every_reader_s_xml_is_escaped_or_left_out() {
        let form = Form::of(&copy(|instance| {
            instance.metadata =
                pairs(&[("a:b", "1"), ("@class", "2"), ("bell", "\u{7}"), ("text", "a\tb\r\n<&>")]);
        }));
        assert_eq!(form.left_out, ["bell"]);
        assert_eq!(
            (&*form.metadata["a_x3ab"], &*form.metadata["_x40class"], &*form.metadata["text"]),
            ("1", "2", "a\tb\r\n<&>")
        );
        assert_eq!(form.shown(), read_back(&form));
    }

    #[test]
    fn names_that_no_server_takes() {
        assert_eq!(app_path("a b@@空").unwrap(), "apps/a%20b%40%40%E7%A9%BA");
        for name in ["", ".", "..", "x/y", "a\\b", "50%", "a;b"] {
            assert!(app_path(name).unwrap_err().contains(&format!("`{name}`")));
        }
    }

    #[test]
    fn a_standing_copy_is_renewed_by_its_own_id() {
        let named = |id: &str| {
            let copy = copy(|instance| drop(instance.attributes.insert("id".to_owned(), id.to_owned())));
            (standing_id(&copy), Form::of(&copy).id)
        };
        let (other, own) = named("causeway-00000000000000000000000000000001");
        assert_eq!(other, "causeway-00000000000000000000000000000001");
        assert_eq!(named("orders-1"), (own.clone(), own));
    }
}
