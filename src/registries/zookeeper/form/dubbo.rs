//! A copy as a provider of Dubbo's: the name of its node is its URL, percent-encoded. Pure.

use url::form_urlencoded::byte_serialize;

use crate::model::{Instance, Metadata, Weight};
use crate::registries::zookeeper::dubbo::{PROVIDERS, escaped, interface, is_default_of};

/// The protocol of a provider that names none.
const PROTOCOL: &str = "dubbo";
/// Dubbo counts weights in whole hundredths of its default.
const DEFAULT_WEIGHT: u32 = 100;
/// As many as Java's `int` holds.
const LARGEST_WEIGHT: u32 = 2_147_483_647;
/// Parameters that the service's name, its switches and its node's life decide, whatever other registries say.
const DECIDED: [&str; 6] = ["interface", "version", "group", "disabled", "enabled", "dynamic"];
const WEIGHT: &str = "weight";

/// The name of a service as Dubbo names it in Nacos, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) interface: &'a str,
    version: &'a str,
    group: &'a str,
}

impl<'a> Parts<'a> {
    /// # Errors
    /// The name is none of an interface.
    pub(super) fn of(service: &'a str) -> Result<Self, String> {
        let parts: Vec<&str> = service.splitn(4, ':').collect();
        match parts.as_slice() {
            [PROVIDERS, name, version, group] if interface(&encoded(name)).is_some() => {
                Ok(Self { interface: name, version, group })
            }
            _ => Err(format!(
                "`{service}` is no interface of Dubbo's, which is named `providers:{{interface}}:{{version}}:{{group}}`; \
                 map it to such a name, or use another `layout`"
            )),
        }
    }
}

/// As Java's `URLEncoder` does.
pub(super) fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// The node's name.
pub(super) fn name(instance: &Instance, parts: Parts<'_>, persistent: bool) -> String {
    let told = |key: &str| instance.attributes.get(key).or_else(|| instance.metadata.get(key));
    let protocol = told("protocol").filter(|text| is_scheme(text)).map_or(PROTOCOL, String::as_str);
    let path = told("path").filter(|text| is_path(text)).map_or(parts.interface, String::as_str);
    let parameters = parameters(instance, parts, persistent);
    let pairs = parameters.iter().filter(|(key, _)| !key.is_empty());
    let query: Vec<String> =
        pairs.map(|(key, value)| format!("{}={}", escaped(key, true), escaped(value, false))).collect();
    encoded(&format!("{protocol}://{}/{path}?{}", instance.address, query.join("&")))
}

fn parameters(instance: &Instance, parts: Parts<'_>, persistent: bool) -> Metadata {
    let is_decided = |key: &str| DECIDED.iter().any(|decided| key == *decided || is_default_of(key, decided));
    let told = instance.metadata.iter().filter(|(key, _)| !is_decided(key));
    let mut parameters: Metadata = told.map(|(key, value)| (key.clone(), value.clone())).collect();
    let mut set = |key: &str, value: &str| drop(parameters.insert(key.to_owned(), value.to_owned()));
    set("interface", parts.interface);
    set("dynamic", if persistent { "false" } else { "true" });
    for (key, value) in [("version", parts.version), ("group", parts.group)] {
        if !value.is_empty() {
            set(key, value);
        }
    }
    // Dubbo knows no unhealthy providers, so those are switched off.
    if !instance.usable() {
        set("disabled", "true");
    }
    let tells_weight = parameters.keys().any(|key| key == WEIGHT || is_default_of(key, WEIGHT));
    if tells_weight || instance.weight != Weight::DEFAULT {
        let weight = instance.weight.scaled(DEFAULT_WEIGHT, LARGEST_WEIGHT);
        parameters.insert(WEIGHT.to_owned(), weight.to_string());
    }
    parameters.entry("side".to_owned()).or_insert_with(|| "provider".to_owned());
    parameters
}

fn is_scheme(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(inner)
}

fn is_path(text: &str) -> bool {
    !text.is_empty() && !text.contains(['?', '#', '&', '=', '%']) && !text.contains(char::is_whitespace)
}
