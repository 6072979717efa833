//! Nacos' three-part names (namespace, group, service) and our two-part ones.

use std::fmt;

use crate::model::group;

/// The group of a bare service name.
pub(super) const DEFAULT_GROUP: &str = "DEFAULT_GROUP";
/// How the default namespace is written in our keys.
const DEFAULT_KEY: &str = "empty_ns";
/// Its id in Nacos. Over gRPC the empty id is another namespace; over HTTP it is the same one.
const DEFAULT_ID: &str = "public";

/// A namespace by our name and by Nacos' id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Namespace {
    /// As it stands in service keys.
    pub(super) key: String,
    /// As gRPC and HTTP want it.
    pub(super) id: String,
}

impl Namespace {
    /// From any way of writing it: `empty_ns`, `public` and nothing at all are the default one.
    pub(super) fn new(written: &str) -> Self {
        match written {
            "" | DEFAULT_KEY | DEFAULT_ID => Self { key: DEFAULT_KEY.to_owned(), id: DEFAULT_ID.to_owned() },
            other => Self { key: other.to_owned(), id: other.to_owned() },
        }
    }
}

/// A service within a namespace, in Nacos' words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ServiceName {
    pub(super) group: String,
    pub(super) name: String,
}

impl ServiceName {
    /// From the two parts of an answer, of which the second may be written `group@@name`.
    pub(super) fn from_answer(group: &str, name: &str) -> Self {
        match name.split_once("@@") {
            Some((group, name)) => Self { group: group.to_owned(), name: name.to_owned() },
            None if group.is_empty() => Self { group: DEFAULT_GROUP.to_owned(), name: name.to_owned() },
            None => Self { group: group.to_owned(), name: name.to_owned() },
        }
    }

    /// From our key: the inverse of [`ServiceName::to_key`].
    pub(super) fn of_key(key: &str) -> Self {
        match group::split(key) {
            Some((group, name)) if !group.is_empty() => {
                Self { group: group.to_owned(), name: name.to_owned() }
            }
            _ => Self { group: DEFAULT_GROUP.to_owned(), name: key.to_owned() },
        }
    }

    /// `name` in the default group, otherwise `group__name`; also for a name that would read as the latter.
    pub(super) fn to_key(&self) -> String {
        if self.group == DEFAULT_GROUP && group::split(&self.name).is_none() {
            self.name.clone()
        } else {
            format!("{}{}{}", self.group, group::SEPARATOR, self.name)
        }
    }
}

/// `group@@name`, as Nacos writes it.
impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@@{}", self.group, self.name)
    }
}

/// The group that every key with this beginning is in, when the beginning says so much.
pub(super) fn group_of_prefix(prefix: &str) -> Option<&str> {
    group::split(prefix).map(|(group, _)| group).filter(|group| !group.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_default_namespace_has_three_names() {
        for written in ["", "public", "empty_ns"] {
            assert_eq!(Namespace::new(written), Namespace { key: "empty_ns".into(), id: "public".into() });
        }
        assert_eq!(Namespace::new("prod").id, "prod");
    }

    #[test]
    fn groups_are_written_into_the_name() {
        let key = |group: &str, name: &str| ServiceName::from_answer(group, name).to_key();
        assert_eq!(key("DEFAULT_GROUP", "orders"), "orders");
        assert_eq!(key("", "TRADE@@orders"), "TRADE__orders");
        assert_eq!(key("TRADE", "providers:com.foo.Bar:1.0.0:"), "TRADE__providers:com.foo.Bar:1.0.0:");
        assert_eq!(key("DEFAULT_GROUP", "a__b"), "DEFAULT_GROUP__a__b");
        let nested = "providers:lab.Outer___Inner::";
        assert_eq!(key("DEFAULT_GROUP", nested), nested, "as Dubbo names it");
        for service in [
            ("DEFAULT_GROUP", "a__b"),
            ("DEFAULT_GROUP", "__b"),
            ("TRADE", "orders"),
            ("DEFAULT_GROUP", "b"),
            ("DEFAULT_GROUP", nested),
            ("TRADE", nested),
        ] {
            let name = ServiceName::from_answer(service.0, service.1);
            assert_eq!(ServiceName::of_key(&name.to_key()), name);
        }
        assert_eq!(group_of_prefix("TRADE__or"), Some("TRADE"));
        assert_eq!(group_of_prefix("orders"), None);
    }

    proptest! {
        #[test]
        fn services_have_keys_of_their_own(
            a in "[a-zA-Z][a-zA-Z0-9.:-]{0,6}", b in "[a-zA-Z_]{1,6}",
            c in "[a-zA-Z][a-zA-Z0-9.:-]{0,6}", d in "[a-zA-Z_]{1,6}",
        ) {
            let one = ServiceName::from_answer(&a, &b);
            let two = ServiceName::from_answer(&c, &d);
            prop_assert_eq!(one == two, one.to_key() == two.to_key());
        }
    }
}
