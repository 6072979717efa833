//! Dubbo's interface level: a provider is a node whose name is its URL, percent-encoded. Seen on Dubbo 3.3.2.

use url::form_urlencoded;

use super::entry::Entry;
use crate::model::{Address, Instance, Metadata, Weight, marks};

/// The child of an interface's node that holds its providers.
pub(super) const PROVIDERS: &str = "providers";
/// All children that an interface's node can have.
pub(super) const CATEGORIES: [&str; 4] = [PROVIDERS, "consumers", "configurators", "routers"];
/// What lives beside the interfaces under Dubbo's root.
const NO_INTERFACES: [&str; 3] = ["config", "mapping", "metadata"];
/// The weight that a provider has without saying so.
const DEFAULT_WEIGHT: f64 = 100.0;

/// The interface that a child of Dubbo's root stands for, if it is one.
pub(super) fn interface(node: &str) -> Option<String> {
    let name = decoded(node)?;
    (!NO_INTERFACES.contains(&node) && !name.is_empty()).then_some(name)
}

/// What the name of every service of an interface begins with. They are named as Dubbo names them in Nacos,
/// `providers:{interface}:{version}:{group}`, since a consumer asks for all three.
pub(super) fn beginning(interface: &str) -> String {
    format!("{PROVIDERS}:{interface}:")
}

/// Reads a provider of `interface` from its node's name.
///
/// # Errors
/// What is wrong with the name, as the rest of a sentence.
pub(super) fn provider(interface: &str, node: &str) -> Result<Entry, String> {
    let url = decoded(node).ok_or("its name is no text")?;
    let (protocol, rest) = url.split_once("://").ok_or("its name is no URL")?;
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    let address = address(authority.rsplit('@').next().unwrap_or_default())?;
    let mut metadata: Metadata = query.split('&').filter_map(parameter).collect();
    if metadata.contains_key(marks::OWNER) {
        metadata = metadata.iter().map(|(key, value)| (unescaped(key), unescaped(value))).collect();
    }
    let of = |key: &str| value(&metadata, key);
    let service = format!(
        "{}{}:{}",
        beginning(interface),
        of("version").unwrap_or_default(),
        of("group").unwrap_or_default()
    );
    let instance = Instance {
        weight: of("weight").and_then(weight).unwrap_or_default(),
        enabled: enabled(of("disabled"), of("enabled")),
        attributes: attributes(protocol, Some(path).filter(|path| *path != interface), &metadata),
        ..Instance::new(address)
    };
    let registered = of("timestamp").and_then(|stamp| stamp.parse().ok()).unwrap_or_default();
    Ok(Entry { service, registered, instance: Instance { metadata, ..instance } })
}

/// As Java's `URLDecoder` does: `+` is a space.
fn decoded(text: &str) -> Option<String> {
    // A text without `=` and `&` is one key without a value.
    let escaped = text.replace('&', "%26").replace('=', "%3D");
    match form_urlencoded::parse(escaped.as_bytes()).next() {
        Some((decoded, _)) if !decoded.contains('\u{fffd}') => Some(decoded.into_owned()),
        _ => None,
    }
}

fn address(authority: &str) -> Result<Address, String> {
    let (host, port) = authority.rsplit_once(':').ok_or("its URL has no port")?;
    let port: u16 = port.parse().map_err(|_| format!("its URL has no valid port: `{port}`"))?;
    if host.is_empty() || port == 0 {
        return Err("its URL has no host, or port 0".to_owned());
    }
    Ok(Address::new(host, port))
}

fn parameter(pair: &str) -> Option<(String, String)> {
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    (!key.is_empty()).then(|| (key.to_owned(), value.to_owned()))
}

/// Dubbo before 2.7 writes what all providers of an application share with `default.` before it.
fn value<'m>(parameters: &'m Metadata, key: &str) -> Option<&'m str> {
    let own = parameters.get(key).or_else(|| parameters.get(&format!("default.{key}")))?;
    Some(own.as_str()).filter(|value| !value.is_empty())
}

/// Whether a key tells what all providers of an application share of another, as [`value`] reads it.
pub(super) fn is_default_of(key: &str, other: &str) -> bool {
    key.strip_prefix("default.") == Some(other)
}

