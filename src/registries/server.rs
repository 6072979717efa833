//! Addresses of servers that speak HTTP, as people write them.

use url::Url;

/// How a type of registry's addresses are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addressing {
    /// The registry's name, for people.
    pub(super) registry: &'static str,
    /// The port where none is written, whatever the scheme.
    pub(super) port: u16,
    /// The path before every request's own where none is written: empty, or with a slash before it and none behind.
    pub(super) path: &'static str,
    /// Where user or token belong, since an address may hold neither.
    pub(super) credentials: &'static str,
}

/// One server, or a load balancer in front of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// `host:port`, for people.
    pub(super) label: String,
    /// The base of requests, without a slash at the end.
    pub(super) base: String,
}

impl Addressing {
    /// Reads all addresses of a registry.
    ///
    /// # Errors
    /// As [`Addressing::parse`], and that there are none.
    pub(super) fn servers(&self, addresses: &[String], tls: bool) -> Result<Vec<Server>, String> {
        if addresses.is_empty() {
            return Err(format!("a {} registry needs at least one address", self.registry));
        }
        addresses.iter().map(|address| self.parse(address, tls)).collect()
    }

    /// Reads `host`, `host:port`, `http://…` and `https://…`, with an optional path. Without a scheme `tls` decides.
    ///
    /// # Errors
    /// What is wrong with the address, for people.
    pub(super) fn parse(&self, address: &str, tls: bool) -> Result<Server, String> {
        let wrong = |why: &str| format!("the {} address `{address}` {why}", self.registry);
        let (scheme, rest) = match address.split_once("://") {
            None => (if tls { "https" } else { "http" }, address),
            Some((scheme @ ("http" | "https"), rest)) => (scheme, rest),
            Some(_) => return Err(wrong("must begin with http:// or https://, or be host:port")),
        };
        let url = Url::parse(&format!("{scheme}://{rest}"))
            .map_err(|error| wrong(&format!("can't be used: {error}")))?;
        let host = url.host_str().ok_or_else(|| wrong("holds no host"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(&format!("must hold no user or password; use {}", self.credentials)));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("must end with its path"));
        }
        let port = written_port(rest, &url).unwrap_or(self.port);
        let path = match url.path().trim_end_matches('/') {
            "" => self.path,
            path => path,
        };
        Ok(Server { label: format!("{host}:{port}"), base: format!("{scheme}://{host}:{port}{path}") })
    }
}

/// The port as written. `Url` forgets one that is the scheme's own.
fn written_port(rest: &str, url: &Url) -> Option<u16> {
    let authority = rest.split('/').next().unwrap_or_default();
    let own = url.port_or_known_default().filter(|port| authority.ends_with(&format!(":{port}")));
    url.port().or(own)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BARE: Addressing = Addressing { registry: "X", port: 8500, path: "", credentials: "`token`" };
    const BELOW: Addressing = Addressing { path: "/eureka", ..BARE };

    #[test]
    fn each_form_gives_a_base() {
        let cases = [
            (BARE, "host", false, "http://host:8500", "host:8500"),
            (BARE, "host", true, "https://host:8500", "host:8500"),
            (BARE, "10.0.0.1:80", false, "http://10.0.0.1:80", "10.0.0.1:80"),
            (BARE, "https://host:443/", false, "https://host:443", "host:443"),
            (BARE, "http://lb/consul/", true, "http://lb:8500/consul", "lb:8500"),
            (BARE, "[::1]:8500", false, "http://[::1]:8500", "[::1]:8500"),
            (BARE, "[::1]", false, "http://[::1]:8500", "[::1]:8500"),
            (BELOW, "host/", false, "http://host:8500/eureka", "host:8500"),
            (BELOW, "https://host:1/eureka/v2/", false, "https://host:1/eureka/v2", "host:1"),
        ];
        for (addressing, address, tls, base, label) in cases {
            let server = addressing.parse(address, tls).unwrap();
            assert_eq!((server.base.as_str(), server.label.as_str()), (base, label), "{address}");
        }
    }

    #[test]
    fn mistakes_are_told_with_the_address() {
        for address in
            ["", ":1", "host:x", "host:70000", "grpc://host:1", "http://u:p@host", "host?dc=x", "::1"]
        {
            let told = BARE.parse(address, false).unwrap_err();
            assert!(told.starts_with(&format!("the X address `{address}` ")), "{told}");
        }
        assert!(BARE.parse("u:p@host", false).unwrap_err().ends_with("use `token`"));
    }

    #[test]
    fn one_address_at_least_is_needed_and_each_must_be_good() {
        let servers = |addresses: &[&str]| {
            BARE.servers(&addresses.iter().map(|address| (*address).to_owned()).collect::<Vec<_>>(), false)
        };
        let labels = servers(&["a", "b:1"]).unwrap().into_iter().map(|server| server.label);
        assert_eq!(labels.collect::<Vec<_>>(), ["a:8500", "b:1"]);
        assert_eq!(servers(&[]).unwrap_err(), "a X registry needs at least one address");
        assert!(servers(&["a", "host:x"]).unwrap_err().contains("`host:x`"));
    }

    proptest! {
        #[test]
        fn no_address_makes_it_panic(address in "\\PC{0,24}", tls: bool) {
            let _ = BARE.parse(&address, tls);
        }
    }
}
