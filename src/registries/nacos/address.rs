//! Addresses of Nacos servers as people write them.

use super::NacosError;

const DEFAULT_PORT: u16 = 8848;
/// The gRPC port that a server derives from its main one.
const GRPC_OFFSET: u16 = 1000;
const DEFAULT_CONTEXT: &str = "/nacos";

/// One server, or a load balancer in front of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// `host:port`, for people.
    pub(super) label: String,
    /// The base of HTTP requests, without a slash at the end.
    pub(super) http: String,
    /// The origin of gRPC requests.
    pub(super) grpc: String,
    context: String,
    http_tls: bool,
    grpc_tls: bool,
}

/// What can stand behind the `?` of an address.
#[derive(Default)]
struct Options {
    grpc_port: Option<u16>,
    grpc_tls: Option<bool>,
}

impl Server {
    /// Reads `host`, `host:port`, `http://…` and `https://…`, with an optional context path (default `/nacos`) and
    /// `?grpc_port=…&grpc_tls=true|false`. Without them gRPC is at the port plus 1000, and encrypted when HTTP is or when
    /// `tls` is set; without a scheme `tls` decides for both.
    pub(super) fn parse(address: &str, tls: bool) -> Result<Self, NacosError> {
        let wrong = |why: &str| NacosError::Settings(format!("the Nacos address `{address}` {why}"));
        let (http_tls, rest) = match address.split_once("://") {
            None => (tls, address),
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            Some(_) => return Err(wrong("must begin with http:// or https://, or be host:port")),
        };
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, context) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let (host, port) =
            host_and_port(authority).ok_or_else(|| wrong("holds no host, or no valid port"))?;
        let options = Options::parse(options).map_err(|why| wrong(&why))?;
        let grpc_port = options.grpc_port.or_else(|| port.checked_add(GRPC_OFFSET));
        let grpc_port = grpc_port.ok_or_else(|| wrong("leaves no gRPC port at its port plus 1000"))?;
        let context = match context.trim_end_matches('/') {
            "" => DEFAULT_CONTEXT,
            given => given,
        };
        let grpc_tls = options.grpc_tls.unwrap_or(http_tls || tls);
        Ok(Self::new(host, port, grpc_port, context, http_tls, grpc_tls))
    }

    /// The server that this one names in its place: an address whose port is the main one.
    pub(super) fn redirected(&self, host: &str, port: u16) -> Option<Self> {
        let grpc_port = port.checked_add(GRPC_OFFSET)?;
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        Some(Self::new(&host, port, grpc_port, &self.context, self.http_tls, self.grpc_tls))
    }

    fn new(host: &str, port: u16, grpc_port: u16, context: &str, http_tls: bool, grpc_tls: bool) -> Self {
        let scheme = |tls: bool| if tls { "https" } else { "http" };
        Self {
            label: format!("{host}:{port}"),
            http: format!("{}://{host}:{port}{context}", scheme(http_tls)),
            grpc: format!("{}://{host}:{grpc_port}", scheme(grpc_tls)),
            context: context.to_owned(),
            http_tls,
            grpc_tls,
        }
    }

    /// Whether gRPC is encrypted.
    pub(super) fn grpc_tls(&self) -> bool {
        self.grpc_tls
    }
}

impl Options {
    fn parse(text: &str) -> Result<Self, String> {
        let mut options = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("grpc_port", port)) => {
                    options.grpc_port =
                        Some(port.parse().map_err(|_| format!("has no valid grpc_port: `{port}`"))?);
                }
                Some(("grpc_tls", tls)) => {
                    options.grpc_tls = Some(
                        tls.parse()
                            .map_err(|_| format!("wants grpc_tls to be true or false, not `{tls}`"))?,
                    );
                }
                _ => return Err(format!("has an unknown option `{pair}`; known are grpc_port and grpc_tls")),
            }
        }
        Ok(options)
    }
}

fn host_and_port(authority: &str) -> Option<(&str, u16)> {
    let after_host = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let (host, port) = match authority[after_host..].rfind(':') {
        Some(colon) => (&authority[..after_host + colon], authority[after_host + colon + 1..].parse().ok()?),
        None => (authority, DEFAULT_PORT),
    };
    let usable = !host.is_empty() && !host.contains(['@', ' ']) && (after_host > 0 || !host.contains(':'));
    usable.then_some((host, port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(address: &str, tls: bool) -> (String, String) {
        let server = Server::parse(address, tls).unwrap();
        (server.http, server.grpc)
    }

    #[test]
    fn each_form_gives_both_endpoints() {
        let cases = [
            ("nacos", false, "http://nacos:8848/nacos", "http://nacos:9848"),
            ("10.0.0.1:80", false, "http://10.0.0.1:80/nacos", "http://10.0.0.1:1080"),
            ("nacos:8848", true, "https://nacos:8848/nacos", "https://nacos:9848"),
            ("http://nacos:8848", true, "http://nacos:8848/nacos", "https://nacos:9848"),
            ("https://nacos:443/", false, "https://nacos:443/nacos", "https://nacos:1443"),
            ("https://nacos:443/registry/", false, "https://nacos:443/registry", "https://nacos:1443"),
            ("[::1]:8848", false, "http://[::1]:8848/nacos", "http://[::1]:9848"),
            ("[::1]", false, "http://[::1]:8848/nacos", "http://[::1]:9848"),
            ("https://lb?grpc_port=9999&grpc_tls=false", false, "https://lb:8848/nacos", "http://lb:9999"),
        ];
        for (address, tls, http, grpc) in cases {
            assert_eq!(parsed(address, tls), (http.to_owned(), grpc.to_owned()), "{address}");
        }
    }

    #[test]
    fn mistakes_are_told_with_the_address() {
        for address in
            ["grpc://nacos:1", "", ":1", "nacos:x", "nacos:65000", "nacos?grpc_port=x", "nacos?tls=1", "::1"]
        {
            let told = Server::parse(address, false).unwrap_err().to_string();
            assert!(told.starts_with(&format!("the Nacos address `{address}` ")), "{told}");
        }
    }

    #[test]
    fn a_redirect_keeps_the_encryption_and_the_context() {
        let server = Server::parse("https://nacos:8848/ctx", false).unwrap();
        let other = server.redirected("::2", 8848).unwrap();
        assert_eq!(
            (other.http.as_str(), other.grpc.as_str()),
            ("https://[::2]:8848/ctx", "https://[::2]:9848")
        );
        assert_eq!(server.redirected("x", 65_000), None);
    }

    proptest! {
        #[test]
        fn no_address_makes_it_panic(address in "\\PC{0,24}", tls: bool) {
            let _ = Server::parse(&address, tls);
        }
    }
}
