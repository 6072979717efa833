//! What adapters that speak HTTP have in common.

use std::time::Duration;

/// How long a connection may take to come about.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// So many characters of a server's words are quoted.
const QUOTED: usize = 200;

/// The beginning of a server's words, for people.
pub(super) fn quoted(words: &str) -> String {
    words.trim().chars().take(QUOTED).collect()
}

/// The innermost error, which says what happened; the outer ones say while doing what.
pub(super) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
