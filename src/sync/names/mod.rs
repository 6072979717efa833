//! What a service of one registry is called in another, and back.
//!
//! Most names stay. A group that a Nacos shows as `group__service` is part of the name everywhere. Each registry's default
//! namespace is the others' default namespace.

mod grammar;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use grammar::Grammar;

use crate::config::RegistryKind;
use crate::model::ServiceKey;

/// Between Nacos' group and the name of a service.
const GROUP: &str = "__";

/// The words of one registry.
#[derive(Clone, Debug)]
pub struct Words {
    /// Its type.
    pub kind: RegistryKind,
    /// Its default namespace, or the label of one that has no namespaces.
    pub namespace: String,
    /// Capitals stay as the server has them (Eureka).
    pub keep_case: bool,
}

/// Names from one registry to another and back.
#[derive(Clone, Debug)]
pub struct Names {
    from: Words,
    to: Words,
    /// From namespaces of the one to those of the other, one to one.
    namespaces: BTreeMap<String, String>,
    /// The Nacos group of what has none, at the destination.
    group: Option<String>,
}

/// Why a service has no name at the other end. Prints as a sentence's part after "because".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unnamed {
    /// The other end has one namespace, and another one's services are in it.
    OneNamespace {
        /// This service's.
        namespace: String,
        /// The only one there.
        only: String,
    },
    /// Another namespace is mapped onto the one that it would have.
    TakenNamespace {
        /// The one that it would have.
        namespace: String,
    },
    /// The name is too long there, escapes counted.
    TooLong {
        /// What it would be called.
        name: String,
        /// The most bytes.
        longest: usize,
    },
    /// The way back carries what has a name of the way there only, and this has none.
    NoWayBack,
}

impl fmt::Display for Unnamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneNamespace { namespace, only } => write!(
                f,
                "the destination has the namespace `{only}` only; `namespace_map: {{ {namespace}: {only} }}` carries `{namespace}` into it"
            ),
            Self::TakenNamespace { namespace } => {
                write!(f, "another namespace is carried into the destination's `{namespace}`")
            }
            Self::TooLong { name, longest } => {
                write!(f, "`{name}` is longer than the destination's {longest} bytes")
            }
            Self::NoWayBack => f.write_str("its name is none that the way there gives"),
        }
    }
}

impl Words {
    /// Free Consul, Eureka and ZooKeeper have no namespaces; the configured one is a label.
    fn has_one_namespace(&self) -> bool {
        matches!(self.kind, RegistryKind::Consul | RegistryKind::Eureka | RegistryKind::Zookeeper)
    }

    /// The default namespace has several spellings in documents.
    fn is_default(&self, namespace: &str) -> bool {
        let spellings: &[&str] = match self.kind {
            RegistryKind::Nacos => &["empty_ns", "public", ""],
            RegistryKind::Polaris => &["default", "empty_ns"],
            _ => &[],
        };
        namespace == self.namespace || spellings.contains(&namespace)
    }

    fn services(&self) -> Grammar {
        Grammar::of_services(self.kind, self.keep_case)
    }

    fn namespaces(&self) -> Grammar {
        Grammar::of_namespaces(self.kind)
    }
}

impl Names {
    /// Names from `from` to `to`. `namespaces` maps some one to one, all others keep theirs; `group` is given to what has none.
    pub fn new(from: Words, to: Words, namespaces: BTreeMap<String, String>, group: Option<String>) -> Self {
        let group = group.filter(|_| to.kind == RegistryKind::Nacos);
        Self { from, to, namespaces, group }
    }

    /// What a service of the one registry is called in the other.
    ///
    /// # Errors
    /// It can't be carried.
    pub fn there(&self, key: &ServiceKey) -> Result<ServiceKey, Unnamed> {
        let namespace = self.namespace_there(&key.namespace)?;
        let plain = self.from.services().read(&key.service);
        let service = match &self.group {
            Some(group) if !plain.contains(GROUP) => format!("{group}{GROUP}{plain}"),
            _ => plain,
        };
        Ok(ServiceKey { namespace, service: written(self.to.services(), &service)? })
    }

    /// What a service of the other registry is called in the one: the inverse where there is one, so that a copy leads back to
    /// its service, and a native service there has one place here.
    ///
    /// # Errors
    /// It can't be carried back.
    pub fn back(&self, key: &ServiceKey) -> Result<ServiceKey, Unnamed> {
        let namespace = self.namespace_back(&key.namespace)?;
        let plain = self.to.services().read(&key.service);
        let service = match &self.group {
            Some(group) => match plain.split_once(GROUP) {
                Some((prefix, rest)) if prefix == group && !rest.contains(GROUP) => rest.to_owned(),
                Some(_) => plain,
                None => return Err(Unnamed::NoWayBack),
            },
            None => plain,
        };
        Ok(ServiceKey { namespace, service: written(self.from.services(), &service)? })
    }

    fn namespace_there(&self, namespace: &str) -> Result<String, Unnamed> {
        if let Some(mapped) = self.mapped(namespace) {
            return Ok(mapped.clone());
        }
        let same = if self.from.is_default(namespace) {
            self.to.namespace.clone()
        } else {
            let same = written(self.to.namespaces(), &self.from.namespaces().read(namespace))?;
            if self.to.is_default(&same) {
                return Err(Unnamed::TakenNamespace { namespace: same });
            }
            same
        };
        if self.namespaces.values().any(|taken| self.is_same_there(taken, &same)) {
            return Err(Unnamed::TakenNamespace { namespace: same });
        }
        if self.to.has_one_namespace() && !self.to.is_default(&same) {
            let (namespace, only) = (namespace.to_owned(), self.to.namespace.clone());
            return Err(Unnamed::OneNamespace { namespace, only });
        }
        Ok(same)
    }

    fn mapped(&self, namespace: &str) -> Option<&String> {
        let is_it =
            |from: &str| from == namespace || self.from.is_default(from) && self.from.is_default(namespace);
        self.namespaces.iter().find(|(from, _)| is_it(from)).map(|(_, to)| to)
    }

    fn is_same_there(&self, one: &str, other: &str) -> bool {
        one == other || self.to.is_default(one) && self.to.is_default(other)
    }

    fn namespace_back(&self, namespace: &str) -> Result<String, Unnamed> {
        if let Some((from, _)) = self.namespaces.iter().find(|(_, to)| self.is_same_there(to, namespace)) {
            return Ok(from.clone());
        }
        let same = if self.to.is_default(namespace) {
            self.from.namespace.clone()
        } else {
            written(self.from.namespaces(), &self.to.namespaces().read(namespace))?
        };
        let there = self.namespace_there(&same)?;
        if self.is_same_there(&there, namespace) { Ok(same) } else { Err(Unnamed::NoWayBack) }
    }
}

fn written(grammar: Grammar, plain: &str) -> Result<String, Unnamed> {
    let name = grammar.written(plain);
    if name.len() > grammar.longest {
        return Err(Unnamed::TooLong { name, longest: grammar.longest });
    }
    Ok(name)
}
