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
//!
//! Where the order of an upstream's targets matters ([`Plan::one_at_a_time`]), all that changes in them,
//! deletions too, stands on the level of patched targets, in that order.

use std::collections::BTreeMap;

use crate::{Change, Desired, Kind, ObjectKey, Plan, TargetAddress, Write};

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

/// The level of a change in its plan: lower ones come first.
pub(crate) fn level(plan: &Plan, change: &Change) -> usize {
    let verb = if plan.sequence_of(change).is_some() { Verb::Patch } else { change.write.verb() };
    let place = (verb, change.key.kind());
    // The table names every pair; a missing one would come last.
    LEVELS.iter().position(|level| *level == place).unwrap_or(LEVELS.len())
}

/// Sorts what is to be made and what is withheld: by level, then as an upstream's sequence has it, then by key, so
/// that equal changes are listed in the same order however they were found.
pub(crate) fn sort(plan: &mut Plan, desired: &Desired) {
    let sequences = desired.upstreams.iter().flat_map(|(name, upstream)| {
        let ranked = upstream.sequence.iter().flatten().enumerate();
        ranked.map(move |(rank, address)| ((name.as_str(), address), rank))
    });
    let ranks: BTreeMap<(&str, &TargetAddress), usize> = sequences.collect();
    let place = |plan: &Plan, change: &Change| {
        let (upstream, rank) = match &change.key {
            ObjectKey::Target(upstream, address) => {
                (upstream.clone(), ranks.get(&(upstream.as_str(), address)))
            }
            _ => (String::new(), None),
        };
        (level(plan, change), upstream, rank.copied().unwrap_or(usize::MAX), change.key.clone())
    };
    let (mut changes, mut withheld) = (std::mem::take(&mut plan.changes), std::mem::take(&mut plan.withheld));
    changes.sort_by_cached_key(|change| place(plan, change));
    withheld.sort_by_cached_key(|withheld| place(plan, &withheld.change));
    (plan.changes, plan.withheld) = (changes, withheld);
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
