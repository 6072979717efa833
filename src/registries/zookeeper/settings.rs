//! How a ZooKeeper is reached and read, from the configuration.

use std::time::Duration;

use super::ZookeeperError;
use super::ensemble::Ensemble;
use crate::config::{Registry, Secret, ZookeeperLayout};
use crate::registries::namespace::only_namespace;

/// Copies outlive a connection by this where nothing is configured: long enough for a restart, and granted by every default server.
const SESSION_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a ZooKeeper is, who we are there, and how its nodes are read.
#[derive(Clone, Debug, Default)]
pub struct ZookeeperSettings {
    /// Servers of one ensemble: `host[:port]` with an optional chroot behind it. Port 2181 by default.
    pub addresses: Vec<String>,
    /// The user of the `digest` scheme.
    pub user: Option<String>,
    /// That user's password.
    pub password: Option<Secret>,
    /// How services are laid out.
    pub layout: ZookeeperLayout,
    /// The node under which they stand; none means the layout's own.
    pub root: Option<String>,
    /// The one namespace that all services are in; empty means `default`.
    pub namespaces: Vec<String>,
    /// Encryption was asked for.
    pub tls: bool,
    /// Copies that are written here outlive the session that wrote them: they stay until they are removed.
    pub persistent: bool,
    /// How long copies that aren't persistent outlive a connection; none means 30 s. Servers allow from 2 to 20 of their ticks, which
    /// are 4 to 40 s by default.
    pub session_timeout: Option<Duration>,
}

impl From<&Registry> for ZookeeperSettings {
    fn from(registry: &Registry) -> Self {
        let registry = registry.clone();
        Self {
            addresses: registry.addresses,
            user: registry.user,
            password: registry.password,
            layout: registry.layout,
            root: registry.root,
            namespaces: registry.namespaces,
            tls: registry.tls.is_some(),
            persistent: registry.persistent,
            session_timeout: registry.session_timeout,
        }
    }
}

/// Settings that can be used.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    pub(super) ensemble: Ensemble,
    /// `user:password`, as the digest scheme sends it.
    pub(super) digest: Option<Secret>,
    pub(super) layout: ZookeeperLayout,
    pub(super) root: Option<String>,
    pub(super) namespace: String,
    pub(super) persistent: bool,
    pub(super) session_timeout: Duration,
}

impl ZookeeperSettings {
    pub(super) fn check(&self) -> Result<Checked, ZookeeperError> {
        let wrong = |why: &str| Err(ZookeeperError::Settings(why.to_owned()));
        if self.tls {
            return wrong("a ZooKeeper can't be reached over TLS yet; leave `tls` out");
        }
        let digest = match (&self.user, &self.password) {
            (Some(user), Some(password)) => Some(Secret::new(format!("{user}:{}", password.expose()))),
            (None, None) => None,
            _ => return wrong("a ZooKeeper with one of `user` and `password` needs both"),
        };
        let namespace = only_namespace("ZooKeeper", &self.namespaces).map_err(ZookeeperError::Settings)?;
        let ensemble = Ensemble::parse(&self.addresses)?;
        Ok(Checked {
            ensemble,
            digest,
            layout: self.layout,
            root: self.root.clone(),
            namespace,
            persistent: self.persistent,
            session_timeout: self.session_timeout.unwrap_or(SESSION_TIMEOUT),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RegistryKind;

    #[test]
    fn copies_live_as_configured() {
        let bare = Registry {
            addresses: vec!["h".to_owned()],
            ..Registry::bare("z".to_owned(), RegistryKind::Zookeeper)
        };
        let of = |registry: &Registry| {
            let checked = ZookeeperSettings::from(registry).check().unwrap();
            (checked.persistent, checked.session_timeout)
        };
        assert_eq!(of(&bare), (false, SESSION_TIMEOUT));
        let session_timeout = Some(Duration::from_secs(12));
        let configured = Registry { persistent: true, session_timeout, ..bare };
        assert_eq!(of(&configured), (true, Duration::from_secs(12)));
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        let good = ZookeeperSettings { addresses: vec!["h".to_owned()], ..ZookeeperSettings::default() };
        assert_eq!(good.check().unwrap().namespace, "default");
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(
            ZookeeperSettings { namespaces: names(&["prod"]), ..good.clone() }.check().unwrap().namespace,
            "prod"
        );
        let bad = [
            (ZookeeperSettings { user: Some("u".into()), ..good.clone() }, "needs both"),
            (ZookeeperSettings { namespaces: names(&["a", "b"]), ..good.clone() }, "one name"),
            (ZookeeperSettings { tls: true, ..good.clone() }, "TLS"),
            (ZookeeperSettings { addresses: Vec::new(), ..good }, "at least one address"),
        ];
        for (settings, told) in bad {
            let error = settings.check().unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
