//! Settings for Kong's entities: values, and where in the metadata of instances they are to be found.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::template::Template;

/// What to set on Kong's entities beyond what Causeway itself needs. Only fields named here are owned
/// after creation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KongTemplates {
    /// Fields of services.
    pub service: BTreeMap<String, Setting>,
    /// Fields of upstreams.
    pub upstream: BTreeMap<String, Setting>,
    /// Tags to add to services, upstreams and routes.
    pub tags: Vec<String>,
}

/// One field's setting.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    /// As Kong's Admin API takes it.
    Value(Value),
    /// What the instances say.
    Metadata(FromMetadata),
}

/// A field that each instance says a value for.
#[derive(Debug, Clone, PartialEq)]
pub struct FromMetadata {
    /// The metadata key.
    pub key: String,
    /// What an instance says that lacks the key, or has something under it that the field does not take.
    pub otherwise: Option<Value>,
    /// What the field takes.
    pub of: FieldType,
}

/// What one of Kong's fields takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// A whole number within bounds.
    Integer {
        /// The least.
        least: i64,
        /// The most.
        most: i64,
    },
    /// True or false.
    Boolean,
    /// One of these words, in lower case.
    Word(&'static [&'static str]),
    /// A path that begins with `/`.
    Path,
    /// A host, with or without a port.
    Host,
    /// Any text.
    Text,
    /// A table of its own.
    Record,
    /// A list of texts.
    List,
}

impl FieldType {
    /// Whether a single text can say a value.
    pub fn is_told_by_metadata(self) -> bool {
        !matches!(self, Self::Record | Self::List)
    }

    /// The value that a text says.
    ///
    /// # Errors
    /// What the field takes instead, for people.
    pub fn read(self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        let read = match self {
            Self::Integer { least, most } => {
                text.parse().ok().filter(|number| (least..=most).contains(number)).map(Value::from)
            }
            Self::Boolean => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => Some(Value::Bool(true)),
                "false" | "no" | "off" => Some(Value::Bool(false)),
                _ => None,
            },
            Self::Word(words) => {
                words.iter().find(|word| word.eq_ignore_ascii_case(text)).map(|word| Value::from(*word))
            }
            Self::Path => is_path(text).then(|| Value::from(text)),
            Self::Host => is_host(text).then(|| Value::from(text)),
            Self::Text => (!text.is_empty()).then(|| Value::from(text)),
            Self::Record | Self::List => None,
        };
        read.ok_or_else(|| self.takes())
    }

    fn takes(self) -> String {
        match self {
            Self::Integer { least, most } => format!("a whole number from {least} to {most}"),
            Self::Boolean => "true or false".to_owned(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Path => "a path that begins with `/`".to_owned(),
            Self::Host => "a host name or IPv4 address, with or without a port".to_owned(),
            Self::Text => "a text that is not empty".to_owned(),
            Self::Record => "a table".to_owned(),
            Self::List => "a list".to_owned(),
        }
    }
}

/// Kong 3.9.1: begins with a slash, has no empty segment, and only characters that RFC 3986 allows in a path.
fn is_path(text: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"/._~-%".contains(&b);
    text.starts_with('/') && !text.contains("//") && text.bytes().all(fine)
}

/// Parts of letters, digits, `_` and `-` that do not end in `-`, and maybe a port.
fn is_host(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "80"));
    let fine = |part: &str| {
        let known = part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        !part.is_empty() && !part.ends_with('-') && known
    };
    port.parse::<u16>().is_ok() && host.split('.').all(fine)
}

/// The route that Kong gets for each service, and for each of its instance groups.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RouteTemplate {
    /// Paths; those that begin with `~` are regular expressions. `None`: the user's after creation.
    pub paths: Option<Vec<Template>>,
    /// Hosts, likewise.
    pub hosts: Option<Vec<Template>>,
    /// Values of headers by their names, likewise.
    pub headers: Option<BTreeMap<String, Vec<Template>>>,
    /// The headers by which a request chooses a group. Empty: groups get no routes.
    pub group_headers: BTreeMap<String, Template>,
    /// All other fields that are named, as Kong's Admin API takes them.
    pub fields: BTreeMap<String, Value>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_says_a_value_that_its_field_takes_or_what_it_takes() {
        let port = FieldType::Integer { least: 0, most: 65_535 };
        let word = FieldType::Word(&["http", "grpc"]);
        for (of, text, read) in [
            (port, " 9090 ", json!(9090)),
            (FieldType::Boolean, "True", json!(true)),
            (FieldType::Boolean, "off", json!(false)),
            (word, "gRPC", json!("grpc")),
            (FieldType::Path, "/v1/orders", json!("/v1/orders")),
            (FieldType::Host, "orders.example:8080", json!("orders.example:8080")),
            (FieldType::Text, "x", json!("x")),
        ] {
            assert_eq!(of.read(text), Ok(read), "{text}");
        }
        for (of, texts, takes) in [
            (port, &["abc", "", "-1", "65536", "1.5"][..], "a whole number from 0 to 65535"),
            (FieldType::Boolean, &["", "1"][..], "true or false"),
            (word, &["", "htp"][..], "one of http, grpc"),
            (FieldType::Path, &["", "v1", "//", "/a b", "/a?b"][..], "a path that begins with `/`"),
            (
                FieldType::Host,
                &["", "a b", "a-", "a:b", "a..b", "http://a"][..],
                "a host name or IPv4 address, with or without a port",
            ),
            (FieldType::Text, &["", " "][..], "a text that is not empty"),
        ] {
            for text in texts {
                assert_eq!(of.read(text), Err(takes.to_owned()), "{text}");
            }
        }
    }
}
