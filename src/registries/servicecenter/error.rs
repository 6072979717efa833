//! What can go wrong with a service-center.

use crate::registries::troubles::Alike;

/// Why a service-center didn't give what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceCenterError {
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
    /// Who we are isn't accepted, or may not do this: 1.4.8 says the same to both.
    #[error("{server} refuses {what}: {message}; check `user` and `password`")]
    Denied {
        /// `host:port`.
        server: String,
        /// What was asked for.
        what: &'static str,
        /// The server's words.
        message: String,
    },
    /// Another answer that isn't a success.
    #[error("{server} answered {what} with status {status}: {message}")]
    Refused {
        /// `host:port`.
        server: String,
        /// What was asked for.
        what: &'static str,
        /// The HTTP status.
        status: u16,
        /// The server's words.
        message: String,
    },
    /// The answer isn't what the protocol says.
    #[error("{server} answered {what} with something unreadable: {reason}")]
    Unreadable {
        /// `host:port`.
        server: String,
        /// What was asked for.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl Alike for ServiceCenterError {}
