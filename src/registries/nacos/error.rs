//! What can go wrong with a Nacos.

use crate::registries::troubles::Alike;

/// Why Nacos didn't give what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NacosError {
    /// The configuration can't be used.
    #[error("{0}")]
    Settings(String),
    /// No connection, or it ended.
    #[error("{server} can't be reached: {reason}")]
    Unreachable {
        /// `host:port`.
        server: String,
        /// In the operating system's or the protocol's words.
        reason: String,
    },
    /// The server is up but not serving yet.
    #[error("{server} is starting")]
    Starting {
        /// `host:port`.
        server: String,
    },
    /// The credentials aren't accepted by the login.
    #[error("the login of user {user} fails ({message}); check `user` and `password`")]
    Login {
        /// The user.
        user: String,
        /// The server's words.
        message: String,
    },
    /// The credentials, or having none, don't allow this.
    #[error("{server} refuses {what}: {message}")]
    Denied {
        /// `host:port`.
        server: String,
        /// What was asked for.
        what: String,
        /// The server's words.
        message: String,
    },
    /// The server has no such request.
    #[error("{server} doesn't offer {what}")]
    Unsupported {
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
    /// Any other answer that isn't a success.
    #[error("{server} answered {what} with code {code}: {message}")]
    Refused {
        /// `host:port`.
        server: String,
        /// What was asked for.
        what: String,
        /// HTTP status or Nacos' error code.
        code: i64,
        /// The server's words.
        message: String,
    },
}

impl NacosError {
    /// Another way to the same data may be open: this one isn't offered, or not allowed.
    pub(super) fn asks_for_another_way(&self) -> bool {
        matches!(self, Self::Denied { .. } | Self::Unsupported { .. })
    }

    /// It may well be over in a moment, by itself.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Starting { .. } | Self::Unreadable { .. })
    }
}

impl Alike for NacosError {
    fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
            || (self.is_passing() && other.is_passing())
    }
}
