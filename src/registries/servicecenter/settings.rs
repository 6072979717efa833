//! How a service-center is reached, from the configuration.

use std::time::Duration;

use super::ServiceCenterError;
use crate::config::{Lease, Registry, Secret, Tls};
use crate::registries::server::{Addressing, Server};

/// Domain and project where none is configured: the server's own defaults.
const DEFAULT: &str = "default";

const ADDRESSING: Addressing =
    Addressing { registry: "service-center", port: 30_100, path: "", credentials: "`user` and `password`" };

/// Time between two readings where nothing is configured.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// A server of 1.4.8 doesn't ask whether the account of a token still exists, so a new token is fetched well before the half hour
/// that it is good for: a user who was removed is noticed.
const TOKEN_LIFE: Duration = Duration::from_secs(300);

/// Where a service-center is, who we are there, and what is read of it.
#[derive(Clone, Debug)]
pub struct ServiceCenterSettings {
    /// Servers of one cluster, or a load balancer in front: `host[:port]`, `http://…` or `https://…`. Port 30100 by default.
    pub addresses: Vec<String>,
    /// The account to log in as, where the server asks for one.
    pub user: Option<String>,
    /// That account's password.
    pub password: Option<Secret>,
    /// The domain (tenant) to read.
    pub domain: String,
    /// The domain's project to read.
    pub project: String,
    /// The environment to read: services of others can't call or be called by its services. Empty is one of its own.
    pub environment: String,
    /// Applications to read, which are namespaces here. None means all.
    pub namespaces: Vec<String>,
    /// How certificates are judged. Addresses without a scheme are encrypted when it is there.
    pub tls: Option<Tls>,
    /// Time between two readings.
    pub poll_interval: Duration,
    /// How long a token is used.
    pub token_life: Duration,
    /// Time between two heartbeats of a copy that is written here, in whole seconds.
    pub heartbeat_interval: Duration,
    /// A copy may miss so many heartbeats. With the next one that is missed its lease ends.
    pub missed_heartbeats: u32,
}

impl Default for ServiceCenterSettings {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            user: None,
            password: None,
            domain: DEFAULT.to_owned(),
            project: DEFAULT.to_owned(),
            environment: String::new(),
            namespaces: Vec::new(),
            tls: None,
            poll_interval: POLL_INTERVAL,
            token_life: TOKEN_LIFE,
            heartbeat_interval: Lease::SERVICE_CENTER.renew_every,
            missed_heartbeats: missed(Lease::SERVICE_CENTER),
        }
    }
}

impl From<&Registry> for ServiceCenterSettings {
    fn from(registry: &Registry) -> Self {
        let (registry, standard) = (registry.clone(), Self::default());
        let lease = registry.lease.unwrap_or(Lease::SERVICE_CENTER);
        Self {
            addresses: registry.addresses,
            user: registry.user,
            password: registry.password,
            domain: registry.domain.unwrap_or(standard.domain),
            project: registry.project.unwrap_or(standard.project),
            environment: registry.environment.unwrap_or(standard.environment),
            namespaces: registry.namespaces,
            tls: registry.tls,
            poll_interval: registry.poll_interval.unwrap_or(standard.poll_interval),
            token_life: standard.token_life,
            heartbeat_interval: lease.renew_every,
            missed_heartbeats: missed(lease),
        }
    }
}

/// The server ends a lease with the heartbeat after the last that may be missed; what is no whole number of heartbeats is made longer.
fn missed(lease: Lease) -> u32 {
    let heartbeats = lease.expires_after.as_secs().div_ceil(lease.renew_every.as_secs().max(1));
    u32::try_from(heartbeats).unwrap_or(u32::MAX).saturating_sub(1).max(1)
}

impl ServiceCenterSettings {
    pub(super) fn servers(&self) -> Result<Vec<Server>, ServiceCenterError> {
        ADDRESSING.servers(&self.addresses, self.tls.is_some()).map_err(ServiceCenterError::Settings)
    }

    /// User and password, where there are any.
    pub(super) fn account(&self) -> Result<Option<(String, Secret)>, ServiceCenterError> {
        match (&self.user, &self.password) {
            (Some(user), Some(password)) => Ok(Some((user.clone(), password.clone()))),
            (None, None) => Ok(None),
            _ => Err(wrong("a service-center registry needs both `user` and `password`, or neither")),
        }
    }
}

fn wrong(why: &str) -> ServiceCenterError {
    ServiceCenterError::Settings(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RegistryKind;

    #[test]
    fn a_configured_lease_is_a_whole_number_of_heartbeats() {
        let of = |renew_every, expires_after| {
            let [renew_every, expires_after] = [renew_every, expires_after].map(Duration::from_secs);
            let bare = Registry::bare("s".to_owned(), RegistryKind::ServiceCenter);
            let registry = Registry { lease: Some(Lease { renew_every, expires_after }), ..bare };
            let settings = ServiceCenterSettings::from(&registry);
            (settings.heartbeat_interval.as_secs(), settings.missed_heartbeats)
        };
        let standard = ServiceCenterSettings::default();
        assert_eq!(of(30, 120), (standard.heartbeat_interval.as_secs(), standard.missed_heartbeats));
        assert_eq!((of(30, 120), of(10, 20), of(10, 41)), ((30, 3), (10, 1), (10, 4)));
    }

    #[test]
    fn an_account_is_whole_or_none() {
        let account = |user: Option<&str>, password: Option<&str>| {
            let (user, password) = (user.map(str::to_owned), password.map(Secret::new));
            ServiceCenterSettings { user, password, ..ServiceCenterSettings::default() }.account()
        };
        assert_eq!(account(None, None).unwrap(), None);
        assert_eq!(account(Some("u"), Some("p")).unwrap(), Some(("u".to_owned(), Secret::new("p"))));
        for half in [account(Some("u"), None), account(None, Some("p"))] {
            assert!(half.unwrap_err().to_string().contains("both `user` and `password`"));
        }
        assert!(ServiceCenterSettings::default().servers().is_err());
    }
}
