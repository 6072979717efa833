//! Addresses of Polaris servers as people write them.

use super::PolarisError;

/// Where Polaris' HTTP API listens unless it is told otherwise.
const DEFAULT_PORT: u16 = 8090;

/// One server's HTTP API, or a load balancer in front of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// `host:port`, for people.
    pub(super) label: String,
    /// The base of requests, without a slash at the end.
    pub(super) url: String,
}

impl Server {
    /// Reads a list of addresses. Those of gRPC, which polaris-sync takes too, are left aside where another is there.
    pub(super) fn parse_all(addresses: &[String], tls: bool) -> Result<Vec<Self>, PolarisError> {
        let (grpc, http): (Vec<&String>, Vec<&String>) =
            addresses.iter().partition(|address| address.starts_with("grpc://"));
        match (http.is_empty(), grpc.first()) {
            (true, None) => {
                Err(PolarisError::Settings("a Polaris registry needs at least one address".to_owned()))
            }
            (true, Some(address)) => Err(PolarisError::Settings(format!(
                "the Polaris address `{address}` is one of gRPC, and an HTTP address is needed: \
                 the same server's is `http://{}` unless its port was changed",
                http_host(address)
            ))),
            (false, _) => http.into_iter().map(|address| Self::parse(address, tls)).collect(),
        }
    }

    /// Reads `host`, `host:port`, `http://…` and `https://…`, with an optional path in front of the API's own. Without a
    /// scheme `tls` decides.
    fn parse(address: &str, tls: bool) -> Result<Self, PolarisError> {
        let wrong = |why: &str| PolarisError::Settings(format!("the Polaris address `{address}` {why}"));
        let (scheme, rest) = match address.split_once("://") {
            None if tls => ("https", address),
            None => ("http", address),
            Some((scheme @ ("http" | "https"), rest)) => (scheme, rest),
            Some(_) => return Err(wrong("must begin with http:// or https://, or be host:port")),
        };
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let (host, port) =
            host_and_port(authority).ok_or_else(|| wrong("holds no host, or no valid port"))?;
        let label = format!("{host}:{port}");
        let url = format!("{scheme}://{label}{}", path.trim_end_matches('/'));
        Ok(Self { label, url })
    }
}

fn http_host(grpc: &str) -> String {
    let authority = grpc.trim_start_matches("grpc://").trim_end_matches('/');
    let host = host_and_port(authority).map_or(authority, |(host, _)| host);
    format!("{host}:{DEFAULT_PORT}")
}

fn host_and_port(authority: &str) -> Option<(&str, u16)> {
    let after_host = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let (host, port) = match authority[after_host..].rfind(':') {
        Some(colon) => (&authority[..after_host + colon], authority[after_host + colon + 1..].parse().ok()?),
        None => (authority, DEFAULT_PORT),
    };
    let usable =
        !host.is_empty() && !host.contains(['@', ' ', '?', '#']) && (after_host > 0 || !host.contains(':'));
    usable.then_some((host, port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(addresses: &[&str], tls: bool) -> Result<Vec<String>, String> {
        let addresses: Vec<String> = addresses.iter().map(|address| (*address).to_owned()).collect();
        let servers = Server::parse_all(&addresses, tls).map_err(|error| error.to_string())?;
        Ok(servers.into_iter().map(|server| server.url).collect())
    }

    #[test]
    fn each_form_is_read() {
        let cases = [
            ("127.0.0.1:8090", false, "http://127.0.0.1:8090"),
            ("polaris", false, "http://polaris:8090"),
            ("polaris:80", true, "https://polaris:80"),
            ("http://polaris:80/", true, "http://polaris:80"),
            ("https://lb:443/polaris/", false, "https://lb:443/polaris"),
            ("[::1]:8090", false, "http://[::1]:8090"),
        ];
        for (address, tls, url) in cases {
            assert_eq!(parsed(&[address], tls), Ok(vec![url.to_owned()]), "{address}");
        }
    }

    #[test]
    fn grpc_alone_is_told_and_beside_http_it_is_left_aside() {
        let told = parsed(&["grpc://10.0.0.1:8091"], false).unwrap_err();
        assert!(
            told.contains("an HTTP address is needed") && told.contains("http://10.0.0.1:8090"),
            "{told}"
        );
        assert_eq!(parsed(&["grpc://a:8091", "b:8090"], false), Ok(vec!["http://b:8090".to_owned()]));
    }

    #[test]
    fn mistakes_are_told_with_the_address() {
        for address in ["nacos://x:1", "", ":1", "x:y", "x:70000", "::1", "http://"] {
            let told = parsed(&[address], false).unwrap_err();
            assert!(told.starts_with(&format!("the Polaris address `{address}` ")), "{told}");
        }
        assert!(parsed(&[], false).unwrap_err().contains("at least one"));
    }

    proptest! {
        #[test]
        fn no_address_makes_it_panic(address in "\\PC{0,24}", tls: bool) {
            let _ = Server::parse_all(&[address], tls);
        }
    }
}
