//! What a service of one registry is called in another, and back.
//!
//! Most names stay. A group that a Nacos shows as `group__service` is part of the name everywhere. Each registry's default
//! namespace is the others' default namespace.
//!
//! ```text
//!  source's name ──its grammar──▶ plain ──renamed──▶ ──group──▶ plain ──destination's grammar──▶ its name
//! ```

mod grammar;
mod plain;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use grammar::Grammar;
use plain::{Group, Plain};

use crate::config::{Registry, RegistryKind, Rename};
use crate::model::ServiceKey;

/// The group in which Nacos has what isn't said to be in any.
const DEFAULT_GROUP: &str = "DEFAULT_GROUP";

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
    plain: Plain,
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
    /// The registry that the task reads has one namespace, and another one's services are carried from it.
    OneNamespaceBack {
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
    /// Another service is carried under the name that it would have.
    TakenName {
        /// The name that it would have, in plain words.
        name: String,
        /// Whose it is.
        of: String,
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
            Self::OneNamespaceBack { namespace, only } => write!(
                f,
                "the other registry has the namespace `{only}` only; `namespace_map: {{ {only}: {namespace} }}` carries `{namespace}` into it"
            ),
            Self::TakenNamespace { namespace } => {
                write!(f, "another namespace is carried into the destination's `{namespace}`")
            }
            Self::TakenName { name, of } => {
                write!(f, "the name `{name}` is that of `{of}` at the destination")
            }
            Self::TooLong { name, longest } => {
                write!(f, "`{name}` is longer than the destination's {longest} bytes")
            }
            Self::NoWayBack => f.write_str("its name is none that the way there gives"),
        }
    }
}

impl Words {
    /// Those of a configured registry.
    pub fn of(registry: &Registry) -> Self {
        let label = registry.namespaces.first().filter(|_| registry.kind.has_one_namespace());
        let namespace = label.map_or(registry.kind.default_namespace(), String::as_str);
        Self { kind: registry.kind, namespace: namespace.to_owned(), keep_case: registry.keep_case }
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
    /// Names from `from` to `to`. `namespaces` maps some one to one, all others keep theirs. `group` is the Nacos group of what has none:
    /// at the destination or, where that is no Nacos, at the source.
    pub fn new(from: Words, to: Words, namespaces: BTreeMap<String, String>, group: Option<String>) -> Self {
        let group = match group.filter(|group| group != DEFAULT_GROUP) {
            Some(group) if to.kind == RegistryKind::Nacos => Group::AtDestination(group),
            Some(group) if from.kind == RegistryKind::Nacos => Group::AtSource(group),
            _ => Group::Any,
        };
        Self { from, to, namespaces, plain: Plain { rename: Vec::new(), group } }
    }

    /// The same with new names for some services. Each side's pattern is in the capitals or small letters that its registry has.
    #[must_use]
    pub fn renamed(mut self, rename: &[Rename]) -> Self {
        let (from, to) = (self.from.services(), self.to.services());
        let folded = |rule: &Rename| Rename {
            from: from.folded(&rule.from).into_owned(),
            to: to.folded(&rule.to).into_owned(),
        };
        self.plain.rename = rename.iter().map(folded).collect();
        self
    }

    /// What a service of the one registry is called in the other.
    ///
    /// # Errors
    /// It can't be carried.
    pub fn there(&self, key: &ServiceKey) -> Result<ServiceKey, Unnamed> {
        let namespace = self.namespace_there(&key.namespace)?;
        let service = self.plain.there(&read(self.from.services(), &key.service)?)?;
        Ok(ServiceKey { namespace, service: written(self.to.services(), &service)? })
    }

    /// What a service of the other registry is called in the one: the inverse where there is one, so that a copy leads back to
    /// its service, and a native service there has one place here.
    ///
    /// # Errors
    /// It can't be carried back.
    pub fn back(&self, key: &ServiceKey) -> Result<ServiceKey, Unnamed> {
        let namespace = self.namespace_back(&key.namespace)?;
        let service = self.plain.back(&read(self.to.services(), &key.service)?)?;
        Ok(ServiceKey { namespace, service: written(self.from.services(), &service)? })
    }

    /// What a service of the other registry would be called in the one, if nothing but its name counted: as far as it has one there, else
    /// as it is. An entry that fits this asks for it.
    pub fn back_as_asked(&self, key: &ServiceKey) -> ServiceKey {
        let plain = self.to.services().read(&key.service);
        let namespace = self.namespace_back(&key.namespace).unwrap_or_else(|_| key.namespace.clone());
        self.back(key).unwrap_or(ServiceKey { namespace, service: plain })
    }

    /// What a namespace of the one registry is called in the other.
    ///
    /// # Errors
    /// Its services can't be carried.
    pub fn namespace_there(&self, namespace: &str) -> Result<String, Unnamed> {
        if let Some(mapped) = self.mapped(namespace) {
            return self.with_room(namespace, mapped.clone());
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
        self.with_room(namespace, same)
    }

    /// What a namespace becomes, where the other registry can have it.
    fn with_room(&self, namespace: &str, there: String) -> Result<String, Unnamed> {
        if self.to.kind.has_one_namespace() && !self.to.is_default(&there) {
            let (namespace, only) = (namespace.to_owned(), self.to.namespace.clone());
            return Err(Unnamed::OneNamespace { namespace, only });
        }
        Ok(there)
    }

    fn mapped(&self, namespace: &str) -> Option<&String> {
        let is_it =
            |from: &str| from == namespace || self.from.is_default(from) && self.from.is_default(namespace);
        self.namespaces.iter().find(|(from, _)| is_it(from)).map(|(_, to)| to)
    }

    fn is_same_there(&self, one: &str, other: &str) -> bool {
        one == other || self.to.is_default(one) && self.to.is_default(other)
    }

    /// What a namespace of the other registry is called in the one.
    ///
    /// # Errors
    /// Its services can't be carried back.
    pub fn namespace_back(&self, namespace: &str) -> Result<String, Unnamed> {
        if let Some((from, _)) = self.namespaces.iter().find(|(_, to)| self.is_same_there(to, namespace)) {
            return Ok(from.clone());
        }
        let same = if self.to.is_default(namespace) {
            self.from.namespace.clone()
        } else {
            written(self.from.namespaces(), &self.to.namespaces().read(namespace))?
        };
        if self.from.kind.has_one_namespace() && !self.from.is_default(&same) {
            let only = self.from.namespace.clone();
            return Err(Unnamed::OneNamespaceBack { namespace: namespace.to_owned(), only });
        }
        let there = self.namespace_there(&same)?;
        if self.is_same_there(&there, namespace) { Ok(same) } else { Err(Unnamed::NoWayBack) }
    }
}

fn read(grammar: Grammar, name: &str) -> Result<String, Unnamed> {
    let plain = grammar.read(name);
    match grammar.written(&plain) {
        own if own == name => Ok(plain),
        own => Err(Unnamed::TakenName { name: plain, of: own }),
    }
}

fn written(grammar: Grammar, plain: &str) -> Result<String, Unnamed> {
    let name = grammar.written(plain);
    if name.len() > grammar.longest {
        return Err(Unnamed::TooLong { name, longest: grammar.longest });
    }
    match grammar.read(&name) {
        own if own == grammar.folded(plain) => Ok(name),
        own => Err(Unnamed::TakenName { name, of: own }),
    }
}
