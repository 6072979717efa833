//! How a Polaris is reached and what of it is read, from the configuration.

use std::collections::BTreeSet;

use crate::config::{Registry, RegistryKind, Secret, Tls};
use crate::registries::Interest;

/// Where a Polaris is and who we are there.
#[derive(Clone, Debug, Default)]
pub struct PolarisSettings {
    /// Servers of one cluster, or a load balancer in front: `host[:port]`, `http://…` or `https://…`. Port 8090 by default.
    pub addresses: Vec<String>,
    /// Sent as `X-Polaris-Token`.
    pub token: Option<Secret>,
    /// The namespaces that may be read; empty means those that the tasks name, or all that have services.
    pub namespaces: Vec<String>,
    /// How certificates are judged. Addresses without a scheme are encrypted when it is there.
    pub tls: Option<Tls>,
}

impl From<&Registry> for PolarisSettings {
    fn from(registry: &Registry) -> Self {
        let namespaces = registry.namespaces.iter().map(|written| RegistryKind::Polaris.namespace(written));
        Self {
            addresses: registry.addresses.clone(),
            token: registry.token.clone(),
            namespaces: namespaces.map(str::to_owned).collect(),
            tls: registry.tls.clone(),
        }
    }
}

/// The lists of names that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scopes {
    /// One for each of these namespaces.
    Only(BTreeSet<String>),
    /// One of all namespaces.
    Every,
}

impl Scopes {
    /// What has to be listed for this interest, within what may be read.
    pub(super) fn new(allowed: &[String], interest: &dyn Interest) -> Self {
        let allowed: BTreeSet<String> = allowed.iter().cloned().collect();
        match interest.namespaces() {
            Some(wanted) if allowed.is_empty() => Self::Only(wanted),
            Some(wanted) => Self::Only(wanted.intersection(&allowed).cloned().collect()),
            None if allowed.is_empty() => Self::Every,
            None => Self::Only(allowed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ServiceKey;

    struct Wants(Option<BTreeSet<String>>);

    impl Interest for Wants {
        fn namespaces(&self) -> Option<BTreeSet<String>> {
            self.0.clone()
        }

        fn wants(&self, _: &ServiceKey) -> bool {
            true
        }
    }

    #[test]
    fn only_what_is_wanted_and_allowed_is_listed() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let allowed = ["a".to_owned(), "b".to_owned()];
        assert_eq!(Scopes::new(&[], &Wants(None)), Scopes::Every);
        assert_eq!(Scopes::new(&allowed, &Wants(None)), Scopes::Only(set(&["a", "b"])));
        assert_eq!(Scopes::new(&[], &Wants(Some(set(&["c"])))), Scopes::Only(set(&["c"])));
        assert_eq!(Scopes::new(&allowed, &Wants(Some(set(&["b", "c"])))), Scopes::Only(set(&["b"])));
    }

    #[test]
    fn a_configured_registry_reads_empty_ns_as_default() {
        let registry = Registry {
            namespaces: vec!["empty_ns".to_owned(), "prod".to_owned()],
            ..Registry::bare("p".to_owned(), RegistryKind::Polaris)
        };
        assert_eq!(PolarisSettings::from(&registry).namespaces, ["default", "prod"]);
    }
}
