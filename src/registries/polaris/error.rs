//! What can go wrong with a Polaris.

use crate::registries::troubles::Alike;

/// Why Polaris didn't give what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolarisError {
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
    /// A connection, but no answer in time.
    #[error("{server} doesn't answer {what} within {within:?}")]
    Silent {
        /// `host:port`.
        server: String,
        /// What was asked for.
        what: String,
        /// How long was waited.
        within: std::time::Duration,
    },
    /// The server wants a token, and there is none.
    #[error("{server} wants a token ({message}); set `token` or `token_file`")]
    TokenMissing {
        /// `host:port`.
        server: String,
        /// The server's words.
        message: String,
    },
    /// The token doesn't allow this.
    #[error("{server} refuses the token ({message}); check `token` and what its user may do")]
    TokenRefused {
        /// `host:port`.
        server: String,
        /// The server's words.
        message: String,
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
        /// Polaris' code, or the HTTP status where it gave none.
        code: u32,
        /// The server's words.
        message: String,
    },
}

impl PolarisError {
    /// Nothing else can be read of the server either.
    pub(super) fn is_the_servers(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Settings(_))
    }

    /// Asking for something else tells whether it is about one service or about all.
    pub(super) fn may_be_the_servers(&self) -> bool {
        matches!(self, Self::Silent { .. } | Self::TokenMissing { .. } | Self::TokenRefused { .. })
    }

    /// The server will always refuse this: the request is to blame, or there is no such path.
    pub(super) fn is_the_users(&self) -> bool {
        match self {
            Self::Settings(_) => true,
            Self::Refused { code, .. } => matches!(code, 400_000..401_000 | 404 | 405),
            _ => false,
        }
    }
}

impl Alike for PolarisError {}
