//! The token that an account is given. Pure; the server is asked elsewhere.

use std::time::Duration;

use tokio::time::Instant;

use super::ServiceCenterError;
use crate::config::Secret;

/// Whoever was refused doesn't try again before this: each try costs the server a slow hash, and newer ones lock accounts.
const PAUSE: Duration = Duration::from_secs(5);

/// What to send with a request.
#[derive(Debug, PartialEq)]
pub(super) enum Pass {
    /// Nothing: no account is configured.
    Nobody,
    /// This token.
    Token(Secret),
    /// A token that has to be fetched first, for this user and password.
    LogIn(String, Secret),
    /// The server refused the account a moment ago.
    Refused(ServiceCenterError),
}

/// The account and what it was given.
pub(super) struct Login {
    account: Option<(String, Secret)>,
    life: Duration,
    token: Option<(Secret, Instant)>,
    refused: Option<(ServiceCenterError, Instant)>,
}

impl Login {
    pub(super) fn new(account: Option<(String, Secret)>, life: Duration) -> Self {
        Self { account, life, token: None, refused: None }
    }

    pub(super) fn pass(&self, now: Instant) -> Pass {
        let Some((user, password)) = &self.account else { return Pass::Nobody };
        if let Some((token, fetched)) = &self.token
            && now < *fetched + self.life
        {
            return Pass::Token(token.clone());
        }
        match &self.refused {
            Some((error, at)) if now < *at + PAUSE => Pass::Refused(error.clone()),
            _ => Pass::LogIn(user.clone(), password.clone()),
        }
    }

    pub(super) fn granted(&mut self, token: Secret, now: Instant) {
        (self.token, self.refused) = (Some((token, now)), None);
    }

    pub(super) fn refused(&mut self, error: ServiceCenterError, now: Instant) {
        (self.token, self.refused) = (None, Some((error, now)));
    }

    /// The server doesn't take this token, or none. Whether another one may do better: it was not fetched for this very request, or
    /// there is a newer one already.
    pub(super) fn token_refused(&mut self, refused: Option<&Secret>, sent: Instant) -> bool {
        match &self.token {
            Some((token, fetched)) if Some(token) == refused => {
                let older = *fetched < sent;
                self.token = None;
                older
            }
            _ => refused.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn login() -> Login {
        Login::new(Some(("u".to_owned(), Secret::new("p"))), 60 * SECOND)
    }

    #[test]
    fn a_token_is_used_for_its_life() {
        let (now, mut login) = (Instant::now(), login());
        let log_in = || Pass::LogIn("u".to_owned(), Secret::new("p"));
        assert_eq!(login.pass(now), log_in());
        login.granted(Secret::new("t"), now);
        assert_eq!(login.pass(now + 59 * SECOND), Pass::Token(Secret::new("t")));
        assert_eq!(login.pass(now + 60 * SECOND), log_in());
        assert_eq!(Login::new(None, SECOND).pass(now), Pass::Nobody);
    }

    #[test]
    fn who_is_refused_waits() {
        let (now, mut login) = (Instant::now(), login());
        let error = ServiceCenterError::Settings("no".to_owned());
        login.granted(Secret::new("t"), now);
        login.refused(error.clone(), now);
        assert_eq!(login.pass(now + 4 * SECOND), Pass::Refused(error));
        assert!(matches!(login.pass(now + 5 * SECOND), Pass::LogIn(..)));
    }

    #[test]
    fn a_refused_token_is_replaced_unless_it_is_new() {
        let (now, mut login) = (Instant::now(), login());
        let (old, new) = (Secret::new("old"), Secret::new("new"));
        login.granted(old.clone(), now);
        assert!(login.token_refused(Some(&old), now + SECOND));
        assert!(matches!(login.pass(now + SECOND), Pass::LogIn(..)));
        login.granted(new.clone(), now + SECOND);
        assert!(login.token_refused(Some(&old), now), "another request has fetched a newer one");
        assert_eq!(login.pass(now + SECOND), Pass::Token(new.clone()));
        assert!(!login.token_refused(Some(&new), now + SECOND), "it was fetched for that request");
        assert!(!Login::new(None, SECOND).token_refused(None, now));
    }
}
