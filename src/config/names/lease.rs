//! How long copies live that are written to a registry.

use std::time::Duration;

use super::shown;
use crate::config::{
    duration,
    mistakes::{Findings, Path},
    model::RegistryKind,
    tree::Node,
};

const RENEWAL: &str = "renew_every";
const LEASE: &str = "lease";
const SESSION: &str = "session_timeout";

/// What is shorter would be renewed all the time.
const SHORTEST: Duration = Duration::from_secs(1);
/// What is longer leaves a dead copy to consumers for too long, and servers count in milliseconds of 32 bits.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Checks what a registry says of its copies' lives.
pub(super) fn check(end: &Node, path: &Path, findings: &mut Findings) {
    let Some(kind) = kind(end) else { return };
    let whole = matches!(kind, RegistryKind::Eureka | RegistryKind::ServiceCenter);
    for key in [RENEWAL, LEASE, SESSION] {
        let Some((node, length)) = period(end, key) else { continue };
        let message = if length < SHORTEST {
            "is less than 1s"
        } else if length > LONGEST {
            "is more than 1d"
        } else if whole && length.subsec_millis() > 0 {
            "is no whole number of seconds, in which this registry counts"
        } else {
            continue;
        };
        findings.mistake(node.at, &path.key(key), format!("`{}` {message}", shown(node)));
    }
    check_together(end, kind, path, findings);
}

/// One renewal that is late must not end a lease.
fn check_together(end: &Node, kind: RegistryKind, path: &Path, findings: &mut Findings) {
    let Some(standard) = kind.default_lease() else { return };
    let (renewal, lease) = (period(end, RENEWAL), period(end, LEASE));
    let renew_every = renewal.map_or(standard.renew_every, |(_, length)| length);
    let expires_after = lease.map_or(standard.expires_after, |(_, length)| length);
    let Some((at, key)) =
        lease.map(|(node, _)| (node.at, LEASE)).or(renewal.map(|(node, _)| (node.at, RENEWAL)))
    else {
        return;
    };
    if expires_after < renew_every * 2 {
        let message = format!(
            "a lease of {}s with a renewal each {}s: a renewal that is late would end it; the lease is at least twice as long",
            expires_after.as_secs_f64(),
            renew_every.as_secs_f64(),
        );
        findings.mistake(at, &path.key(key), message);
    }
}

fn kind(end: &Node) -> Option<RegistryKind> {
    let word = end.get("type")?.text()?;
    RegistryKind::ALL.into_iter().find(|kind| kind.as_str() == word)
}

/// A duration that is one.
fn period<'t>(end: &'t Node, key: &str) -> Option<(&'t Node, Duration)> {
    let node = end.get(key)?;
    Some((node, duration::parse_positive(node.text()?).ok()?))
}
