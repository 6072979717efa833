use std::fmt;
use std::net::Ipv6Addr;

/// Where an instance listens: a host name, an IPv4 or an IPv6 address (without brackets), and a port.
///
/// A host name is kept as the registry wrote it; an IPv6 address is in the form of RFC 5952, so that two spellings are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Host name or IP address, never bracketed.
    pub host: String,
    /// TCP port; 0 where the registry gives none.
    pub port: u16,
}

impl Address {
    /// An address from its parts; an IPv6 host may be bracketed.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        let host: String = host.into();
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(&host);
        match bare.parse::<Ipv6Addr>() {
            Ok(v6) => Self { host: v6.to_string(), port },
            Err(_) => Self { host, port },
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_hosts_are_bracketed_only_in_print() {
        let address = Address::new("[::1]", 80);
        assert_eq!(address.host, "::1");
        assert_eq!(address.to_string(), "[::1]:80");
        assert_eq!(address, Address::new("0:0:0:0:0:0:0:1", 80));
        assert_eq!(Address::new("db.local", 1).to_string(), "db.local:1");
    }
}
