//! The order of operations: create down, delete up, additions before removals.
//!
//! ```text
//!      create and patch  ▼                            delete ▲
//!  ┌──────────┐   ┌─────────┐   ┌─────────┐   ┌───────┐
//!  │ upstream │ ─▶│ targets │ ─▶│ service │ ─▶│ route │ ─▶ then back: route, service, target, upstream
//!  └──────────┘   └─────────┘   └─────────┘   └───────┘
//! ```
//!
//! A service must find its upstream, and an upstream that a service names must have targets: Kong answers 503
//! otherwise.

use std::cmp::Ordering;

use crate::{Change, Kind, Write};

/// What a write does, without its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Makes a new object.
    Create,
    /// Changes fields of one that stands.
    Patch,
    /// Takes one away.
    Delete,
}

/// Each level waits for the one before it; inside a level the order does not matter.
const LEVELS: [(Verb, Kind); 12] = [
    (Verb::Create, Kind::Upstream),
    (Verb::Patch, Kind::Upstream),
    (Verb::Create, Kind::Target),
    (Verb::Patch, Kind::Target),
    (Verb::Create, Kind::Service),
    (Verb::Patch, Kind::Service),
    (Verb::Create, Kind::Route),
    (Verb::Patch, Kind::Route),
    (Verb::Delete, Kind::Route),
    (Verb::Delete, Kind::Service),
    (Verb::Delete, Kind::Target),
    (Verb::Delete, Kind::Upstream),
];

impl Write {
    /// What it does.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Create(_) => Verb::Create,
            Self::Patch { .. } => Verb::Patch,
            Self::Delete { .. } => Verb::Delete,
        }
    }
}

/// The level of a change: lower ones come first.
pub fn level(change: &Change) -> usize {
    let place = (change.write.verb(), change.key.kind());
    // The table names every pair; a missing one would come last.
    LEVELS.iter().position(|level| *level == place).unwrap_or(LEVELS.len())
}

/// By level, then by key, so that equal changes are listed in the same order however they were found.
pub(crate) fn compare(a: &Change, b: &Change) -> Ordering {
    level(a).cmp(&level(b)).then_with(|| a.key.cmp(&b.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_of_every_kind_has_one_level() {
        for verb in [Verb::Create, Verb::Patch, Verb::Delete] {
            for kind in [Kind::Upstream, Kind::Target, Kind::Service, Kind::Route] {
                assert_eq!(
                    LEVELS.iter().filter(|level| **level == (verb, kind)).count(),
                    1,
                    "{verb:?} {kind:?}"
                );
            }
        }
    }

    #[test]
    fn nothing_is_removed_before_everything_is_added() {
        let last_addition = LEVELS.iter().rposition(|(verb, _)| *verb != Verb::Delete);
        let first_removal = LEVELS.iter().position(|(verb, _)| *verb == Verb::Delete);
        assert!(last_addition < first_removal);
    }
}
