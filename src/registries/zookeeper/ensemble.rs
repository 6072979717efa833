//! Addresses of a ZooKeeper ensemble as people write them.

use super::ZookeeperError;

const DEFAULT_PORT: u16 = 2181;
/// Dubbo writes registries so.
const SCHEME: &str = "zookeeper://";

/// Servers of one ensemble, and the node that stands for its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ensemble {
    /// `host:port` of each.
    pub(super) servers: Vec<String>,
    /// Without a slash at the end; empty when there is none.
    pub(super) chroot: String,
}

impl Ensemble {
    /// Reads `host`, `host:port` and `zookeeper://…`, each with an optional chroot behind it. As in ZooKeeper's own connect
    /// strings one chroot is every server's, so those that are written must be the same.
    pub(super) fn parse(addresses: &[String]) -> Result<Self, ZookeeperError> {
        let mut ensemble = Self { servers: Vec::new(), chroot: String::new() };
        for address in addresses {
            ensemble.add(address).map_err(|why| {
                ZookeeperError::Settings(format!("the ZooKeeper address `{address}` {why}"))
            })?;
        }
        if ensemble.servers.is_empty() {
            return Err(ZookeeperError::Settings("a ZooKeeper needs at least one address".to_owned()));
        }
        Ok(ensemble)
    }

    fn add(&mut self, address: &str) -> Result<(), String> {
        let bare = address.strip_prefix(SCHEME).unwrap_or(address);
        if bare.contains("://") {
            return Err("must be host:port, with an optional chroot such as /prod behind it".to_owned());
        }
        let (server, chroot) = bare.find('/').map_or((bare, ""), |slash| bare.split_at(slash));
        let chroot = chroot.trim_end_matches('/');
        if chroot.split('/').skip(1).any(|part| matches!(part, "" | "." | "..")) {
            return Err("ends with something that is no path of a node".to_owned());
        }
        if !chroot.is_empty() && !self.chroot.is_empty() && chroot != self.chroot {
            return Err(format!(
                "has another chroot than `{}`; all servers of an ensemble share one",
                self.chroot
            ));
        }
        if !chroot.is_empty() {
            chroot.clone_into(&mut self.chroot);
        }
        let server = with_port(server).ok_or("holds no host, or no valid port")?;
        self.servers.push(server);
        Ok(())
    }

    /// As ZooKeeper's clients write it.
    pub(super) fn connect_string(&self) -> String {
        format!("{}{}", self.servers.join(","), self.chroot)
    }
}

fn with_port(server: &str) -> Option<String> {
    let colon = server.rfind(':').filter(|colon| !server[*colon..].contains(']'));
    let (host, port) = colon.map_or((server, None), |colon| (&server[..colon], Some(&server[colon + 1..])));
    let bracketed = host.starts_with('[') && host.ends_with(']');
    if host.is_empty() || (host.contains(':') && !bracketed) {
        return None;
    }
    let port = port.map_or(Some(DEFAULT_PORT), |port| port.parse().ok().filter(|port| *port != 0))?;
    Some(format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(addresses: &[&str]) -> Result<String, String> {
        let addresses: Vec<String> = addresses.iter().map(|address| (*address).to_owned()).collect();
        Ensemble::parse(&addresses)
            .map(|ensemble| ensemble.connect_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn servers_of_one_ensemble_share_a_chroot() {
        for (written, read) in [
            (&["127.0.0.1:2181"][..], "127.0.0.1:2181"),
            (&["a", "b:2182", "[::1]:2183"], "a:2181,b:2182,[::1]:2183"),
            (&["a:1/prod", "b:1/prod/"], "a:1,b:1/prod"),
            (&["a:1", "b:1/prod/x"], "a:1,b:1/prod/x"),
            (&["zookeeper://a:1/"], "a:1"),
        ] {
            assert_eq!(parse(written).as_deref(), Ok(read));
        }
    }

    #[test]
    fn what_is_no_address_is_told() {
        for (written, told) in [
            (&["a:1/x", "b:1/y"][..], "another chroot than `/x`"),
            (&["http://a:1"], "must be host:port"),
            (&["a:0"], "no valid port"),
            (&[":2181"], "no host"),
            (&["::1"], "no host"),
            (&["a:1/x//y"], "no path"),
            (&[], "at least one"),
        ] {
            let error = parse(written).unwrap_err();
            assert!(error.contains(told), "{written:?}: {error}");
        }
    }
}
