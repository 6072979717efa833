//! What each type of registry takes for a name, as data, and names that it doesn't take, written so that it does.

use std::borrow::Cow;

use crate::config::RegistryKind;
use crate::model::escape::{escape, unescape};
use crate::model::{dubbo, group};

/// The names of one kind of thing in one type of registry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grammar {
    /// Whether the byte at this place may stand there.
    keeps: fn(&[u8], usize) -> bool,
    /// The most bytes that a name may have.
    pub(super) longest: usize,
    case: Case,
    /// Whether Dubbo spells its interfaces in a way of their own there.
    is_nacos: bool,
}

/// What a registry does to capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Kept,
    Lower,
    Upper,
}

impl Grammar {
    const fn new(keeps: fn(&[u8], usize) -> bool, longest: usize) -> Self {
        Self { keeps, longest, case: Case::Kept, is_nacos: false }
    }

    /// Of services. `keep_case` is that of an Eureka registry: its server has capitals only, and its source lower case otherwise.
    pub(super) fn of_services(kind: RegistryKind, keep_case: bool) -> Self {
        match kind {
            RegistryKind::Nacos => Self { is_nacos: true, ..Self::new(nacos_service, 512) },
            RegistryKind::Polaris => Self::new(polaris, 512),
            RegistryKind::ServiceCenter => Self::new(service_center, 128),
            RegistryKind::Eureka => {
                let case = if keep_case { Case::Upper } else { Case::Lower };
                Self { case, ..Self::new(eureka, 255) }
            }
            RegistryKind::Consul | RegistryKind::File => Self::new(printable, 512),
            RegistryKind::Zookeeper => Self::new(node, 512),
        }
    }

    /// Of namespaces.
    pub(super) fn of_namespaces(kind: RegistryKind) -> Self {
        match kind {
            RegistryKind::Nacos => Self::new(|bytes, at| word(bytes[at]) || bytes[at] == b'-', 64),
            RegistryKind::Polaris => Self::new(polaris, 128),
            RegistryKind::ServiceCenter => Self::new(service_center, 160),
            _ => Self::new(printable, 512),
        }
    }

    /// The name in words that the registry takes. Simple names stay, and no two become one but where capitals are lost.
    pub(super) fn written(&self, name: &str) -> String {
        let folded = self.folded(name);
        let written = if self.needs_escapes(&folded) { self.escaped(&folded) } else { folded.into_owned() };
        if self.is_nacos { dubbo::in_nacos(&written) } else { written }
    }

    /// The name that was written so.
    pub(super) fn read(&self, written: &str) -> String {
        let written = if self.is_nacos { dubbo::of_nacos(written) } else { written.to_owned() };
        self.escaped_of(&written).unwrap_or(written)
    }

    /// The name in the capitals or small letters that the registry has.
    pub(super) fn folded<'a>(&self, name: &'a str) -> Cow<'a, str> {
        match self.case {
            Case::Kept => Cow::Borrowed(name),
            Case::Lower => Cow::Owned(name.to_ascii_lowercase()),
            Case::Upper => Cow::Owned(name.to_ascii_uppercase()),
        }
    }

    fn takes(&self, name: &str) -> bool {
        !name.is_empty() && (0..name.len()).all(|at| (self.keeps)(name.as_bytes(), at))
    }

    /// The registry doesn't take it, or it would be read as another name's escape.
    fn needs_escapes(&self, name: &str) -> bool {
        !self.takes(name) || self.escaped_of(name).is_some()
    }

    /// The other name that is written like this.
    fn escaped_of(&self, written: &str) -> Option<String> {
        let name = unescape(&self.with_small_escapes(written)).filter(|name| *name != written)?;
        (self.needs_escapes(&name) && self.escaped(&name) == written).then_some(name)
    }

    fn escaped(&self, folded: &str) -> String {
        self.folded(&escape(&self.with_small_escapes(folded), self.keeps)).into_owned()
    }

    /// Escapes are in small letters, and a registry that has capitals only shows theirs in capitals too.
    fn with_small_escapes<'a>(&self, name: &'a str) -> Cow<'a, str> {
        if self.case != Case::Upper || !name.contains("_X") {
            return Cow::Borrowed(name);
        }
        let bytes = name.as_bytes();
        let digits =
            |at: usize| bytes.get(at..at + 2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
        let begins = |at: usize| bytes[at..].starts_with(b"_X") && (digits(at + 2) || bytes.len() == 2);
        let in_escape = |at: usize| (1..4).any(|back| at >= back && begins(at - back));
        let lowered = |(at, c): (usize, char)| if in_escape(at) { c.to_ascii_lowercase() } else { c };
        Cow::Owned(name.char_indices().map(lowered).collect())
    }
}

fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn printable(bytes: &[u8], at: usize) -> bool {
    !bytes[at].is_ascii_control()
}

fn node(bytes: &[u8], at: usize) -> bool {
    printable(bytes, at) && bytes[at] != b'/'
}

/// Nacos takes no spaces, nothing that isn't ASCII, and its own separator nowhere. The group before the first `__` takes less. What says
/// that it is in the default group would be shown without it.
fn nacos_service(bytes: &[u8], at: usize) -> bool {
    let says_default = bytes.strip_prefix(b"DEFAULT_GROUP__");
    if at == 0 && says_default.is_some_and(|name| group_of(name).is_none()) {
        return false;
    }
    let group = group_of(bytes).map_or(0, <[u8]>::len);
    let byte = bytes[at];
    if at < group {
        return word(byte) || b"-:.".contains(&byte);
    }
    byte.is_ascii_graphic() && byte != b'@'
}

fn group_of(name: &[u8]) -> Option<&[u8]> {
    let (group, _) = group::split(str::from_utf8(name).ok()?)?;
    Some(group.as_bytes())
}

fn polaris(bytes: &[u8], at: usize) -> bool {
    word(bytes[at]) || b"-./:".contains(&bytes[at])
}

/// Both ends are letters or digits; an escape ends with one.
fn service_center(bytes: &[u8], at: usize) -> bool {
    let inner = at > 0 && at + 1 < bytes.len();
    bytes[at].is_ascii_alphanumeric() || inner && b"_-.".contains(&bytes[at])
}

fn eureka(bytes: &[u8], at: usize) -> bool {
    word(bytes[at]) || b"-.:$".contains(&bytes[at])
}