/// What a URL of Dubbo's can't hold in a parameter: it is decoded whole, and then taken apart at `&` and `=`. Copies of ours hold
/// it escaped; a `%` that looks like an escape is one, too.
const ESCAPES: [(&str, &str); 3] = [("%25", "%"), ("%26", "&"), ("%3D", "=")];

/// A key or a value of one of our copies, so that [`unescaped`] gives it back. Most are what they were.
pub(super) fn escaped(text: &str, is_key: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let looks_escaped = ESCAPES.iter().any(|(escape, _)| text[at..].starts_with(escape));
        match c {
            '%' if looks_escaped => escaped.push_str("%25"),
            '&' => escaped.push_str("%26"),
            '=' if is_key => escaped.push_str("%3D"),
            c => escaped.push(c),
        }
    }
    escaped
}

fn unescaped(text: &str) -> String {
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('%') {
        let (before, from) = rest.split_at(at);
        let escape = ESCAPES.iter().find(|(escape, _)| from.starts_with(escape));
        let (meant, length) = escape.map_or(("%", 1), |(escape, meant)| (*meant, escape.len()));
        plain.push_str(before);
        plain.push_str(meant);
        rest = &from[length..];
    }
    plain.push_str(rest);
    plain
}

fn weight(text: &str) -> Option<Weight> {
    Some(Weight::from_ratio(text.parse::<f64>().ok()? / DEFAULT_WEIGHT))
}

/// `disabled` outranks `enabled` in Dubbo's own directory of providers.
fn enabled(disabled: Option<&str>, enabled: Option<&str>) -> bool {
    match (disabled, enabled) {
        (Some(disabled), _) => disabled != "true",
        (None, Some(enabled)) => enabled == "true",
        (None, None) => true,
    }
}

fn attributes(protocol: &str, path: Option<&str>, parameters: &Metadata) -> Metadata {
    let mut attributes = Metadata::from([("protocol".to_owned(), protocol.to_owned())]);
    attributes.extend(path.filter(|path| !path.is_empty()).map(|path| ("path".to_owned(), path.to_owned())));
    for key in ["version", "group"] {
        if let Some(value) = value(parameters, key) {
            attributes.insert(key.to_owned(), value.to_owned());
        }
    }
    if value(parameters, "dynamic") == Some("false") {
        attributes.insert("ephemeral".to_owned(), "false".to_owned());
    }
    attributes
}

#[cfg(test)]
mod tests {
    use url::form_urlencoded::byte_serialize;

    use super::*;

    /// As Dubbo 3.3.2 wrote it.
    const RECORDED: &str = "dubbo%3A%2F%2F10.0.0.9%3A18370%2Flab.Hello%3Fapplication%3Ddemo-provider%26deprecated%3Dfalse%26dubbo%3D2.0.2%26dubbo.tag%3Dgray%26dynamic%3Dtrue%26env%3Dtest%26generic%3Dfalse%26group%3Dg1%26interface%3Dlab.Hello%26lane%3Dgray%26methods%3Dhi%26prefer.serialization%3Dhessian2%2Cfastjson2%26release%3D3.3.2%26revision%3D1.0.0%26service-name-mapping%3Dtrue%26side%3Dprovider%26timestamp%3D1795204146245%26version%3D1.0.0%26weight%3D50";

    #[test]
    fn a_recorded_provider_is_read_whole() {
        let entry = provider("lab.Hello", RECORDED).unwrap();
        assert_eq!(entry.service, "providers:lab.Hello:1.0.0:g1");
        assert_eq!(entry.registered, 1_795_204_146_245);
        let instance = entry.instance;
        assert_eq!(instance.address, Address::new("10.0.0.9", 18370));
        assert_eq!(instance.weight, Weight::from_ratio(0.5));
        assert!(instance.usable());
        assert_eq!(instance.metadata["lane"], "gray");
        assert_eq!(instance.metadata["prefer.serialization"], "hessian2,fastjson2");
        let attributes: Vec<_> = instance.attributes.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(attributes, ["group=g1", "protocol=dubbo", "version=1.0.0"]);
    }

