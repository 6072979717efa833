//! Names, hosts, addresses and tags: the checks that Kong keeps in code.

use std::net::Ipv6Addr;

use crate::kong::store::Kind;

/// The port of a target that names none.
const DEFAULT_PORT: u16 = 8000;

/// A host as Kong reads it: what it is, its canonical form, and the port if there is one.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::kong) struct Host {
    pub(in crate::kong) is_name: bool,
    pub(in crate::kong) text: String,
    pub(in crate::kong) port: Option<u16>,
}

/// The error of a string field that has a check of its own, by kind and field.
pub(super) fn check(kind: Kind, field: &str, text: &str) -> Option<String> {
    match (kind, field) {
        (_, "tags") => tag(text),
        (Kind::Services | Kind::Routes, "name") => name(text),
        (Kind::Upstreams, "name") => upstream_name(text),
        (Kind::Services, "host") => service_host(text),
        (Kind::Upstreams, "host_header") => {
            parse_host(text).is_none().then(|| format!("invalid hostname: {text}"))
        }
        (Kind::Targets, "target") => address(text)
            .is_none()
            .then(|| format!("Invalid target ('{text}'); not a valid hostname or ip address")),
        _ => None,
    }
}

/// Names of services and routes.
pub(in crate::kong) fn name(text: &str) -> Option<String> {
    let fine = text.bytes().all(|b| !b.is_ascii() || b.is_ascii_alphanumeric() || b".-_~".contains(&b));
    (!fine).then(|| {
        format!(
            "invalid value '{text}': the only accepted ascii characters are alphanumerics or ., -, _, and ~"
        )
    })
}

/// Names of upstreams, which must be host names.
pub(in crate::kong) fn upstream_name(text: &str) -> Option<String> {
    let why = match parse_host(text) {
        None => "must be a valid hostname",
        Some(host) if !host.is_name => "no ip addresses allowed",
        Some(host) if host.port.is_some() => "no port allowed",
        Some(_) => return None,
    };
    Some(format!("Invalid name ('{text}'); {why}"))
}

fn service_host(text: &str) -> Option<String> {
    match parse_host(text) {
        None => Some(format!("invalid value: {text}")),
        Some(host) if host.port.is_some() => Some("must not have a port".to_owned()),
        Some(_) => None,
    }
}

/// Tags: printable ASCII but `,` and `/`, and all else beyond ASCII.
pub(in crate::kong) fn tag(text: &str) -> Option<String> {
    let fine = text.bytes().all(|b| !b.is_ascii() || (matches!(b, b' '..=b'~') && b != b',' && b != b'/'));
    (!fine).then(|| {
        format!(
            "invalid tag '{text}': expected printable ascii (except `,` and `/`) or valid utf-8 sequences"
        )
    })
}

/// The stored form of a target: always with a port, IPv6 written out.
pub(in crate::kong) fn address(text: &str) -> Option<String> {
    let host = parse_host(text)?;
    Some(format!("{}:{}", host.text, host.port.unwrap_or(DEFAULT_PORT)))
}

/// Reads a name, an IPv4 or an IPv6 address, each with or without a port.
pub(in crate::kong) fn parse_host(text: &str) -> Option<Host> {
    if text.starts_with('[') || text.matches(':').count() > 1 {
        return parse_ipv6(text);
    }
    let (host, port) = match text.split_once(':') {
        None => (text, None),
        Some((host, port)) => (host, Some(parse_port(port)?)),
    };
    if host.chars().all(|c| c.is_ascii_digit() || c == '.') {
        let octets: Option<Vec<String>> =
            host.split('.').map(|part| part.parse::<u8>().ok().map(|octet| octet.to_string())).collect();
        let text = octets.filter(|octets| octets.len() == 4)?.join(".");
        return Some(Host { is_name: false, text, port });
    }
    is_host_name(host).then(|| Host { is_name: true, text: host.to_owned(), port })
}

fn parse_ipv6(text: &str) -> Option<Host> {
    let (inner, port) = match text.strip_prefix('[') {
        None => (text, None),
        Some(rest) => match rest.split_once(']')? {
            (inner, "") => (inner, None),
            (inner, tail) => (inner, Some(parse_port(tail.strip_prefix(':')?)?)),
        },
    };
    let groups = inner.parse::<Ipv6Addr>().ok()?.segments().map(|group| format!("{group:04x}"));
    Some(Host { is_name: false, text: format!("[{}]", groups.join(":")), port })
}

fn parse_port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// Segments of letters, digits, `_` and `-` that end in no `-`; only the last may be empty (a trailing dot).
fn is_host_name(text: &str) -> bool {
    let segments = text.strip_suffix('.').unwrap_or(text).split('.');
    let mut segments = segments.peekable();
    segments.peek().is_some()
        && segments.all(|segment| {
            !segment.is_empty()
                && !segment.ends_with('-')
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        })
}
