//! What adapters that speak HTTP have in common.

/// The innermost error, which says what happened; the outer ones say while doing what.
pub(super) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
