//! What can go wrong with a Eureka.

use crate::registries::troubles::Alike;

/// Why Eureka didn't give what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EurekaError {
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
    /// The credentials aren't accepted.
    #[error("{server} refuses us (401); check `user` and `password`")]
    Denied {
        /// `host:port`.
        server: String,
    },
    /// Classic servers refuse everything until they have asked their peers, and deltas where these are switched off.
    #[error("{server} refuses {what} (403): it is still starting, or doesn't allow it")]
    Forbidden {
        /// `host:port`.
        server: String,
        /// What was asked for.
        what: &'static str,
    },
    /// What may be read may not be written.
    #[error(
        "{server} lets us read, and refuses {what} ({status}): `user` may not write, or its Spring Security protects /eureka/** \
         against CSRF, which has to be switched off there"
    )]
    ReadOnly {
        /// `host:port`.
        server: String,
        /// What was asked for.
        what: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// It took a registration, and shows something else.
    #[error("{server} took the registration, and goes on showing it as {shown}")]
    Ignored {
        /// `host:port`.
        server: String,
        /// What it shows.
        shown: String,
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

impl Alike for EurekaError {}
