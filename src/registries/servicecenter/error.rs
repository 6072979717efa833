//! What can go wrong with a service-center, and whether it may go right later.

use causeway_gateways::Retry;

use super::answer::{NO_INSTANCE, NO_QUOTA, NO_SERVICE};
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
        /// The server's own code, which says more; empty where it gave none.
        code: String,
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

impl ServiceCenterError {
    /// When to try again what failed so.
    pub(super) fn retry(&self) -> Retry {
        match self {
            Self::Settings(_) => Retry::Never,
            // An account may be given its rights at any time, and a server its senses.
            Self::Unreachable { .. } | Self::Denied { .. } | Self::Unreadable { .. } => Retry::Backoff(None),
            Self::Refused { code, .. } if code == NO_QUOTA => Retry::Backoff(None),
            Self::Refused { .. } if self.is_gone() => Retry::ReadAgain,
            Self::Refused { status: 429 | 500.., .. } => Retry::Backoff(None),
            Self::Refused { .. } => Retry::Never,
        }
    }

    /// What it was about isn't registered.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == NO_SERVICE || code == NO_INSTANCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_go_right_later_is_tried_again() {
        let refused = |status: u16, code: &str| {
            let (server, code, message) = ("h:1".to_owned(), code.to_owned(), String::new());
            ServiceCenterError::Refused { server, what: "x", status, code, message }.retry()
        };
        for (status, code, retry) in [
            (400, "400001", Retry::Never),
            (400, NO_SERVICE, Retry::ReadAgain),
            (400, NO_INSTANCE, Retry::ReadAgain),
            (400, NO_QUOTA, Retry::Backoff(None)),
            (429, "", Retry::Backoff(None)),
            (500, "500003", Retry::Backoff(None)),
            (502, "", Retry::Backoff(None)),
            (404, "", Retry::Never),
        ] {
            assert_eq!(refused(status, code), retry, "{status} {code}");
        }
    }
}