    #[test]
    fn names_hold_what_is_there() {
        for (query, service) in [
            ("", "providers:a.B::"),
            ("version=1.0", "providers:a.B:1.0:"),
            ("group=g", "providers:a.B::g"),
            ("version=&group=", "providers:a.B::"),
            ("default.version=2.0&default.group=h", "providers:a.B:2.0:h"),
            ("version=1.0&default.version=2.0", "providers:a.B:1.0:"),
        ] {
            let entry = provider("a.B", &format!("dubbo://h:1/a.B?{query}")).unwrap();
            assert_eq!(entry.service, service, "{query}");
        }
    }

    #[test]
    fn switches_weights_and_lifetimes_are_read() {
        let read = |query: &str| provider("a.B", &format!("tri://h:1/a.B?{query}")).unwrap().instance;
        for (query, enabled) in [
            ("", true),
            ("disabled=true", false),
            ("disabled=false&enabled=false", true),
            ("enabled=false", false),
            ("enabled=true", true),
        ] {
            assert_eq!(read(query).enabled, enabled, "{query}");
        }
        for (query, ratio) in
            [("", 1.0), ("weight=0", 0.0), ("weight=250", 2.5), ("weight=x", 1.0), ("default.weight=10", 0.1)]
        {
            assert_eq!(read(query).weight, Weight::from_ratio(ratio), "{query}");
        }
        assert_eq!(read("dynamic=false").attributes["ephemeral"], "false");
        assert!(!read("dynamic=true").attributes.contains_key("ephemeral"));
    }

    #[test]
    fn values_keep_their_signs_and_spaces() {
        let node = "dubbo%3A%2F%2F%5B2001%3Adb8%3A%3A1%5D%3A80%2Fa.B%3F%E7%A9%BA%3D%E5%80%BC+with+spaces%2C+and+%3D+signs";
        let instance = provider("a.B", node).unwrap().instance;
        assert_eq!(instance.address.to_string(), "[2001:db8::1]:80");
        assert_eq!(instance.metadata["空"], "值 with spaces, and = signs");
        let with_user = provider("a.B", "dubbo://user:pw@h:1/ctx/a.B?x").unwrap().instance;
        assert_eq!((with_user.address.host.as_str(), with_user.metadata["x"].as_str()), ("h", ""));
    }

    #[test]
    fn only_our_copies_are_unescaped() {
        for text in ["x=y&z=%20", "%26", "%2526", "%", "100%", "&=%3D%25", "值"] {
            assert_eq!(unescaped(&escaped(text, true)), text);
            assert_eq!(unescaped(&escaped(text, false)), text);
        }
        assert_eq!(
            (escaped("a%20b=c", false).as_str(), escaped("a&b", false).as_str()),
            ("a%20b=c", "a%26b")
        );
        let read = |query: &str| {
            let node = format!("dubbo://h:1/a.B?{query}");
            provider("a.B", &byte_serialize(node.as_bytes()).collect::<String>()).unwrap().instance.metadata["k"].clone()
        };
        assert_eq!(read("k=a%26b"), "a%26b");
        assert_eq!(read("k=a%26b&causeway-owner=prod"), "a&b");
    }

    #[test]
    fn what_is_no_provider_is_told() {
        for (node, told) in [
            ("locks", "no URL"),
            ("dubbo://host/a.B", "no port"),
            ("dubbo://host:http/a.B", "no valid port"),
            ("dubbo://:1/a.B", "no host"),
            ("dubbo://h:0/a.B", "port 0"),
            ("%FF%FE", "no text"),
        ] {
            let error = provider("a.B", node).unwrap_err();
            assert!(error.contains(told), "{node}: {error}");
        }
    }

    #[test]
    fn fuzz_dubbo_urls() {
        crate::fuzz::fuzz(&[RECORDED.as_bytes(), b"dubbo://u:p@[::1]:80/a.B?version=1"], |bytes| {
            let name = String::from_utf8_lossy(bytes);
            let _ = (provider("lab.Hello", &name), interface(&name));
        });
    }

    #[test]
    fn only_interfaces_are_interfaces() {
        assert_eq!(interface("com.foo.Outer%24Inner").as_deref(), Some("com.foo.Outer$Inner"));
        for node in NO_INTERFACES {
            assert_eq!(interface(node), None);
        }
    }
}
