//! What can go wrong with a ZooKeeper.

use crate::registries::troubles::Alike;

/// Why a ZooKeeper didn't give what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZookeeperError {
    /// The configuration can't be used.
    #[error("{0}")]
    Settings(String),
    /// No server gives us a session.
    #[error("no session: {0}")]
    Unreachable(String),
    /// A session that we had is over.
    #[error("the connection has ended: {0}")]
    Lost(String),
    /// The credentials are refused as such.
    #[error("the servers refuse the credentials; check `user` and `password`")]
    Login,
    /// The chroot that the addresses end with isn't there, so nothing can be known about what is under it.
    #[error("there is no node {0}, which the addresses end with")]
    NoChroot(String),
    /// The rights of a node don't allow us to read it.
    #[error(
        "reading {0} is refused (not authorized); check `user` and `password`, and that the node's ACL lets them read"
    )]
    Denied(String),
    /// Any other refusal.
    #[error("reading {path} fails: {message}")]
    Refused {
        /// The node.
        path: String,
        /// The client library's words for the server's code.
        message: String,
    },
}

impl ZookeeperError {
    /// What the server says about a node.
    pub(super) fn of_node(path: &str, error: &zookeeper_client::Error) -> Self {
        match error {
            zookeeper_client::Error::NoAuth => Self::Denied(path.to_owned()),
            zookeeper_client::Error::ConnectionLoss
            | zookeeper_client::Error::SessionExpired
            | zookeeper_client::Error::ClientClosed
            | zookeeper_client::Error::Custom(_) => Self::Lost(error.to_string()),
            zookeeper_client::Error::AuthFailed => Self::Login,
            _ => Self::Refused { path: path.to_owned(), message: error.to_string() },
        }
    }

    /// It concerns one node only; the session goes on.
    pub(super) fn is_of_node(&self) -> bool {
        matches!(self, Self::Denied(_) | Self::Refused { .. })
    }
}

impl Alike for ZookeeperError {
    fn is_like(&self, other: &Self) -> bool {
        let away = |error: &Self| matches!(error, Self::Unreachable(_) | Self::Lost(_));
        std::mem::discriminant(self) == std::mem::discriminant(other) || (away(self) && away(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_away_is_away_however_it_shows() {
        let unreachable = ZookeeperError::Unreachable("refused".to_owned());
        let lost = ZookeeperError::Lost("reset".to_owned());
        assert!(unreachable.is_like(&lost) && lost.is_like(&unreachable));
        assert!(unreachable.is_like(&ZookeeperError::Unreachable("starting".to_owned())));
        assert!(!unreachable.is_like(&ZookeeperError::Login));
    }
}
