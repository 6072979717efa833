//! Texts with a form: each form has a name in the schema, a check with a message for people, and the type
//! that it becomes.

mod copying;
mod route;

use std::{borrow::Cow, fmt, marker::PhantomData, net::SocketAddr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};

use super::{duration, pattern::Pattern};
pub(crate) use copying::{NacosGroup, RenamePattern};
pub(crate) use route::{GroupText, HostTemplate, HttpMethod, PathTemplate, ServiceText};

/// A form of text.
pub(crate) trait Form {
    /// What a text of this form becomes.
    type Parsed;
    /// Its name, a `format` of the schema.
    const NAME: &'static str;
    /// What the schema tells about it.
    const ABOUT: &'static str;

    /// Reads a text, or says what is wrong as the rest of a sentence that begins with the text.
    fn parse(text: &str) -> Result<Self::Parsed, String>;
}

/// A value written as a text of the form `F`.
pub(crate) struct Text<F: Form>(pub(crate) F::Parsed, PhantomData<F>);

impl<F: Form> Clone for Text<F>
where
    F::Parsed: Clone,
{
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<F: Form> fmt::Debug for Text<F>
where
    F::Parsed: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de, F: Form> Deserialize<'de> for Text<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        F::parse(&text).map(|parsed| Self(parsed, PhantomData)).map_err(D::Error::custom)
    }
}

impl<F: Form> JsonSchema for Text<F> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        F::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": F::NAME, "description": F::ABOUT })
    }
}

pub(crate) type Check = fn(&str) -> Result<(), String>;

/// Every form's name and check.
pub(crate) const CHECKS: [(&str, Check); 16] = [
    (Length::NAME, by::<Length>),
    (Period::NAME, by::<Period>),
    (Glob::NAME, by::<Glob>),
    (WholeRegex::NAME, by::<WholeRegex>),
    (JavaRegex::NAME, by::<JavaRegex>),
    (Listen::NAME, by::<Listen>),
    (KongUrl::NAME, by::<KongUrl>),
    (Address::NAME, by::<Address>),
    (PathTemplate::NAME, by::<PathTemplate>),
    (HostTemplate::NAME, by::<HostTemplate>),
    (ServiceText::NAME, by::<ServiceText>),
    (GroupText::NAME, by::<GroupText>),
    (HttpMethod::NAME, by::<HttpMethod>),
    (NodePath::NAME, by::<NodePath>),
    (NacosGroup::NAME, by::<NacosGroup>),
    (RenamePattern::NAME, by::<RenamePattern>),
];

fn by<F: Form>(text: &str) -> Result<(), String> {
    F::parse(text).map(drop)
}

/// Checks a text by the name of its form; other formats of the schema (those of numbers) pass.
pub(crate) fn check(name: &str, text: &str) -> Result<(), String> {
    CHECKS.iter().find(|(known, _)| *known == name).map_or(Ok(()), |(_, check)| check(text))
}

/// A duration that may be zero.
pub(crate) enum Length {}

impl Form for Length {
    type Parsed = Duration;
    const NAME: &'static str = "causeway-length";
    const ABOUT: &'static str = "A duration such as `30s`, `500ms` or `1m30s`; `0s` is allowed.";

    fn parse(text: &str) -> Result<Duration, String> {
        duration::parse(text).map_err(str::to_owned)
    }
}

/// A duration above zero.
pub(crate) enum Period {}

impl Form for Period {
    type Parsed = Duration;
    const NAME: &'static str = "causeway-period";
    const ABOUT: &'static str = "A duration above zero, such as `30s`, `500ms` or `1m30s`.";

    fn parse(text: &str) -> Result<Duration, String> {
        duration::parse_positive(text).map_err(str::to_owned)
    }
}

/// A name, or a pattern over names with `*` and `?`.
pub(crate) enum Glob {}

impl Form for Glob {
    type Parsed = Pattern;
    const NAME: &'static str = "causeway-glob";
    const ABOUT: &'static str = "An exact name, or a glob: `*` is any run of characters, `?` is one.";

    fn parse(text: &str) -> Result<Pattern, String> {
        if text.is_empty() {
            return Err("must not be empty".to_owned());
        }
        let is_regex =
            text.starts_with(".*") || text.contains(['^', '|', '(', ')', '[', ']', '{', '}', '\\']);
        if is_regex {
            return Err(
                "is no glob (`*` and `?`); a regular expression goes under `service_pattern`".to_owned()
            );
        }
        Ok(Pattern::glob(text))
    }
}

/// A regular expression over whole names.
pub(crate) enum WholeRegex {}

impl Form for WholeRegex {
    type Parsed = Pattern;
    const NAME: &'static str = "causeway-regex";
    const ABOUT: &'static str = "A regular expression that must match the whole name.";

    fn parse(text: &str) -> Result<Pattern, String> {
        Pattern::regex(text).map_err(|why| format!("is no regular expression: {why}"))
    }
}

/// A regular expression of Java's over whole names.
pub(crate) enum JavaRegex {}

impl Form for JavaRegex {
    type Parsed = Pattern;
    const NAME: &'static str = "java-regex";
    const ABOUT: &'static str = "A regular expression of Java's that must match the whole name.";

