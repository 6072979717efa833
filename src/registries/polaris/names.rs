//! From a complete list of names to what is read. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::ServiceKey;
use crate::registries::Interest;

/// Names of services by namespace.
pub(super) type Names = BTreeMap<String, BTreeSet<String>>;

/// The wanted services of a list that was asked of one namespace, or of all where that is empty. Of all, every namespace that
/// has a service is there, whether one of them is wanted or not: it was listed.
pub(super) fn wanted(asked: &str, listed: &BTreeSet<ServiceKey>, interest: &dyn Interest) -> Names {
    let mut names = Names::new();
    if !asked.is_empty() {
        names.insert(asked.to_owned(), BTreeSet::new());
    }
    for key in listed.iter().filter(|key| asked.is_empty() || key.namespace == asked) {
        let services = names.entry(key.namespace.clone()).or_default();
        if interest.wants(key) {
            services.insert(key.service.clone());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shops;

    impl Interest for Shops {
        fn namespaces(&self) -> Option<BTreeSet<String>> {
            None
        }

        fn wants(&self, key: &ServiceKey) -> bool {
            key.service.starts_with("shop")
        }
    }

    #[test]
    fn a_namespace_without_a_wanted_service_is_listed_all_the_same() {
        let keys = [("a", "shop-1"), ("a", "bank"), ("b", "bank")];
        let listed: BTreeSet<ServiceKey> = keys.iter().map(|(n, s)| ServiceKey::new(*n, *s)).collect();
        let all = wanted("", &listed, &Shops);
        assert_eq!((all.len(), all["a"].len(), all["b"].len()), (2, 1, 0));
        let one = wanted("a", &listed, &Shops);
        assert_eq!(one.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(wanted("none", &BTreeSet::new(), &Shops)["none"].len(), 0);
    }
}
