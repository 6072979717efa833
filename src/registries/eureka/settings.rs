//! How a Eureka is reached, from the configuration.

use std::time::Duration;

use super::EurekaError;
use crate::config::{Lease, Registry, Secret, Tls};
use crate::registries::namespace::only_namespace;
use crate::registries::server::{Addressing, Server};

/// Spring Cloud serves the API below `/eureka`, Netflix' own server below `/eureka/v2`.
const ADDRESSING: Addressing =
    Addressing { registry: "Eureka", port: 8761, path: "/eureka", credentials: "`user` and `password`" };

/// Time between two readings where nothing is configured.
pub(crate) const DEFAULT_POLL_INTERVAL: Duration = Duration::from_secs(5);

/// Where a Eureka is, who we are there, and how it is read.
#[derive(Clone, Debug)]
pub struct EurekaSettings {
    /// Peers in the order in which they are preferred (those of the own zone first), or a load balancer in front: `host[:port]`,
    /// `http://…` or `https://…`, with an optional context path. Port 8761 and path `/eureka` by default.
    pub addresses: Vec<String>,
    /// User for basic authentication.
    pub user: Option<String>,
    /// That user's password.
    pub password: Option<Secret>,
    /// What stands for the namespace in services' keys. At most one; none means `default`.
    pub namespaces: Vec<String>,
    /// How certificates are judged. Addresses without a scheme are encrypted when it is there.
    pub tls: Option<Tls>,
    /// Services are named in the server's capitals; otherwise in small letters, as MSE Sync names them.
    pub keep_case: bool,
    /// Time between two readings.
    pub poll_interval: Duration,
    /// Time between two renewals of a copy that we write. Servers reckon with 30 s when they judge how many are missing.
    pub renew_every: Duration,
    /// After so long without a renewal a server may take such a copy for dead.
    pub lease: Duration,
}

impl Default for EurekaSettings {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            user: None,
            password: None,
            namespaces: Vec::new(),
            tls: None,
            keep_case: false,
            poll_interval: DEFAULT_POLL_INTERVAL,
            renew_every: Lease::EUREKA.renew_every,
            lease: Lease::EUREKA.expires_after,
        }
    }
}

impl From<&Registry> for EurekaSettings {
    fn from(registry: &Registry) -> Self {
        let registry = registry.clone();
        let lease = registry.lease.unwrap_or(Lease::EUREKA);
        Self {
            addresses: registry.addresses,
            user: registry.user,
            password: registry.password,
            namespaces: registry.namespaces,
            tls: registry.tls,
            keep_case: registry.keep_case,
            poll_interval: registry.poll_interval.unwrap_or(DEFAULT_POLL_INTERVAL),
            renew_every: lease.renew_every,
            lease: lease.expires_after,
        }
    }
}

impl EurekaSettings {
    pub(super) fn servers(&self) -> Result<Vec<Server>, EurekaError> {
        ADDRESSING.servers(&self.addresses, self.tls.is_some()).map_err(EurekaError::Settings)
    }

    pub(super) fn namespace(&self) -> Result<String, EurekaError> {
        only_namespace("Eureka", &self.namespaces).map_err(EurekaError::Settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RegistryKind;

    #[test]
    fn leases_are_as_configured() {
        let [renew_every, expires_after] = [10, 40].map(Duration::from_secs);
        let bare = Registry::bare("e".to_owned(), RegistryKind::Eureka);
        let lease_of = |registry: &Registry| {
            let settings = EurekaSettings::from(registry);
            (settings.renew_every, settings.lease)
        };
        assert_eq!(lease_of(&bare), (EurekaSettings::default().renew_every, EurekaSettings::default().lease));
        let configured = Registry { lease: Some(Lease { renew_every, expires_after }), ..bare };
        assert_eq!(lease_of(&configured), (renew_every, expires_after));
    }
}
