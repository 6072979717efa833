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

/// A name as one segment of a path.
pub(super) fn path_segment(name: &str) -> String {
    let encoded: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    // A space is a plus in forms only.
    encoded.replace('+', "%20")
}

/// The innermost error, which says what happened; the outer ones say while doing what.
pub(super) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