    fn parse(text: &str) -> Result<Pattern, String> {
        Pattern::java_regex(text).map_err(|why| format!("is no regular expression: {why}"))
    }
}

/// An address to listen on.
pub(crate) enum Listen {}

impl Form for Listen {
    type Parsed = SocketAddr;
    const NAME: &'static str = "causeway-listen";
    const ABOUT: &'static str = "An IP address and a port, such as `127.0.0.1:8690` or `[::]:8690`.";

    fn parse(text: &str) -> Result<SocketAddr, String> {
        text.replacen("localhost:", "127.0.0.1:", 1).parse().map_err(|_| {
            "is no IP address with a port, such as `127.0.0.1:8690` or `0.0.0.0:8690`".to_owned()
        })
    }
}

/// A URL of Kong's Admin API; without a scheme, `http://` is meant.
pub(crate) enum KongUrl {}

impl Form for KongUrl {
    type Parsed = String;
    const NAME: &'static str = "causeway-kong-url";
    const ABOUT: &'static str = "A URL of Kong's Admin API; `host:port` means `http://host:port`.";

    fn parse(text: &str) -> Result<String, String> {
        let text = Address::parse(text)?;
        let with_scheme = if text.contains("://") { text } else { format!("http://{text}") };
        let no_url = || "is no URL of an Admin API, such as `http://127.0.0.1:8001`".to_owned();
        let url = url::Url::parse(&with_scheme).map_err(|_| no_url())?;
        if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || url.fragment().is_some() {
            return Err(no_url());
        }
        Ok(with_scheme.trim_end_matches('/').to_owned())
    }
}

/// The address of a server, with or without a scheme.
pub(crate) enum Address {}

impl Form for Address {
    type Parsed = String;
    const NAME: &'static str = "causeway-address";
    const ABOUT: &'static str = "The address of a server: `host:port`, with or without a scheme.";

    fn parse(text: &str) -> Result<String, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("must not be empty".to_owned());
        }
        if text.contains(char::is_whitespace) || text.contains(',') {
            return Err("is no address: each address is an entry of its own".to_owned());
        }
        if text.contains('@') {
            return Err("must not hold a user or password: they have keys of their own".to_owned());
        }
        Ok(text.to_owned())
    }
}

/// The path of a ZooKeeper node.
pub(crate) enum NodePath {}

impl Form for NodePath {
    type Parsed = String;
    const NAME: &'static str = "causeway-node-path";
    const ABOUT: &'static str = "The path of a ZooKeeper node, such as `/services`.";

    fn parse(text: &str) -> Result<String, String> {
        let Some(inner) = text.strip_prefix('/') else {
            return Err("is no path of a node: it begins with `/`".to_owned());
        };
        let inner = inner.trim_end_matches('/');
        let odd = |segment: &str| matches!(segment, "" | "." | "..") || segment.contains(char::is_control);
        if !inner.is_empty() && inner.split('/').any(odd) {
            return Err("is no path of a node: each part between two `/` is a name".to_owned());
        }
        Ok(format!("/{inner}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, Form, Glob, KongUrl, Listen, NodePath};

    #[test]
    fn a_nodes_path_is_absolute_and_has_no_empty_parts() {
        for (text, path) in [("/services", "/services"), ("/a/b c/", "/a/b c"), ("/", "/")] {
            assert_eq!(NodePath::parse(text).as_deref(), Ok(path));
        }
        for text in ["", "services", "/a//b", "/a/../b", "/a\u{0}"] {
            assert!(NodePath::parse(text).unwrap_err().starts_with("is no path"), "{text}");
        }
    }

    #[test]
    fn an_admin_api_without_a_scheme_is_plain_http() {
        assert_eq!(KongUrl::parse("127.0.0.1:8001").as_deref(), Ok("http://127.0.0.1:8001"));
        assert_eq!(
            KongUrl::parse("https://kong.example/admin/").as_deref(),
            Ok("https://kong.example/admin")
        );
        for text in ["ftp://kong:8001", "http://", "http://kong:port", "http://kong?a=b"] {
            assert!(KongUrl::parse(text).unwrap_err().starts_with("is no URL"), "{text}");
        }
    }

    #[test]
    fn addresses_hold_no_credentials_and_no_lists() {
        assert_eq!(Address::parse("grpc://127.0.0.1:8091").as_deref(), Ok("grpc://127.0.0.1:8091"));
        assert!(Address::parse("http://user:pw@host").unwrap_err().contains("keys of their own"));
        assert!(Address::parse("a:1,b:2").is_err());
        assert!(Address::parse(" ").is_err());
    }

    #[test]
    fn a_regular_expression_is_no_glob() {
        for text in [".*", "^orders", "orders-(a|b)", "orders[12]", r"orders\d"] {
            assert!(Glob::parse(text).unwrap_err().contains("service_pattern"), "{text}");
        }
        for text in ["*", "com.foo.*", "providers:com.foo.Outer$Inner:1.0:", "DEFAULT_GROUP@@orders"] {
            assert!(Glob::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn localhost_is_an_address_to_listen_on() {
        assert_eq!(Listen::parse("localhost:1").unwrap(), "127.0.0.1:1".parse().unwrap());
        assert!(Listen::parse(":8690").is_err());
        assert!(Listen::parse("127.0.0.1").is_err());
    }
}
