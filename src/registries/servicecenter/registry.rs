//! Requests that change what is registered.
//!
//! The server reads the instance that they are about before it writes it, so all ask for the store (`noCache`): its cache may be some
//! milliseconds behind, or have been emptied of properties, and would be written back.

use bytes::Bytes;
use reqwest::Method;
use serde_json::{Value, json};

use super::answer::{DataCenterInfo, Described, parse_created};
use super::http::{Http, Place, Request, encoded};
use super::steps::Registered;
use super::{ServiceCenterError, ServiceCenterSettings};
use crate::model::{Metadata, ServiceKey};

/// How long an instance lives without heartbeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    /// Seconds between two heartbeats.
    pub(super) interval: u64,
    /// So many may be missed.
    pub(super) times: u32,
}

impl From<&ServiceCenterSettings> for Lease {
    fn from(settings: &ServiceCenterSettings) -> Self {
        Self { interval: settings.heartbeat_interval.as_secs().max(1), times: settings.missed_heartbeats }
    }
}

impl Http {
    /// Registers one version of a service, unless it is there; its id.
    ///
    /// # Errors
    /// Whatever isn't a success.
    pub(super) async fn create(&self, key: &ServiceKey, version: &str) -> Result<String, ServiceCenterError> {
        let what = "the registration of the service";
        let service = json!({ "environment": self.environment, "appId": key.namespace,
            "serviceName": key.service, "version": version });
        let body = self.change(what, Method::POST, "microservices", &[], json!({ "service": service }));
        parse_created(&body.await?).map_err(|reason| self.unreadable(what, reason))
    }

    /// Registers an instance of the service with this id. One with the same id is only kept alive by it.
    ///
    /// # Errors
    /// Whatever isn't a success.
    pub(super) async fn register(
        &self,
        service_id: &str,
        instance: &Described,
        lease: Lease,
    ) -> Result<(), ServiceCenterError> {
        let path = format!("microservices/{}/instances", encoded(service_id));
        let body = json!({ "instance": described(instance, lease) });
        let what = "the registration of an instance";
        self.change(what, Method::POST, &path, Place::Store.query(), body).await.map(drop)
    }

    /// Gives an instance these properties and no others.
    ///
    /// # Errors
    /// Whatever isn't a success.
    pub(super) async fn set_properties(
        &self,
        of: &Registered,
        properties: &Metadata,
    ) -> Result<(), ServiceCenterError> {
        let (path, body) = (path(of, "/properties"), json!({ "properties": properties }));
        let what = "the change of an instance's properties";
        self.change(what, Method::PUT, &path, Place::Store.query(), body).await.map(drop)
    }

    /// Gives an instance this status.
    ///
    /// # Errors
    /// Whatever isn't a success.
    pub(super) async fn set_status(&self, of: &Registered, status: &str) -> Result<(), ServiceCenterError> {
        let query: Vec<_> = [("value", status)].iter().chain(Place::Store.query()).copied().collect();
        let what = "the change of an instance's status";
        self.change(what, Method::PUT, &path(of, "/status"), &query, Value::Null).await.map(drop)
    }

    /// Removes an instance; one that isn't there is fine.
    ///
    /// # Errors
    /// Whatever isn't a success.
    pub(super) async fn deregister(&self, of: &Registered) -> Result<(), ServiceCenterError> {
        let what = "the removal of an instance";
        match self.change(what, Method::DELETE, &path(of, ""), Place::Store.query(), Value::Null).await {
            Err(error) if error.is_gone() => Ok(()),
            removed => removed.map(drop),
        }
    }

    /// Says that an instance is alive; whether it is registered.
    ///
    /// # Errors
    /// Whatever is neither.
    pub(super) async fn heartbeat(&self, of: &Registered) -> Result<bool, ServiceCenterError> {
        let (what, path) = ("a heartbeat", path(of, "/heartbeat"));
        match self.change(what, Method::PUT, &path, Place::Store.query(), Value::Null).await {
            Err(error) if error.is_gone() => Ok(false),
            beaten => beaten.map(|_| true),
        }
    }

    /// Says that all these are alive; whether they are registered, all of them. Those that are live on in any case.
    ///
    /// # Errors
    /// Whatever is neither.
    pub(super) async fn heartbeats(&self, of: &[Registered]) -> Result<bool, ServiceCenterError> {
        let one = |it: &Registered| json!({ "serviceId": it.service_id, "instanceId": it.instance_id });
        let body = json!({ "Instances": of.iter().map(one).collect::<Vec<_>>() });
        match self.change("heartbeats", Method::PUT, "heartbeats", Place::Store.query(), body).await {
            Err(error) if error.is_gone() => Ok(false),
            beaten => beaten.map(|_| true),
        }
    }

    async fn change(
        &self,
        what: &'static str,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Value,
    ) -> Result<Bytes, ServiceCenterError> {
        let path = format!("{}/{path}", self.path);
        let body = (!body.is_null()).then_some(body);
        self.send(&Request { what, method, path: &path, query, body }).await
    }
}

fn path(of: &Registered, what: &str) -> String {
    format!("microservices/{}/instances/{}{what}", encoded(&of.service_id), encoded(&of.instance_id))
}

fn described(instance: &Described, Lease { interval, times }: Lease) -> Value {
    let mut body = json!({
        "instanceId": instance.instance_id,
        "hostName": instance.host_name,
        "endpoints": instance.endpoints,
        "status": instance.status,
        "properties": instance.properties,
        "healthCheck": { "mode": "push", "interval": interval, "times": times },
    });
    if instance.data_center_info != DataCenterInfo::default() {
        body["dataCenterInfo"] = json!(instance.data_center_info);
    }
    body
}
