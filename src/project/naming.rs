//! Names of gateway objects: readable where they can be, reversible always.
//!
//! ```text
//! service   {source}.{namespace}.{service}            of one group: {source}.{namespace}.{service}~{group}
//! upstream  {source}.{namespace}.{service}.{group}
//! ```
//!
//! Kong takes no `@`, `%`, `/` or `:` in a name, and no non-ASCII letters in an upstream's. So a part's bytes are kept where that is
//! safe, and written `_x` and two lower-case hex digits elsewhere. Simple names stay what polaris-sync made of them, and two
//! different keys never share a name (within the services, and within the upstreams).

use crate::model::ServiceKey;
use crate::model::escape::{self, unescape};

/// What a name was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The source registry's configured name.
    pub source: String,
    /// Namespace and service.
    pub key: ServiceKey,
    /// The instance group: always there for an upstream, and for a service that serves one group alone.
    pub group: Option<String>,
}

/// The name of the Kong service that serves a registered service.
pub fn service_name(source: &str, key: &ServiceKey) -> String {
    never_digits_only(stem(source, key))
}

/// The name of the Kong service that serves one group of it alone, for routes that choose a group.
pub fn group_service_name(source: &str, key: &ServiceKey, group: &str) -> String {
    format!("{}~{}", stem(source, key), label(group))
}

/// The name of the upstream of one group.
pub fn upstream_name(source: &str, key: &ServiceKey, group: &str) -> String {
    never_digits_only(format!("{}.{}", stem(source, key), label(group)))
}

/// What the names of all objects of one source begin with, but for those of digits and dots only.
pub fn prefix(source: &str) -> String {
    format!("{}.", label(source))
}

/// Reads a Kong service's name back; `None` for a name that is not one of ours.
pub fn parse_service_name(name: &str) -> Option<Parts> {
    let (stem, group) = match name.split_once('~') {
        Some((stem, group)) => (stem, Some(unescape(group)?)),
        None => (name, None),
    };
    let parts = Parts { group, ..parse_stem(stem)? };
    let again = match &parts.group {
        Some(group) => group_service_name(&parts.source, &parts.key, group),
        None => service_name(&parts.source, &parts.key),
    };
    (again == name).then_some(parts)
}

/// Reads an upstream's name back; `None` for a name that is not one of ours.
pub fn parse_upstream_name(name: &str) -> Option<Parts> {
    let (stem, group) = name.rsplit_once('.')?;
    let group = unescape(group)?;
    let parts = parse_stem(stem)?;
    let again = upstream_name(&parts.source, &parts.key, &group);
    (again == name).then_some(Parts { group: Some(group), ..parts })
}

/// A part of a key as it stands in names, without dots: it is one label of a host.
pub fn label(part: &str) -> String {
    escape(part, Dots::Escaped)
}

/// A part of a key as it stands in names, its inner dots kept.
pub fn dotted(part: &str) -> String {
    escape(part, Dots::Kept)
}

fn stem(source: &str, key: &ServiceKey) -> String {
    let (source, namespace) = (label(source), label(&key.namespace));
    format!("{source}.{namespace}.{}", dotted(&key.service))
}

/// Only the service part may hold dots, so the first two dots end source and namespace.
fn parse_stem(stem: &str) -> Option<Parts> {
    let mut parts = stem.splitn(3, '.').map(unescape);
    let (source, namespace, service) = (parts.next()??, parts.next()??, parts.next()??);
    Some(Parts { source, key: ServiceKey { namespace, service }, group: None })
}

/// Kong takes a name of digits and dots for an IP address and refuses it.
fn never_digits_only(name: String) -> String {
    if !name.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return name;
    }
    let (first, rest) = name.split_at(1);
    first.bytes().map(escape::escaped).collect::<String>() + rest
}

/// Whether a part may keep its dots.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dots {
    Kept,
    Escaped,
}

fn escape(part: &str, dots: Dots) -> String {
    escape::escape(part, |bytes, at| is_kept(bytes, at, dots))
}

