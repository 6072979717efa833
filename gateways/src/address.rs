//! Target addresses in Kong's canonical form.

use std::fmt;
use std::net::Ipv6Addr;

/// What Kong takes where no port is given.
const DEFAULT_PORT: u16 = 8000;

/// A target's address as Kong stores it: `host:port`, IPv6 expanded and bracketed.
///
/// Kong 3.9.1: a missing port is 8000, leading zeros of a port go, the case of a host name is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetAddress(String);

/// An address that Kong would refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid host name or IP address for a Kong target")]
pub struct InvalidTarget(String);

impl TargetAddress {
    /// The canonical form of a host (unbracketed) and port.
    ///
    /// # Errors
    /// What Kong refuses: zone ids, spaces, other characters than those of host names, parts of a name that
    /// are empty or end in `-`, impossible IPv4 addresses.
    pub fn new(host: &str, port: u16) -> Result<Self, InvalidTarget> {
        if let Ok(v6) = host.parse::<Ipv6Addr>() {
            let parts: Vec<String> = v6.segments().iter().map(|s| format!("{s:04x}")).collect();
            return Ok(Self(format!("[{}]:{port}", parts.join(":"))));
        }
        let name = host.strip_suffix('.').unwrap_or(host);
        let plausible = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
            && name.split('.').all(|part| !part.is_empty() && !part.ends_with('-'));
        let numeric = host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if !plausible || (numeric && host.parse::<std::net::Ipv4Addr>().is_err()) {
            return Err(InvalidTarget(format!("{host}:{port}")));
        }
        Ok(Self(format!("{host}:{port}")))
    }

    /// The canonical form of an address as people write it: without a port it is 8000's, and an IPv6 address
    /// with one is bracketed.
    ///
    /// # Errors
    /// As [`TargetAddress::new`], and for a port that is none.
    pub fn parse(text: &str) -> Result<Self, InvalidTarget> {
        let refused = || InvalidTarget(text.to_owned());
        if text.parse::<Ipv6Addr>().is_ok() {
            return Self::new(text, DEFAULT_PORT);
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                rest.split_once(']').map(|(host, port)| (host, port.strip_prefix(':'))).ok_or_else(refused)?
            }
            None => text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Ok(DEFAULT_PORT), str::parse).map_err(|_| refused())?;
        Self::new(host, port)
    }

    /// Whether a text is plainly in canonical form already: no IPv6 address, and a port without leading
    /// zeros.
    pub(crate) fn is_stored(text: &str) -> bool {
        match text.split_once(':') {
            Some((_, port)) => !port.starts_with('0') && port.bytes().all(|b| b.is_ascii_digit()),
            None => false,
        }
    }

    /// An address that a gateway itself answered, taken as it is.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Host (an IPv6 one without brackets) and port. A port that is none counts as 0.
    pub fn parts(&self) -> (&str, u16) {
        let (host, port) = self.0.rsplit_once(':').unwrap_or((&self.0, ""));
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        (bare.unwrap_or(host), port.parse().unwrap_or_default())
    }

    /// The text, as Kong stores it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TargetAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_as_kong_stores_it() {
        for (text, stored) in [
            ("10.0.0.1", "10.0.0.1:8000"),
            ("10.0.0.1:080", "10.0.0.1:80"),
            ("::1", "[0000:0000:0000:0000:0000:0000:0000:0001]:8000"),
            ("[::1]:80", "[0000:0000:0000:0000:0000:0000:0000:0001]:80"),
            ("[2001:DB8::a]", "[2001:0db8:0000:0000:0000:0000:0000:000a]:8000"),
            ("HOST.Name:9", "HOST.Name:9"),
            ("a_b:80", "a_b:80"),
            ("host.:80", "host.:80"),
        ] {
            assert_eq!(TargetAddress::parse(text).unwrap().as_str(), stored);
        }
    }

    #[test]
    fn refused_as_kong_refuses_it() {
        for text in
            ["", ":80", "a:", "a:65536", "fe80::1%eth0", "300.0.0.1:80", "a b:1", "http://a:1", "*:1", "ü:1"]
        {
            assert!(TargetAddress::parse(text).is_err(), "{text}");
        }
        for host in ["", ".a", "a..b", "a-.b", "a-", "1.2.3"] {
            assert!(TargetAddress::new(host, 1).is_err(), "{host}");
        }
    }
}
