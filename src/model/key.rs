use std::fmt;

/// A service's name within one registry.
///
/// Nacos' group is part of the name, written `group__service` (a bare name is in `DEFAULT_GROUP`); Nacos' default
/// namespace is written `empty_ns`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey {
    /// The namespace, in the registry's own words.
    pub namespace: String,
    /// The service's name within the namespace.
    pub service: String,
}

impl ServiceKey {
    /// A key from its two parts.
    pub fn new(namespace: impl Into<String>, service: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), service: service.into() }
    }

    /// Whether people mean this service by `name`: `service`, or `namespace/service`.
    pub fn is_named(&self, name: &str) -> bool {
        let rest = name.strip_prefix(self.namespace.as_str()).and_then(|rest| rest.strip_prefix('/'));
        name == self.service || rest == Some(self.service.as_str())
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.service)
    }
}
