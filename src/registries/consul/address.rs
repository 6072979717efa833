//! Addresses of Consul servers and agents as people write them.

use url::Url;

use super::ConsulError;

const DEFAULT_PORT: u16 = 8500;

/// One server or agent, or a load balancer in front of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// `host:port`, for people.
    pub(super) label: String,
    /// The base of requests, without a slash at the end.
    pub(super) base: String,
}

impl Server {
    /// Reads `host`, `host:port`, `http://…` and `https://…`, with an optional path that stands before every request's own. Without
    /// a scheme `tls` decides. The port is 8500 by default, with `https://` too, since Consul has no default port for it.
    pub(super) fn parse(address: &str, tls: bool) -> Result<Self, ConsulError> {
        let wrong = |why: &str| ConsulError::Settings(format!("the Consul address `{address}` {why}"));
        let (scheme, rest) = match address.split_once("://") {
            None => (if tls { "https" } else { "http" }, address),
            Some((scheme @ ("http" | "https"), rest)) => (scheme, rest),
            Some(_) => return Err(wrong("must begin with http:// or https://, or be host:port")),
        };
        let url = Url::parse(&format!("{scheme}://{rest}"))
            .map_err(|error| wrong(&format!("can't be used: {error}")))?;
        let host = url.host_str().ok_or_else(|| wrong("holds no host"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("must hold no user or password; use `token`"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("must end with its path"));
        }
        let port = port(rest, &url).unwrap_or(DEFAULT_PORT);
        let path = url.path().trim_end_matches('/');
        Ok(Self { label: format!("{host}:{port}"), base: format!("{scheme}://{host}:{port}{path}") })
    }
}

/// The port as written. `Url` forgets one that is the scheme's own.
fn port(rest: &str, url: &Url) -> Option<u16> {
    let authority = rest.split('/').next().unwrap_or_default();
    let own = url.port_or_known_default().filter(|port| authority.ends_with(&format!(":{port}")));
    url.port().or(own)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_form_gives_a_base() {
        let cases = [
            ("consul", false, "http://consul:8500", "consul:8500"),
            ("consul", true, "https://consul:8500", "consul:8500"),
            ("10.0.0.1:80", false, "http://10.0.0.1:80", "10.0.0.1:80"),
            ("https://consul:443/", false, "https://consul:443", "consul:443"),
            ("http://lb/consul/", true, "http://lb:8500/consul", "lb:8500"),
            ("[::1]:8500", false, "http://[::1]:8500", "[::1]:8500"),
            ("[::1]", false, "http://[::1]:8500", "[::1]:8500"),
        ];
        for (address, tls, base, label) in cases {
            let server = Server::parse(address, tls).unwrap();
            assert_eq!((server.base.as_str(), server.label.as_str()), (base, label), "{address}");
        }
    }

    #[test]
    fn mistakes_are_told_with_the_address() {
        for address in [
            "",
            ":1",
            "consul:x",
            "consul:70000",
            "grpc://consul:1",
            "http://u:p@consul",
            "consul?dc=x",
            "::1",
        ] {
            let told = Server::parse(address, false).unwrap_err().to_string();
            assert!(told.starts_with(&format!("the Consul address `{address}` ")), "{told}");
        }
    }

    proptest! {
        #[test]
        fn no_address_makes_it_panic(address in "\\PC{0,24}", tls: bool) {
            let _ = Server::parse(&address, tls);
        }
    }
}
