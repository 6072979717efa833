//! What frameworks write into ZooKeeper, as seen on Dubbo 3.3.2, Curator 5.7.1 and Spring Cloud Zookeeper 4.1.2.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

/// A provider of one Dubbo interface: a node whose name is its URL, percent-encoded.
#[derive(Clone, Debug)]
pub struct DubboProvider {
    /// Java's name of the interface.
    pub interface: String,
    /// IPv6 addresses without brackets.
    pub host: String,
    /// Where it listens.
    pub port: u16,
    /// What stands behind the `?`.
    pub parameters: BTreeMap<String, String>,
}

impl DubboProvider {
    /// A provider with the parameters that every one has.
    pub fn new(interface: &str, host: &str, port: u16) -> Self {
        let parameters = [
            ("application", "demo-provider"),
            ("dubbo", "2.0.2"),
            ("dynamic", "true"),
            ("interface", interface),
            ("methods", "hi"),
            ("release", "3.3.2"),
            ("side", "provider"),
            ("timestamp", "1795204146245"),
        ];
        let parameters = parameters.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        Self { interface: interface.to_owned(), host: host.to_owned(), port, parameters }
    }

    /// With one more parameter, or another value of it.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.parameters.insert(key.to_owned(), value.to_owned());
        self
    }

    /// The folder of this interface's providers under Dubbo's root.
    pub fn folder(&self, root: &str) -> String {
        format!("{root}/{}/providers", encoded(&self.interface))
    }

    /// The node's name.
    pub fn node(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let parameters: Vec<String> =
            self.parameters.iter().map(|(key, value)| format!("{key}={value}")).collect();
        encoded(&format!("dubbo://{host}:{}/{}?{}", self.port, self.interface, parameters.join("&")))
    }
}

/// As Java's `URLEncoder` does.
fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// What an entry of Curator's service discovery carries besides its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Nothing.
    Null,
    /// A class of the application's own, with its metadata in a field.
    Own(BTreeMap<String, String>),
    /// Spring Cloud Zookeeper's.
    SpringCloud(BTreeMap<String, String>),
    /// Dubbo's application level.
    Dubbo(BTreeMap<String, String>),
}

/// An entry of Curator's service discovery: a node with JSON in it.
#[derive(Clone, Debug)]
pub struct CuratorEntry {
    /// The service.
    pub name: String,
    /// The node's name.
    pub id: String,
    /// Where it listens.
    pub host: String,
    /// Where it listens.
    pub port: u16,
    /// What the framework adds.
    pub payload: Payload,
    /// Only older Curators write it.
    pub enabled: Option<bool>,
    /// Milliseconds since 1970.
    pub registered: i64,
}

impl CuratorEntry {
    /// An entry with the address as its id, as Dubbo has it; Curator itself takes a random one.
    pub fn new(name: &str, host: &str, port: u16, payload: Payload) -> Self {
        let (name, id, host) = (name.to_owned(), format!("{host}:{port}"), host.to_owned());
        Self { name, id, host, port, payload, enabled: None, registered: 1_795_204_114_644 }
    }

    /// Its node under the root of the discovery.
    pub fn path(&self, root: &str) -> String {
        format!("{root}/{}/{}", self.name, self.id)
    }

    /// The node's data.
    pub fn data(&self) -> Vec<u8> {
        let mut data = json!({
            "name": self.name,
            "id": self.id,
            "address": self.host,
            "port": self.port,
            "sslPort": null,
            "payload": self.payload(),
            "registrationTimeUTC": self.registered,
            "serviceType": "DYNAMIC",
            "uriSpec": null,
        });
        if let Some(enabled) = self.enabled {
            data["enabled"] = enabled.into();
        }
        data.to_string().into_bytes()
    }

    fn payload(&self) -> Value {
        let framework = |class: &str, metadata: &BTreeMap<String, String>| json!({ "@class": class, "id": self.id, "name": self.name, "metadata": metadata });
        match &self.payload {
            Payload::Null => Value::Null,
            Payload::Own(metadata) => framework("Layout$Pay", metadata),
            Payload::SpringCloud(metadata) => {
                framework("org.springframework.cloud.zookeeper.discovery.ZookeeperInstance", metadata)
            }
            Payload::Dubbo(metadata) => {
                framework("org.apache.dubbo.registry.zookeeper.ZookeeperInstance", metadata)
            }
        }
    }
}
