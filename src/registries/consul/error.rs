//! What can go wrong with a Consul.

use crate::registries::troubles::Alike;

/// Why Consul didn't give what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsulError {
    /// The configuration can't be used.
    #[error("{0}")]
    Settings(String),
    /// No connection, or it ended, or no answer came.
    #[error("{server} can't be reached: {reason}")]
    Unreachable {
        /// `host:port`.
        server: String,
        /// In the operating system's words.
        reason: String,
    },
    /// The server is up but can't serve: no leader, or it doesn't list even itself yet.
    #[error("{server} is not ready: {reason}")]
    NotReady {
        /// `host:port`.
        server: String,
        /// How that shows.
        reason: String,
    },
    /// The server has no room for another connection of ours.
    #[error("{server} takes no more connections from here (http_max_conns_per_client)")]
    Busy {
        /// `host:port`.
        server: String,
    },
    /// The token isn't accepted.
    #[error("{server} refuses {what}: {message}; check `token`")]
    Denied {
        /// `host:port`.
        server: String,
        /// What was asked for.
        what: String,
        /// The server's words.
        message: String,
    },
    /// The answer is only what the token may see.
    #[error(
        "{server} answers {what} with only what the token may read; it needs `service_prefix \"\" {{ policy = \"read\" }}` \
         and `node_prefix \"\" {{ policy = \"read\" }}`"
    )]
    Filtered {
        /// `host:port`.
        server: String,
        /// What was asked for.
        what: String,
    },
    /// An empty answer, as the server gives it to those who may not read: its default policy is `deny`.
    #[error(
        "{server} answers {what} with nothing, as it does to whoever may not read it (its default policy is deny); \
         set `token`"
    )]
    Withheld {
        /// `host:port`.
        server: String,
        /// What was asked for.
        what: String,
    },
    /// The answer isn't what the protocol says.
    #[error("{server} answered {what} with something unreadable: {reason}")]
    Unreadable {
        /// `host:port`.
        server: String,
        /// What was asked for.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The node of a task's copies is there, and isn't the task's.
    #[error(
        "the node {node}, on which this task's copies would stand, is somebody else's; deregister it, or give the task another name"
    )]
    NodeTaken {
        /// Its name.
        node: String,
    },
    /// Any other answer that isn't a success.
    #[error("{server} answered {what} with status {status}: {message}")]
    Refused {
        /// `host:port`.
        server: String,
        /// What was asked for.
        what: String,
        /// The HTTP status.
        status: u16,
        /// The server's words.
        message: String,
    },
}

impl ConsulError {
    /// It may well be over in a moment, by itself.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::NotReady { .. } | Self::Busy { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            _ => false,
        }
    }

    /// The credentials are good, but not for everything.
    pub(super) fn is_narrow(&self) -> bool {
        matches!(self, Self::Filtered { .. } | Self::Withheld { .. })
    }
}

impl Alike for ConsulError {
    /// A server that stops answers 500 first, and then not at all.
    fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
            || (self.is_passing() && other.is_passing())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_alike_and_the_rest_is_told_apart() {
        let text = |text: &str| text.to_owned();
        let refused =
            |status| ConsulError::Refused { server: text("s"), what: text("w"), status, message: text("m") };
        let gone = ConsulError::Unreachable { server: text("s"), reason: text("r") };
        let denied = ConsulError::Denied { server: text("s"), what: text("w"), message: text("m") };
        let filtered = ConsulError::Filtered { server: text("s"), what: text("w") };
        assert!(refused(500).is_like(&gone) && gone.is_like(&ConsulError::Busy { server: text("s") }));
        assert!(!refused(404).is_like(&gone) && !denied.is_like(&gone));
        assert!(filtered.is_narrow() && !denied.is_narrow());
    }
}
