//! Texts of routes. Each is checked with its placeholders filled by an `x`.

use regex::Regex;

use super::Form;
use crate::config::{
    pattern::last_line,
    template::{About, Template},
};

/// A path of a route.
pub(crate) enum PathTemplate {}

impl Form for PathTemplate {
    type Parsed = Template;
    const NAME: &'static str = "causeway-path-template";
    const ABOUT: &'static str = "A path that begins with `/`, or with `~/` a regular expression; with {source}, {namespace} and {service}.";

    fn parse(text: &str) -> Result<Template, String> {
        let template = Template::parse(text, About::Service)?;
        let path = template.example();
        if let Some(pattern) = path.strip_prefix('~').filter(|path| path.starts_with('/')) {
            return match Regex::new(pattern) {
                Ok(_) => Ok(template),
                Err(error) => Err(format!("is no regular expression: {}", last_line(&error.to_string()))),
            };
        }
        if !path.starts_with('/') {
            return Err("must begin with `/`, or with `~/` for a regular expression".to_owned());
        }
        if path.contains("//") {
            return Err("must not have an empty segment".to_owned());
        }
        match path.chars().find(|c| !c.is_ascii_alphanumeric() && !"/._~-%:@!$&'()*+,;=".contains(*c)) {
            Some(c) => Err(format!("holds `{c}`, which no path may (a regular expression begins with `~/`)")),
            None => Ok(template),
        }
    }
}

/// A host of a route.
pub(crate) enum HostTemplate {}

impl Form for HostTemplate {
    type Parsed = Template;
    const NAME: &'static str = "causeway-host-template";
    const ABOUT: &'static str =
        "A host, whose first or last label may be `*`; with {source}, {namespace} and {service}.";

    fn parse(text: &str) -> Result<Template, String> {
        let template = Template::parse(text, About::Service)?;
        let example = template.example();
        let (host, port) = example.split_once(':').unwrap_or((&example, "80"));
        let exact = host.strip_prefix("*.").or_else(|| host.strip_suffix(".*")).unwrap_or(host);
        let fine = |label: &str| {
            let known = label.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
            !label.is_empty() && !label.ends_with('-') && known
        };
        if port.parse::<u16>().is_ok() && exact.split('.').all(fine) {
            return Ok(template);
        }
        Err("is no host: labels of letters, digits, `_` and `-` with dots between them, of which the first or \
             the last may be `*`"
            .to_owned())
    }
}

/// The value of a header that every route has.
pub(crate) enum ServiceText {}

impl Form for ServiceText {
    type Parsed = Template;
    const NAME: &'static str = "causeway-service-template";
    const ABOUT: &'static str =
        "A value, or after `~*` a regular expression; with {source}, {namespace} and {service}.";

    fn parse(text: &str) -> Result<Template, String> {
        header_value(text, About::Service)
    }
}

/// The value of a header by which a request chooses a group.
pub(crate) enum GroupText {}

impl Form for GroupText {
    type Parsed = Template;
    const NAME: &'static str = "causeway-group-template";
    const ABOUT: &'static str = "A value, or after `~*` a regular expression; with {source}, {namespace}, {service}, {group} and {metadata.KEY}.";

    fn parse(text: &str) -> Result<Template, String> {
        header_value(text, About::Group)
    }
}

fn header_value(text: &str, about: About) -> Result<Template, String> {
    if text.is_empty() {
        return Err("must not be empty".to_owned());
    }
    let template = Template::parse(text, about)?;
    match template.example().strip_prefix("~*").map(Regex::new) {
        Some(Err(error)) => Err(format!("is no regular expression: {}", last_line(&error.to_string()))),
        _ => Ok(template),
    }
}

/// An HTTP method.
pub(crate) enum HttpMethod {}

impl Form for HttpMethod {
    type Parsed = String;
    const NAME: &'static str = "causeway-http-method";
    const ABOUT: &'static str = "An HTTP method, such as `GET`.";

    fn parse(text: &str) -> Result<String, String> {
        let fine = !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase());
        if fine { Ok(text.to_owned()) } else { Err("is no method: they are in capital letters".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake<F: Form<Parsed = Template>>(text: &str) -> String {
        F::parse(text).unwrap_err()
    }

    #[test]
    fn paths_hosts_and_values_that_kong_takes_are_taken() {
        for path in
            ["/", "/{service}", "/{namespace}/{service}/v1", r"~/{service}/\d{{3}}$", "~/(?<id>[^/]+)/x"]
        {
            assert!(PathTemplate::parse(path).is_ok(), "{path}");
        }
        for host in [
            "{service}.{namespace}.example.com",
            "*.example.com",
            "{service}.*",
            "a.example:8443",
            "{service}",
        ] {
            assert!(HostTemplate::parse(host).is_ok(), "{host}");
        }
        for value in ["{metadata.version}", "1.0.0", "~*^v[0-9]+$", "{group}"] {
            assert!(GroupText::parse(value).is_ok(), "{value}");
        }
        assert!(HttpMethod::parse("PATCH").is_ok() && HttpMethod::parse("get").is_err());
    }

    #[test]
    fn what_kong_would_refuse_is_a_mistake() {
        assert!(mistake::<PathTemplate>("{service}").starts_with("must begin with `/`"));
        assert!(mistake::<PathTemplate>("/a//b").contains("empty segment"));
        assert!(mistake::<PathTemplate>("/a b").contains("holds ` `"));
        assert!(mistake::<PathTemplate>("~/(").contains("is no regular expression: unclosed group"));
        for host in ["", "a b", "a.*.b", "a-.b", "http://a", "{service}-.x", "*x.y"] {
            assert!(mistake::<HostTemplate>(host).starts_with("is no host"), "{host}");
        }
        assert!(mistake::<ServiceText>("{group}").contains("`group_headers` only"));
        assert!(mistake::<GroupText>("~*(").contains("is no regular expression"));
        assert_eq!(mistake::<GroupText>(""), "must not be empty");
    }
}
