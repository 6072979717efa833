//! The services that a server lists, by the keys that tasks know them by. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::Service;
use crate::model::{Metadata, ServiceKey};

/// The application and name under which servers register themselves.
const OWN: (&str, &str) = ("default", "SERVICECENTER");

/// One complete list.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Directory {
    /// By service, its versions' ids and properties.
    services: BTreeMap<ServiceKey, BTreeMap<String, Metadata>>,
    /// Environments that aren't read and hold services.
    elsewhere: BTreeSet<String>,
    /// The server's own registration: its id and when it was made. It is made anew only by a server that has lost everything.
    own: Option<(String, String)>,
}

impl Directory {
    /// Sorts a list; the services of other environments are left out.
    pub(super) fn of(listed: Vec<Service>, environment: &str) -> Self {
        let mut directory = Self::default();
        for service in listed {
            if (service.app_id.as_str(), service.service_name.as_str()) == OWN {
                directory.own = Some((service.service_id, service.timestamp));
            } else if service.environment == environment {
                let key = ServiceKey::new(service.app_id, service.service_name);
                let versions = directory.services.entry(key).or_default();
                versions.insert(service.service_id, service.properties);
            } else {
                directory.elsewhere.insert(service.environment);
            }
        }
        directory
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &ServiceKey> {
        self.services.keys()
    }

    /// Applications that hold services.
    pub(super) fn namespaces(&self) -> BTreeSet<String> {
        self.keys().map(|key| key.namespace.clone()).collect()
    }

    /// What one version of a service says of all its instances; `None` when it isn't listed.
    pub(super) fn properties(&self, key: &ServiceKey, service_id: &str) -> Option<&Metadata> {
        self.services.get(key)?.get(service_id)
    }

    /// Services of which something differs.
    pub(super) fn differing(&self, before: &Self) -> BTreeSet<ServiceKey> {
        let differs = |key: &&ServiceKey| self.services.get(*key) != before.services.get(*key);
        self.keys().filter(differs).cloned().collect()
    }

    /// Whether the server has lost what it knew since.
    pub(super) fn is_set_back_since(&self, before: &Self) -> bool {
        before.own.is_some() && self.own != before.own
    }

    /// The environments that hold services, when the one that is read holds none.
    pub(super) fn overlooked(&self) -> Option<&BTreeSet<String>> {
        (self.services.is_empty() && !self.elsewhere.is_empty()).then_some(&self.elsewhere)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `environment/app/name/version/property` by lines.
    fn listed(lines: &[&str]) -> Vec<Service> {
        let service = |line: &&str| {
            let parts: Vec<String> = line.split('/').map(str::to_owned).collect();
            let [environment, app_id, service_name, version, property] = parts.try_into().unwrap();
            Service {
                service_id: format!("{app_id}-{service_name}-{version}"),
                properties: [("p".to_owned(), property.clone())].into(),
                timestamp: property,
                environment,
                app_id,
                service_name,
                version,
                ..Service::default()
            }
        };
        lines.iter().map(service).collect()
    }

    fn directory(lines: &[&str]) -> Directory {
        Directory::of(listed(lines), "")
    }

    #[test]
    fn versions_are_one_service_and_environments_are_apart() {
        let lines = ["/shop/cart/1.0/a", "/shop/cart/2.0/b", "production/shop/cart/1.0/c", "/bank/books/1/d"];
        let here = directory(&lines);
        let keys: Vec<String> = here.keys().map(ToString::to_string).collect();
        assert_eq!(keys.len(), 2, "{keys:?}");
        assert_eq!(here.namespaces(), ["bank", "shop"].map(str::to_owned).into());
        let cart = ServiceKey::new("shop", "cart");
        let property = |directory: &Directory, id: &str| {
            directory.properties(&cart, id).map(|properties| properties["p"].clone())
        };
        assert_eq!(property(&here, "shop-cart-2.0").as_deref(), Some("b"));
        assert_eq!(property(&here, "shop-cart-3.0"), None);
        let production = Directory::of(listed(&lines), "production");
        assert_eq!(property(&production, "shop-cart-1.0").as_deref(), Some("c"));
        assert_eq!(production.keys().count(), 1);
    }

    #[test]
    fn what_changed_is_told() {
        let before = directory(&["/a/x/1/p", "/a/y/1/p", "/a/z/1/p"]);
        let now = directory(&["/a/x/1/p", "/a/y/1/q", "/a/new/1/p"]);
        let differing: Vec<String> = now.differing(&before).into_iter().map(|key| key.service).collect();
        assert_eq!(differing, ["new", "y"]);
    }

    #[test]
    fn the_servers_own_registration_is_left_out_and_tells_of_lost_data() {
        let own = |made: &str| directory(&[&format!("production/default/SERVICECENTER/0.0.1/{made}")]);
        assert_eq!((own("1").keys().count(), own("1").overlooked()), (0, None));
        assert!(!own("1").is_set_back_since(&own("1")));
        assert!(own("2").is_set_back_since(&own("1")), "it has registered itself anew");
        assert!(directory(&[]).is_set_back_since(&own("1")), "it hasn't yet");
        assert!(
            !own("1").is_set_back_since(&directory(&[])),
            "a server that doesn't register itself says nothing"
        );
    }

    #[test]
    fn services_in_other_environments_only_are_told_of() {
        let lines = ["production/a/x/1/p", "testing/a/x/1/p"];
        let elsewhere = ["production", "testing"].map(str::to_owned).into();
        assert_eq!(directory(&lines).overlooked(), Some(&elsewhere));
        assert_eq!(Directory::of(listed(&lines), "testing").overlooked(), None);
    }
}
