//! How a Consul is reached, from the configuration.

use super::ConsulError;
use super::places::MOST_PLACES;
use crate::config::{Registry, Secret, Tls};
use crate::registries::namespace::only_namespace;
use crate::registries::server::{Addressing, Server};

/// Consul has no port of its own for TLS.
const ADDRESSING: Addressing =
    Addressing { registry: "Consul", port: 8500, path: "", credentials: "`token`" };

/// Where a Consul is, who we are there, and what is read of it.
#[derive(Clone, Debug)]
pub struct ConsulSettings {
    /// Servers or agents of one cluster, or a load balancer in front: `host[:port]`, `http://…` or `https://…`. Port 8500 by default.
    pub addresses: Vec<String>,
    /// An ACL token.
    pub token: Option<Secret>,
    /// The datacenter to read; none means that of the servers.
    pub datacenter: Option<String>,
    /// An expression in Consul's own language, over `/v1/health/service/…`, that instances must fit.
    pub filter: Option<String>,
    /// What stands for the namespace in services' keys. At most one; none means `default`.
    pub namespaces: Vec<String>,
    /// How certificates are judged. Addresses without a scheme are encrypted when it is there.
    pub tls: Option<Tls>,
    /// How many services may be watched by a waiting query of their own, each on a connection. Servers allow one client 200
    /// connections by default, so there are fewer than that.
    pub places: usize,
}

impl Default for ConsulSettings {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            token: None,
            datacenter: None,
            filter: None,
            namespaces: Vec::new(),
            tls: None,
            places: MOST_PLACES,
        }
    }
}

impl From<&Registry> for ConsulSettings {
    fn from(registry: &Registry) -> Self {
        let registry = registry.clone();
        Self {
            addresses: registry.addresses,
            token: registry.token,
            datacenter: registry.datacenter,
            filter: registry.filter,
            namespaces: registry.namespaces,
            tls: registry.tls,
            ..Self::default()
        }
    }
}

impl ConsulSettings {
    pub(super) fn servers(&self) -> Result<Vec<Server>, ConsulError> {
        ADDRESSING.servers(&self.addresses, self.tls.is_some()).map_err(ConsulError::Settings)
    }

    pub(super) fn namespace(&self) -> Result<String, ConsulError> {
        only_namespace("Consul", &self.namespaces).map_err(ConsulError::Settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_namespace_is_a_label() {
        let labelled = |names: &[&str]| {
            let namespaces = names.iter().map(|name| (*name).to_owned()).collect();
            ConsulSettings { namespaces, ..ConsulSettings::default() }.namespace()
        };
        assert_eq!(labelled(&[]).unwrap(), "default");
        assert_eq!(labelled(&["prod"]).unwrap(), "prod");
        assert!(labelled(&["a", "b"]).unwrap_err().to_string().contains("may hold one name"));
        assert!(ConsulSettings::default().servers().is_err());
    }
}
