//! How a Nacos is reached, from the configuration.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::NacosError;
use super::address::Server;
use super::api::Api;
use super::auth::{Auth, Credentials};
use super::form::Lease;
use super::http::Http;
use super::names::Namespace;
use super::sign::AccessKey;
use crate::config::{Registry, Secret, Tls};
use crate::registries::tls::Trust;

/// Full listings of single services under way at once.
const LISTING_SLOTS: usize = 16;

/// Where a Nacos is and who we are there.
#[derive(Clone, Debug, Default)]
pub struct NacosSettings {
    /// Servers of one cluster, or a load balancer in front: `host[:port]`, `http://…` or `https://…`, with an optional context
    /// path (default `/nacos`) and `?grpc_port=…&grpc_tls=true|false`. Port 8848 by default, gRPC at the port plus 1000.
    pub addresses: Vec<String>,
    /// User to log in as.
    pub user: Option<String>,
    /// That user's password.
    pub password: Option<Secret>,
    /// A fixed access token, in place of a user.
    pub token: Option<Secret>,
    /// The id of an access key (Aliyun MSE), in place of a user.
    pub access_key: Option<Secret>,
    /// The secret half of that key.
    pub secret_key: Option<Secret>,
    /// The region, for V4 signatures of the access key.
    pub region: Option<String>,
    /// The namespaces that may be read; empty means those that the tasks name, or all that the server lists.
    pub namespaces: Vec<String>,
    /// How certificates are judged. Addresses without a scheme are encrypted when it is there; with `http://` gRPC is.
    pub tls: Option<Tls>,
    /// How copies that are written to it live.
    pub lease: Lease,
}

impl From<&Registry> for NacosSettings {
    fn from(registry: &Registry) -> Self {
        let registry = registry.clone();
        Self {
            addresses: registry.addresses,
            user: registry.user,
            password: registry.password,
            token: registry.token,
            access_key: registry.access_key,
            secret_key: registry.secret_key,
            region: registry.region,
            namespaces: registry.namespaces,
            tls: registry.tls,
            lease: registry.lease.map_or_else(Lease::default, Lease::from),
        }
    }
}

impl NacosSettings {
    pub(super) fn servers(&self) -> Result<Vec<Server>, NacosError> {
        if self.addresses.is_empty() {
            return Err(NacosError::Settings("a Nacos registry needs at least one address".to_owned()));
        }
        self.addresses.iter().map(|address| Server::parse(address, self.tls.is_some())).collect()
    }

    pub(super) fn namespaces(&self) -> Vec<Namespace> {
        self.namespaces.iter().map(|written| Namespace::new(written)).collect()
    }

    pub(super) fn credentials(&self) -> Result<Credentials, NacosError> {
        let missing = |what: &str| Err(NacosError::Settings(format!("a Nacos registry with {what}")));
        if let Some(token) = &self.token {
            return Ok(Credentials::Token(token.clone()));
        }
        match (&self.access_key, &self.secret_key) {
            (Some(id), Some(secret)) => {
                let key = AccessKey { id: id.clone(), secret: secret.clone(), region: self.region.clone() };
                return Ok(Credentials::Key(key));
            }
            (None, None) => {}
            _ => return missing("one of `access_key` and `secret_key` needs both"),
        }
        match (&self.user, &self.password) {
            (Some(name), Some(password)) => {
                Ok(Credentials::User { name: name.clone(), password: password.clone() })
            }
            (None, None) => Ok(Credentials::Nobody),
            _ => missing("one of `user` and `password` needs both"),
        }
    }
}

/// What all parts of one watch share. It goes with the watch, and its HTTP connections with it.
pub(super) struct Shared {
    pub(super) servers: Vec<Server>,
    pub(super) trust: Trust,
    pub(super) api: Api,
    pub(super) listing_slots: Semaphore,
}

impl Shared {
    pub(super) fn new(
        settings: &NacosSettings,
        servers: Vec<Server>,
        trust: Trust,
    ) -> Result<Arc<Self>, NacosError> {
        let http = Http::new(servers.clone(), &trust)?;
        let api = Api::new(http, Auth::new(settings.credentials()?));
        Ok(Arc::new(Self { servers, trust, api, listing_slots: Semaphore::new(LISTING_SLOTS) }))
    }

    /// The server that another one names: as configured when it is, otherwise like the one that named it.
    pub(super) fn server(&self, named_by: &Server, host: &str, port: u16) -> Option<Server> {
        let server = named_by.redirected(host, port)?;
        Some(self.servers.iter().find(|known| known.label == server.label).cloned().unwrap_or(server))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_pair_of_credentials_is_a_mistake() {
        let half = [
            NacosSettings { user: Some("u".into()), ..NacosSettings::default() },
            NacosSettings { secret_key: Some(Secret::new("s")), ..NacosSettings::default() },
        ];
        for settings in half {
            let told = settings.credentials().map(|_| ()).unwrap_err().to_string();
            assert!(told.contains("needs both"), "{told}");
        }
        assert!(NacosSettings::default().servers().is_err());
    }
}