fn is_kept(bytes: &[u8], at: usize, dots: Dots) -> bool {
    let next_dot_is_kept = || bytes.get(at + 1) == Some(&b'.') && dot_is_kept(bytes, at + 1, dots);
    match bytes[at] {
        b'.' => dot_is_kept(bytes, at, dots),
        b'-' => at + 1 < bytes.len() && !next_dot_is_kept(),
        byte => byte.is_ascii_alphanumeric(),
    }
}

fn dot_is_kept(bytes: &[u8], at: usize, dots: Dots) -> bool {
    let inner = at > 0 && at + 1 < bytes.len();
    dots == Dots::Kept && inner && bytes[at - 1] != b'.' && bytes[at + 1] != b'.'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn upstream(namespace: &str, service: &str, group: &str) -> String {
        upstream_name("n", &ServiceKey::new(namespace, service), group)
    }

    fn service(namespace: &str, service: &str) -> String {
        service_name("n", &ServiceKey::new(namespace, service))
    }

    #[test]
    fn simple_names_are_those_of_polaris_sync() {
        let key = ServiceKey::new("default", "test.service.3");
        assert_eq!(service_name("ins-1", &key), "ins-1.default.test.service.3");
        assert_eq!(upstream_name("ins-1", &key, "version-1"), "ins-1.default.test.service.3.version-1");
        assert_eq!(group_service_name("ins-1", &key, "v1"), "ins-1.default.test.service.3~v1");
    }

    /// An upgrade must change nothing by itself, so these never change.
    #[test]
    fn golden_names() {
        let goldens = [
            ("DEFAULT_GROUP@@orders", "n.d.DEFAULT_GROUP_x40_x40orders.default"),
            ("providers:com.foo.Bar:1.0.0:g1", "n.d.providers_x3acom.foo.Bar_x3a1.0.0_x3ag1.default"),
            ("providers:com.a.B:1.0:", "n.d.providers_x3acom.a.B_x3a1.0_x3a.default"),
            ("TRADE__Orders", "n.d.TRADE__Orders.default"),
            ("订单", "n.d._xe8_xae_xa2_xe5_x8d_x95.default"),
            ("_x2e", "n.d._x5fx2e.default"),
            ("_x2E", "n.d._x2E.default"),
            ("_x", "n.d._x5fx.default"),
            ("my_xray", "n.d.my_xray.default"),
            ("cpu_x86", "n.d.cpu_x5fx86.default"),
            ("", "n.d._x.default"),
            ("-a-", "n.d.-a_x2d.default"),
            (".a.", "n.d._x2ea_x2e.default"),
            ("a~b/c%d e,f", "n.d.a_x7eb_x2fc_x25d_x20e_x2cf.default"),
        ];
        for (name, expected) in goldens {
            assert_eq!(upstream("d", name, "default"), expected, "{name}");
        }
        assert_eq!(upstream("", "a..b-.c", "1.0.0"), "n._x.a_x2e_x2eb_x2d.c.1_x2e0_x2e0");
        let digits = ServiceKey::new("2", "3");
        assert_eq!(upstream_name("1", &digits, "4"), "_x31.2.3.4");
        assert_eq!(service_name("1", &digits), "_x31.2.3");
        assert_eq!(group_service_name("1", &digits, "4"), "1.2.3~4");
    }

    #[test]
    fn a_long_name_is_kept_whole() {
        let long = "a".repeat(300);
        assert_eq!(upstream("d", &long, "default"), format!("n.d.{long}.default"));
    }

    #[test]
    fn dots_never_move_between_the_parts() {
        assert_ne!(service("a.b", "c"), service("a", "b.c"));
        assert_ne!(upstream("d", "a.v1", "default"), upstream("d", "a", "v1.default"));
    }

    #[test]
    fn names_of_other_people_are_not_read_as_ours() {
        for foreign in ["", "orders", "a.b", "a.b.c d", "a.b._xff", "a.b.c~", "1.2.3", "a.b.c_x41"] {
            assert_eq!(parse_service_name(foreign), None, "{foreign}");
        }
        for foreign in ["a.b.c", "1.2.3.4", "a.b.c.d-", "a.b..c.d"] {
            assert_eq!(parse_upstream_name(foreign), None, "{foreign}");
        }
    }

    /// Rich in what the rules treat specially.
    fn part() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            4 => "[a-zA-Z0-9]{1,3}",
            4 => "[._~:@%/, -]",
            2 => Just("_x".to_owned()),
            2 => "_x[0-9a-fA-F]{1,2}",
            1 => "\\PC",
            1 => "[0-9]{1,3}",
        ];
        prop::collection::vec(token, 0..6).prop_map(|tokens| tokens.concat())
    }

    /// Cuts a text into four parts, at dots where it has enough of them, which then vanish.
    fn cut(text: &str, places: [usize; 3]) -> [&str; 4] {
        let dots: Vec<usize> = text.match_indices('.').map(|(at, _)| at).collect();
        let mut at = places.map(|place| dots[place % dots.len()]);
        at.sort_unstable();
        let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        [part(0, at[0]), part(at[0] + 1, at[1]), part(at[1] + 1, at[2]), part(at[2] + 1, text.len())]
    }

    /// What Kong 3.9.1 takes as a service's name.
    fn kong_takes_service(name: &str) -> bool {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~-".contains(&b))
    }

    /// What Kong 3.9.1 takes as an upstream's name: a host name that is no IP address.
    fn kong_takes_upstream(name: &str) -> bool {
        let labels = name.split('.').all(|label| !label.is_empty() && !label.ends_with('-'));
        let digits_only = name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        labels && !digits_only && !name.contains('~') && kong_takes_service(name)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn names_read_back_and_kong_takes_them(
            source in part(), namespace in part(), service in part(), group in part(),
        ) {
            let key = ServiceKey { namespace, service };
            let parts = |group: Option<&String>| {
                Some(Parts { source: source.clone(), key: key.clone(), group: group.cloned() })
            };
            let name = service_name(&source, &key);
            prop_assert!(kong_takes_upstream(&name), "service.host leads to names of the same form: {}", name);
            prop_assert_eq!(parse_service_name(&name), parts(None));
            let name = group_service_name(&source, &key, &group);
            prop_assert!(kong_takes_service(&name), "{}", name);
            prop_assert_eq!(parse_service_name(&name), parts(Some(&group)));
            let name = upstream_name(&source, &key, &group);
            prop_assert!(kong_takes_upstream(&name), "{}", name);
            prop_assert_eq!(parse_upstream_name(&name), parts(Some(&group)));
        }

        /// The same text cut into parts at two sets of places, since that is where a name could be ambiguous.
        #[test]
        fn two_keys_never_share_a_name(
            text in prop::collection::vec(part(), 4..7), one in any::<[usize; 3]>(), other in any::<[usize; 3]>(),
        ) {
            let text = text.join(".");
            let (one, other) = (cut(&text, one), cut(&text, other));
            let name = |[source, namespace, service, group]: [&str; 4]| {
                upstream_name(source, &ServiceKey::new(namespace, service), group)
            };
            prop_assert_eq!(name(one) == name(other), one == other);
        }

        #[test]
        fn simple_parts_stay_as_they_are(
            source in "[a-z][a-z0-9-]{0,8}[a-z0-9]", namespace in "[a-zA-Z0-9_]{1,8}",
            service in "[a-zA-Z][a-zA-Z0-9]{0,4}([._-][a-zA-Z0-9]{1,4}){0,3}", group in "[a-z][a-z0-9]{0,5}",
        ) {
            let key = ServiceKey { namespace, service };
            let plain = format!("{source}.{}.{}", key.namespace, key.service);
            prop_assume!(!plain.contains("_x"));
            prop_assert_eq!(&service_name(&source, &key), &plain);
            prop_assert_eq!(upstream_name(&source, &key, &group), format!("{plain}.{group}"));
        }

        #[test]
        fn whatever_reads_as_ours_is_written_the_same(name in part()) {
            if let Some(Parts { source, key, group: Some(group) }) = parse_upstream_name(&name) {
                prop_assert_eq!(upstream_name(&source, &key, &group), name);
            }
        }
    }
}
