//! Fields of Kong's entities by the entry's templates, and what the instances' metadata says of them. Pure.
//!
//! ```text
//!  each instance that is sent traffic says what its metadata has, or `else` where that is nothing or does not fit
//!  all say the same ─▶ that · they differ ─▶ the smallest, and a conflict is told · none says anything ─▶ the field stays as it stands
//! ```
//!
//! The smallest, because it must not depend on the order of the instances, on the gateway or on what stood before: so every gateway comes
//! to the same, and comes back to it.

use std::collections::BTreeMap;

use causeway_gateways::{Fields, TargetAddress, tags};
use serde_json::Value;

use crate::config::{FromMetadata, Setting};
use crate::model::{Address, Instance};

/// A service's field that Kong does not look at when `host` names an upstream: the targets have ports of their own.
pub(super) const PORT: &str = "port";
const PROTOCOL: &str = "protocol";
/// Fields that Kong refuses unless the protocol is one of these.
const BOUND_TO_PROTOCOL: [(&str, &[&str]); 5] = [
    ("tls_verify", TLS),
    ("tls_verify_depth", TLS),
    ("client_certificate", TLS),
    ("ca_certificates", TLS),
    ("path", &["http", "https", "tls_passthrough"]),
];
const TLS: &[&str] = &["https", "tls"];
/// The most of a metadata value that is told.
const SHOWN_AT_MOST: usize = 60;
/// The most different values that are told.
const LISTED_AT_MOST: usize = 5;

/// The fields that templates name, and what is to be told about them.
#[derive(Debug, Default)]
pub(super) struct Filled {
    pub(super) fields: Fields,
    pub(super) told: Vec<String>,
}

/// The fields of an upstream for the group with these members.
pub(super) fn of_upstream(template: &BTreeMap<String, Setting>, members: &[&Instance]) -> Filled {
    let mut filled = Filled::default();
    for (name, setting) in template {
        filled.fill(name, setting, members);
    }
    filled
}

/// The fields of a service for the group with these members.
pub(super) fn of_service(template: &BTreeMap<String, Setting>, members: &[&Instance]) -> Filled {
    let mut filled = of_upstream(template, members);
    if let Some(Setting::Metadata(_)) = template.get(PROTOCOL) {
        filled.fit_to_protocol();
    }
    filled
}

impl Filled {
    fn fill(&mut self, name: &str, setting: &Setting, members: &[&Instance]) {
        let from = match setting {
            Setting::Value(value) => {
                self.fields.insert(name.to_owned(), value.clone());
                return;
            }
            Setting::Metadata(from) => from,
        };
        self.told.extend(misfits(name, from, members));
        let said = said(from, members);
        let Some((_, (smallest, _))) = said.first_key_value() else { return };
        if said.len() > 1 {
            // Each target has its own.
            if name == PORT {
                return;
            }
            self.told.push(disagreement(name, smallest, &said));
        }
        self.fields.insert(name.to_owned(), smallest.clone());
    }

    /// A protocol that the instances choose must not make Kong refuse what the template says for another one.
    fn fit_to_protocol(&mut self) {
        let protocol = self.fields.get(PROTOCOL).and_then(Value::as_str).map(str::to_owned);
        for (name, protocols) in BOUND_TO_PROTOCOL {
            match (&protocol, self.fields.get_mut(name)) {
                (Some(protocol), Some(value)) if !protocols.contains(&protocol.as_str()) => {
                    *value = Value::Null
                }
                (None, Some(_)) => drop(self.fields.remove(name)),
                _ => {}
            }
        }
    }
}

/// Numbers by size, texts by their letters, false before true.
type Rank = (i64, String);

/// What the instances say, each value with the first instance that says it.
fn said<'a>(from: &FromMetadata, members: &[&'a Instance]) -> BTreeMap<Rank, (Value, &'a Address)> {
    let mut said = BTreeMap::new();
    for instance in members {
        if let Some(value) = says(from, instance) {
            said.entry(rank(&value)).or_insert((value, &instance.address));
        }
    }
    said
}

fn rank(value: &Value) -> Rank {
    let number = value.as_i64().or(value.as_bool().map(i64::from)).unwrap_or_default();
    (number, value.as_str().unwrap_or_default().to_owned())
}

/// What one instance says for a field.
fn says(from: &FromMetadata, instance: &Instance) -> Option<Value> {
    read(from, instance).and_then(Result::ok).or_else(|| from.otherwise.clone())
}

/// What its metadata has, or else the registry's own field of this name; an error says what the field takes.
fn read(from: &FromMetadata, instance: &Instance) -> Option<Result<Value, String>> {
    raw(from, instance).map(|text| from.of.read(text))
}

fn raw<'a>(from: &FromMetadata, instance: &'a Instance) -> Option<&'a String> {
    instance.metadata.get(&from.key).or_else(|| instance.attributes.get(&from.key))
}

/// That instances have something that the field does not take: the first one, and how many more.
fn misfits(name: &str, from: &FromMetadata, members: &[&Instance]) -> Option<String> {
    let wrong = |instance: &&&Instance| read(from, instance).is_some_and(|read| read.is_err());
    let mut misfits = members.iter().filter(wrong);
    let first = misfits.next()?;
    let text = shown(raw(from, first).map(String::as_str).unwrap_or_default());
    let takes = from.of.read("").err().unwrap_or_default();
    let others = match misfits.count() {
        0 => String::new(),
        1 => " (and 1 more)".to_owned(),
        count => format!(" (and {count} more)"),
    };
    let instead = match &from.otherwise {
        Some(value) => format!("{value} is used instead"),
        None => "it counts as absent".to_owned(),
    };
    Some(format!(
        "the metadata `{}` of instance {} is `{text}`{others}, but {name} takes {takes}; {instead}",
        from.key, first.address
    ))
}

fn disagreement(name: &str, smallest: &Value, said: &BTreeMap<Rank, (Value, &Address)>) -> String {
    let mut each: Vec<String> =
        said.values().take(LISTED_AT_MOST).map(|(value, by)| format!("{} ({by})", plain(value))).collect();
    if said.len() > LISTED_AT_MOST {
        each.push(format!("{} more", said.len() - LISTED_AT_MOST));
    }
    let (each, smallest) = (each.join(", "), plain(smallest));
    format!("the instances disagree on {name}: {each}; {smallest}, the smallest, holds until they agree")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), shown)
}

/// One line, not too long.
fn shown(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let cut: String = line.chars().take(SHOWN_AT_MOST).collect();
    if cut.len() < line.len() { format!("{cut}…") } else { cut }
}

/// The port at which an instance is a target: the one that `port` of the service template takes from its metadata, or else the one
/// that it is registered with.
pub(super) fn target_port(template: &BTreeMap<String, Setting>, instance: &Instance) -> u16 {
    let said = match template.get(PORT) {
        Some(Setting::Metadata(from)) => says(from, instance),
        _ => None,
    };
    let port = said.as_ref().and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    port.unwrap_or(instance.address.port)
}

/// The tag that leads from a target back to its instance, where the address does not.
pub(super) fn port_tag(target: &TargetAddress, instance: &Instance) -> Option<String> {
    let registered = instance.address.port;
    (target.parts().1 != registered).then(|| tags::port_tag(registered))
}
