//! One instance as an application registers it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

/// One instance. Registering it again replaces all of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// The application's name; the server writes it in capitals.
    pub app: String,
    /// Unique on the server.
    pub id: String,
    /// IP address, and host name at once.
    pub host: String,
    /// The port, when it is on.
    pub port: Option<u16>,
    /// The port for TLS, when it is on.
    pub secure_port: Option<u16>,
    /// `UP`, `DOWN`, `STARTING`, `OUT_OF_SERVICE` or `UNKNOWN`.
    pub status: String,
    /// Key-value pairs.
    pub metadata: BTreeMap<String, String>,
    /// Seconds without a heartbeat until it may be evicted. The default is longer than any test, so none needs a heartbeat.
    pub lease: u32,
    /// When the writer says that it changed last, since 1970; the server says "now" where it is missing.
    pub dirty: Option<Duration>,
}

impl Registration {
    /// An instance that is up.
    pub fn new(app: &str, host: &str, port: u16) -> Self {
        Self {
            app: app.to_owned(),
            id: format!("{app}:{host}:{port}"),
            host: host.to_owned(),
            port: Some(port),
            secure_port: None,
            status: "UP".to_owned(),
            metadata: BTreeMap::new(),
            lease: 86_400,
            dirty: None,
        }
    }

    /// The body of `POST /apps/{app}`.
    pub(super) fn body(&self) -> Value {
        let port =
            |port: Option<u16>| json!({ "$": port.unwrap_or(0), "@enabled": port.is_some().to_string() });
        json!({ "instance": {
            "instanceId": self.id,
            "hostName": self.host,
            "app": self.app,
            "ipAddr": self.host,
            "status": self.status,
            "overriddenstatus": "UNKNOWN",
            "port": port(self.port),
            "securePort": port(self.secure_port),
            "vipAddress": self.app,
            "dataCenterInfo": {
                "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo",
                "name": "MyOwn",
            },
            "leaseInfo": { "durationInSecs": self.lease },
            "metadata": self.metadata,
            "lastDirtyTimestamp": self.dirty.map(|dirty| dirty.as_millis().to_string()),
        }})
    }
}
