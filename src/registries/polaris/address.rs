//! Addresses of Polaris servers as people write them.

use url::Url;

use super::PolarisError;
use crate::registries::server::{Addressing, Server};

/// Polaris' HTTP API.
const ADDRESSING: Addressing =
    Addressing { registry: "Polaris", port: 8090, path: "", credentials: "`token`" };

/// Reads a list of addresses. Those of gRPC, which polaris-sync takes too, are left aside where another is there.
pub(super) fn servers(addresses: &[String], tls: bool) -> Result<Vec<Server>, PolarisError> {
    let (grpc, http): (Vec<String>, Vec<String>) =
        addresses.iter().cloned().partition(|address| address.starts_with("grpc://"));
    match grpc.first() {
        Some(address) if http.is_empty() => Err(PolarisError::Settings(format!(
            "the Polaris address `{address}` is one of gRPC, and an HTTP address is needed: \
             the same server's is `http://{}:{}` unless its port was changed",
            host(address),
            ADDRESSING.port
        ))),
        _ => ADDRESSING.servers(&http, tls).map_err(PolarisError::Settings),
    }
}

fn host(address: &str) -> String {
    let host = Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_else(|| address.trim_start_matches("grpc://").to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(addresses: &[&str], tls: bool) -> Result<Vec<String>, String> {
        let addresses: Vec<String> = addresses.iter().map(|address| (*address).to_owned()).collect();
        let servers = servers(&addresses, tls).map_err(|error| error.to_string())?;
        Ok(servers.into_iter().map(|server| server.base).collect())
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
            let _ = servers(&[address], tls);
        }
    }
}
