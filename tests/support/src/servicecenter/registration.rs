//! Services and instances as they are registered.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// One version of a service. What it is registered with first stays; only properties can be changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// The application.
    pub app: String,
    /// The name.
    pub name: String,
    /// `x`, `x.y` or `x.y.z`.
    pub version: String,
    /// Empty, `development`, `testing`, `acceptance` or `production`.
    pub environment: String,
    /// Properties.
    pub properties: BTreeMap<String, String>,
}

impl Service {
    /// Version 0.0.1, as the server numbers what names none, in no environment.
    pub fn new(app: &str, name: &str) -> Self {
        let [app, name, version] = [app, name, "0.0.1"].map(str::to_owned);
        Self { app, name, version, environment: String::new(), properties: BTreeMap::new() }
    }

    pub(super) fn body(&self) -> Value {
        json!({ "service": { "appId": self.app, "serviceName": self.name, "version": self.version,
            "environment": self.environment, "properties": self.properties } })
    }
}

/// One instance. Registered again under the same id it stays as it is: only status and properties can be changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// What it is an instance of.
    pub service: Service,
    /// Unique within the service.
    pub id: String,
    /// As in `rest://10.0.0.1:80?sslEnabled=false`.
    pub endpoints: Vec<String>,
    /// `UP`, `DOWN`, `STARTING`, `TESTING` or `OUTOFSERVICE`.
    pub status: String,
    /// Properties.
    pub properties: BTreeMap<String, String>,
}

impl Registration {
    /// One that is up and speaks plain HTTP at `address` (`host:port`).
    pub fn new(service: Service, address: &str) -> Self {
        Self {
            id: address.replace(|c: char| !c.is_ascii_alphanumeric(), "-"),
            endpoints: vec![format!("rest://{address}?sslEnabled=false")],
            status: "UP".to_owned(),
            properties: BTreeMap::new(),
            service,
        }
    }

    /// It lives for 40 minutes without a heartbeat, longer than any test.
    pub(super) fn body(&self) -> Value {
        json!({ "instance": { "instanceId": self.id, "hostName": "causeway-tests", "endpoints": self.endpoints,
            "status": self.status, "properties": self.properties,
            "healthCheck": { "mode": "push", "interval": 600, "times": 3 } } })
    }
}
