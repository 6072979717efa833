//! Nacos' HTTP API for those who register: put, beat, deregister, and what they need to know before.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::NacosError;
use super::api::{Api, Generation, checked, is_unknown, named, opened, parse};
use super::http::Call;
use super::info::Host;
use super::names::{Namespace, ServiceName};

/// v3's code for an instance that it doesn't know.
const NO_INSTANCE: i64 = 21_003;
/// v3's code for a service that it doesn't know.
const NO_SERVICE: i64 = 21_008;
/// What a beat of a known instance answers in v1.
const BEAT_TAKEN: i64 = 10_200;
/// v3's code for a namespace that there is already.
const NAMESPACE_EXISTS: i64 = 22_002;
const V1_INSTANCE: &str = "/v1/ns/instance";
const V3_INSTANCE: &str = "/v3/client/ns/instance";

/// What the answers to writes have in common.
#[derive(Deserialize)]
struct Coded {
    code: i64,
}

impl Api {
    /// The clusters that a service has instances in, those that are switched off too.
    pub(super) async fn clusters(
        &self,
        namespace: &Namespace,
        service: &ServiceName,
    ) -> Result<BTreeSet<String>, NacosError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Detail {
            #[serde(default)]
            cluster_map: BTreeMap<String, IgnoredAny>,
        }
        #[derive(Deserialize)]
        struct Catalog {
            #[serde(default)]
            clusters: Vec<Cluster>,
        }
        #[derive(Deserialize)]
        struct Cluster {
            name: String,
        }
        let what = format!("the clusters of {service}");
        if self.generation().await? == Generation::V1 {
            let call = named(Call::get("/v1/ns/catalog/service"), namespace, service);
            let reply = self.answered(call, "").await?;
            if is_unknown(&reply) {
                return Ok(BTreeSet::new());
            }
            let catalog: Catalog = parse(&checked(reply, &what)?, &what)?;
            return Ok(catalog.clusters.into_iter().map(|cluster| cluster.name).collect());
        }
        let call = named(Call::get("/v3/admin/ns/service"), namespace, &service.name);
        let reply = self.answered(call.query("groupName", &service.group), "").await?;
        if serde_json::from_slice::<Coded>(&reply.body).is_ok_and(|told| told.code == NO_SERVICE) {
            return Ok(BTreeSet::new());
        }
        let detail: Detail = opened(&checked(reply, &what)?, &what)?;
        Ok(detail.cluster_map.into_keys().collect())
    }

    /// Registers an instance, or replaces all of it.
    pub(super) async fn register(
        &self,
        namespace: &Namespace,
        service: &ServiceName,
        host: &Host,
    ) -> Result<(), NacosError> {
        let mut call = self.about(Method::POST, namespace, service, host).await?;
        call.form = vec![
            ("clusterName", host.cluster_name.clone().unwrap_or_default()),
            ("weight", host.weight.to_string()),
            ("healthy", host.healthy.to_string()),
            ("enabled", host.enabled.to_string()),
            ("ephemeral", host.ephemeral.to_string()),
            ("metadata", serde_json::json!(host.metadata).to_string()),
        ];
        let what = format!("the registration of {}:{} in {service}", host.ip, host.port);
        checked(self.answered(call, &service.to_string()).await?, &what)?;
        Ok(())
    }

    /// Deregisters what is registered over HTTP at this address. What belongs to a gRPC connection stays.
    pub(super) async fn deregister(
        &self,
        namespace: &Namespace,
        service: &ServiceName,
        host: &Host,
    ) -> Result<(), NacosError> {
        let call = self.about(Method::DELETE, namespace, service, host).await?;
        let what = format!("the deregistration of {}:{} in {service}", host.ip, host.port);
        checked(self.answered(call, &service.to_string()).await?, &what)?;
        Ok(())
    }

    /// A light beat, which brings nothing back: whether the server knows the instance.
    pub(super) async fn beat(
        &self,
        namespace: &Namespace,
        service: &ServiceName,
        host: &Host,
    ) -> Result<bool, NacosError> {
        let what = format!("the beat of {}:{} in {service}", host.ip, host.port);
        let (method, known) = match self.generation().await? {
            Generation::V3 => (Method::POST, 0),
            Generation::V1 => (Method::PUT, BEAT_TAKEN),
        };
        let mut call = self.about(method, namespace, service, host).await?;
        match self.generation().await? {
            Generation::V3 => call.query.push(("heartBeat", "true".to_owned())),
            Generation::V1 => call.path = "/v1/ns/instance/beat",
        }
        let reply = self.answered(call, &service.to_string()).await?;
        let told: Coded = parse(&checked(reply.clone(), &what)?, &what)?;
        match told.code {
            code if code == known => Ok(true),
            NO_INSTANCE | 20_404 => Ok(false),
            code => {
                let (server, message) = (reply.server.clone(), reply.words());
                Err(NacosError::Refused { server, what, code, message })
            }
        }
    }

    /// Creates a namespace whose name is its id. One that somebody else has created meanwhile is fine.
    pub(super) async fn create_namespace(&self, id: &str) -> Result<(), NacosError> {
        let (path, id_is) = match self.generation().await? {
            Generation::V3 => ("/v3/admin/core/namespace", "namespaceId"),
            Generation::V1 => ("/v1/console/namespaces", "customNamespaceId"),
        };
        let form = [(id_is, id), ("namespaceName", id), ("namespaceDesc", "created by Causeway")];
        let form = form.map(|(name, value)| (name, value.to_owned())).to_vec();
        let reply = self.answered(Call::post(path, form), "").await?;
        if serde_json::from_slice::<Coded>(&reply.body).is_ok_and(|told| told.code == NAMESPACE_EXISTS) {
            return Ok(());
        }
        checked(reply, &format!("the creation of the namespace {id}"))?;
        Ok(())
    }

    /// A request about the instance at one address. Over HTTP the address is all that tells instances of a service apart.
    async fn about(
        &self,
        method: Method,
        namespace: &Namespace,
        service: &ServiceName,
        host: &Host,
    ) -> Result<Call, NacosError> {
        let (path, name) = match self.generation().await? {
            Generation::V3 => (V3_INSTANCE, service.name.clone()),
            Generation::V1 => (V1_INSTANCE, service.to_string()),
        };
        let call = named(Call { method, ..Call::get(path) }, namespace, name);
        Ok(call.query("groupName", &service.group).query("ip", &host.ip).query("port", host.port))
    }
}
