//! What a test wants to see, by patterns.

use std::collections::BTreeSet;

use causeway::config::Pattern;
use causeway::model::ServiceKey;
use causeway::registries::{Beginning, Interest};

/// Patterns over namespaces and services; each namespace pattern with each service pattern.
pub struct Patterns {
    namespaces: Vec<Pattern>,
    services: Vec<Pattern>,
}

impl Patterns {
    /// Services by globs in one namespace.
    pub fn of(namespace: &str, services: &[&str]) -> Self {
        Self { namespaces: vec![Pattern::literal(namespace)], services: globs(services) }
    }

    /// Services by globs in every namespace that fits one.
    pub fn everywhere(namespaces: &[&str], services: &[&str]) -> Self {
        Self { namespaces: globs(namespaces), services: globs(services) }
    }
}

fn globs(patterns: &[&str]) -> Vec<Pattern> {
    patterns.iter().map(|pattern| Pattern::glob(*pattern)).collect()
}

impl Interest for Patterns {
    fn namespaces(&self) -> Option<BTreeSet<String>> {
        self.namespaces.iter().map(|pattern| pattern.exact().map(str::to_owned)).collect()
    }

    fn wants(&self, key: &ServiceKey) -> bool {
        let fits = |patterns: &[Pattern], name: &str| patterns.iter().any(|pattern| pattern.matches(name));
        fits(&self.namespaces, &key.namespace) && fits(&self.services, &key.service)
    }

    fn beginnings(&self) -> BTreeSet<Beginning> {
        let beginning = |pattern: &Pattern| match pattern.exact() {
            Some(name) => Beginning::Whole(name.to_owned()),
            None => Beginning::Part(pattern.literal_prefix().to_owned()),
        };
        self.services.iter().map(beginning).collect()
    }
}
