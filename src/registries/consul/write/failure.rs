//! Failures of writes, for people. Pure.

use causeway_gateways::Retry;

use super::node::Node;
use crate::registries::consul::ConsulError;
use crate::registries::consul::http::Refusal;
use crate::registries::{Change, WriteError};

/// How the server begins what it will always say of the same operation,
const INVALID: [&str; 2] = ["Invalid ", "Must provide "];
/// and what it says until somebody gives the token more rights.
const DENIED: &str = "Permission denied";

/// A change failed together with all others.
pub(super) fn of(change: &Change, error: &ConsulError) -> WriteError {
    let retry = match error {
        ConsulError::Settings(_) | ConsulError::NodeTaken { .. } => Retry::Never,
        ConsulError::Refused { .. } if !error.is_passing() => Retry::Never,
        // Rights and tokens are given by people, without a word to us.
        _ => Retry::Backoff(None),
    };
    WriteError { message: format!("{}: {error}", asked(change)), retry }
}

/// The server refused a change alone.
pub(super) fn refused(change: &Change, refusal: &Refusal) -> WriteError {
    let (asked, words, copy) = (asked(change), &refusal.words, change.copy());
    if words.contains(DENIED) {
        let (service, node) = (&copy.key.service, Node::of(&copy.mark).name);
        let needed = format!(
            "service \"{service}\" {{ policy = \"write\" }} node \"{node}\" {{ policy = \"write\" }}"
        );
        let message = format!("{asked}: Consul says: {words}; the token needs `{needed}`");
        return WriteError { message, retry: Retry::Backoff(None) };
    }
    if INVALID.iter().any(|beginning| words.starts_with(beginning)) {
        let origin = &copy.mark.origin;
        let message =
            format!("{asked}: Consul says: {words}; put it right in {origin}, or exclude the service");
        return WriteError { message, retry: Retry::Never };
    }
    WriteError { message: format!("{asked}: Consul says: {words}"), retry: Retry::Backoff(None) }
}

fn asked(change: &Change) -> String {
    let (copy, what) = match change {
        Change::Put(copy) => (copy, "written"),
        Change::Remove(copy) => (copy, "removed"),
    };
    format!("the copy {} of {} can't be {what}", copy.instance.address, copy.key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registries::InstanceCopy;

    fn put() -> Change {
        let copy = InstanceCopy::example("default", "orders");
        Change::put(copy.with(|instance| instance.address.host = "0.0.0.0".to_owned()))
    }

    #[test]
    fn what_the_server_says_decides_when_to_try_again() {
        let said = |words: &str| refused(&put(), &Refusal { operation: 0, words: words.to_owned() });
        let invalid = said("Invalid service address");
        assert_eq!(
            invalid.message,
            "the copy 0.0.0.0:80 of default/orders can't be written: Consul says: Invalid service address; \
             put it right in elsewhere, or exclude the service"
        );
        assert_eq!(invalid.retry, Retry::Never);
        let denied = said("Permission denied: token lacks permission 'service:write' on \"orders\"");
        assert!(
            denied.message.contains("`service \"orders\" { policy = \"write\" } node \"causeway-prod-move-"),
            "{denied}"
        );
        assert_eq!(denied.retry, Retry::Backoff(None));
        assert_eq!(said("Missing node registration").retry, Retry::Backoff(None));
    }

    #[test]
    fn what_nobody_mends_is_not_tried_again() {
        let text = |text: &str| text.to_owned();
        let refused =
            |status| ConsulError::Refused { server: text("s"), what: text("w"), status, message: text("m") };
        let gone = ConsulError::Unreachable { server: text("s:1"), reason: text("refused") };
        let cases = [
            (refused(413), Retry::Never),
            (refused(500), Retry::Backoff(None)),
            (ConsulError::NodeTaken { node: text("n") }, Retry::Never),
            (
                ConsulError::Denied { server: text("s"), what: text("w"), message: text("m") },
                Retry::Backoff(None),
            ),
            (gone, Retry::Backoff(None)),
        ];
        for (error, retry) in cases {
            assert_eq!(of(&put(), &error).retry, retry, "{error}");
        }
    }
}
