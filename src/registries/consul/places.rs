//! Which services are watched by a waiting query of their own, while the connections for those are few.
//!
//! A place goes to whoever changes: of two services, the one that changed last is the likelier to change again soon. Nothing here
//! knows of connections or the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

/// Beside these the names, two tables and the readings in turn need connections, and other programs on this machine may have some:
/// Consul allows 200 for all of one address.
pub(super) const MOST_PLACES: usize = 128;
/// Where a server allows only few connections, it goes on with this many.
const LEAST_PLACES: usize = 4;
/// So many places more are tried again after some time.
const GROWTH: usize = 8;
/// A service that has changed keeps its place for so long at least.
const DWELL: Duration = Duration::from_secs(60);

/// What has to be done after something has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Moves {
    /// These have a place now.
    pub(super) enter: Vec<String>,
    /// These wait for a place now: those that have lost theirs, and new ones.
    pub(super) wait: Vec<String>,
    /// These aren't wanted any more.
    pub(super) gone: Vec<String>,
}

/// Who has a place, and who waits for one.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    limit: usize,
    /// With the moment of its last change, or of its entry.
    held: BTreeMap<String, Instant>,
    waiting: BTreeSet<String>,
}

impl Places {
    pub(super) fn new(most: usize) -> Self {
        Self { most, limit: most, held: BTreeMap::new(), waiting: BTreeSet::new() }
    }

    /// How many there are at present.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether some service has none.
    pub(super) fn are_full(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether this one has none.
    pub(super) fn is_waiting(&self, name: &str) -> bool {
        self.waiting.contains(name)
    }

    /// These are the services that are wanted now.
    pub(super) fn follow(&mut self, names: &BTreeSet<String>, now: Instant) -> Moves {
        let known = self.held.keys().chain(&self.waiting);
        let gone: Vec<String> = known.filter(|name| !names.contains(*name)).cloned().collect();
        for name in &gone {
            self.held.remove(name);
            self.waiting.remove(name);
        }
        let new = names.iter().filter(|name| !self.held.contains_key(*name) && !self.waiting.contains(*name));
        let new: Vec<String> = new.cloned().collect();
        self.waiting.extend(new.iter().cloned());
        let enter = self.fill(now);
        let wait = new.into_iter().filter(|name| self.waiting.contains(name)).collect();
        Moves { enter, wait, gone }
    }

    /// This service has changed.
    pub(super) fn changed(&mut self, name: &str, now: Instant) -> Moves {
        if let Some(last) = self.held.get_mut(name) {
            *last = now;
            return Moves::default();
        }
        let quiet = |last: &Instant| now.saturating_duration_since(*last) >= DWELL;
        let quietest = self.held.iter().min_by_key(|(_, last)| **last).filter(|(_, last)| quiet(last));
        let Some(loser) = quietest.map(|(loser, _)| loser.clone()) else { return Moves::default() };
        if !self.waiting.remove(name) {
            return Moves::default();
        }
        self.held.remove(&loser);
        self.held.insert(name.to_owned(), now);
        self.waiting.insert(loser.clone());
        Moves { enter: vec![name.to_owned()], wait: vec![loser], gone: Vec::new() }
    }

    /// The server has refused a connection: half of those that are in use are given up.
    pub(super) fn shrink(&mut self) -> Moves {
        let fewer = self.held.len().min(self.limit) / 2;
        self.limit = fewer.max(LEAST_PLACES.min(self.most));
        let mut by_change: Vec<(Instant, String)> =
            self.held.iter().map(|(name, last)| (*last, name.clone())).collect();
        by_change.sort();
        by_change.truncate(self.held.len().saturating_sub(self.limit));
        let wait: Vec<String> = by_change.into_iter().map(|(_, name)| name).collect();
        for name in &wait {
            self.held.remove(name);
            self.waiting.insert(name.clone());
        }
        Moves { wait, ..Moves::default() }
    }

    /// It was a while ago that a connection was refused.
    pub(super) fn grow(&mut self, now: Instant) -> Moves {
        self.limit = (self.limit + GROWTH).min(self.most);
        Moves { enter: self.fill(now), ..Moves::default() }
    }

    fn fill(&mut self, now: Instant) -> Vec<String> {
        let mut enter = Vec::new();
        while self.held.len() < self.limit
            && let Some(name) = self.waiting.pop_first()
        {
            self.held.insert(name.clone(), now);
            enter.push(name);
        }
        enter
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn moves(enter: &[&str], wait: &[&str], gone: &[&str]) -> Moves {
        let owned = |names: &[&str]| set(names).into_iter().collect();
        Moves { enter: owned(enter), wait: owned(wait), gone: owned(gone) }
    }

    #[test]
    fn the_first_come_have_places_until_others_leave() {
        let (mut places, now) = (Places::new(2), Instant::now());
        assert_eq!(places.follow(&set(&["a", "b", "c"]), now), moves(&["a", "b"], &["c"], &[]));
        assert!(places.are_full());
        assert_eq!(places.follow(&set(&["b", "c", "d"]), now), moves(&["c"], &["d"], &["a"]));
        assert_eq!(places.follow(&set(&["d"]), now), moves(&["d"], &[], &["b", "c"]));
        assert!(!places.are_full());
    }

    #[test]
    fn whoever_changes_takes_the_place_of_the_quietest() {
        let (mut places, start) = (Places::new(2), Instant::now());
        places.follow(&set(&["a", "b", "c", "d"]), start);
        let later = start + DWELL;
        assert_eq!(places.changed("c", start), Moves::default(), "nobody has been quiet for long");
        assert_eq!(places.changed("a", later), Moves::default(), "it has one");
        assert_eq!(places.changed("c", later), moves(&["c"], &["b"], &[]));
        assert_eq!(places.changed("d", later), Moves::default(), "both have changed just now");
        assert_eq!(places.changed("gone", later + DWELL), Moves::default(), "nobody wants it");
        assert_eq!(places.changed("d", later + DWELL), moves(&["d"], &["a"], &[]));
    }

    #[test]
    fn refused_connections_cost_the_quietest_their_places_for_a_while() {
        let names: Vec<String> = (0..20).map(|n| format!("s{n:02}")).collect();
        let (mut places, now) = (Places::new(16), Instant::now());
        places.follow(&names.iter().cloned().collect(), now);
        places.changed("s00", now + DWELL);
        let lost = places.shrink();
        assert_eq!((places.limit(), lost.wait.len()), (8, 8));
        assert!(!lost.wait.contains(&"s00".to_owned()));
        for _ in 0..9 {
            places.shrink();
        }
        assert_eq!(places.limit(), LEAST_PLACES);
        assert_eq!(places.grow(now).enter.len(), GROWTH);
        places.grow(now);
        assert_eq!(places.limit(), 16, "never more than at first");
    }

    proptest! {
        #[test]
        fn every_wanted_service_is_in_one_place_and_no_place_is_left_empty(
            steps in proptest::collection::vec((0_u8..4, proptest::collection::btree_set("[a-f]", 0..7), 0_u64..90), 0..30)
        ) {
            let (mut places, mut now) = (Places::new(6), Instant::now());
            let (mut held, mut waiting) = (BTreeSet::new(), BTreeSet::new());
            let mut wanted = BTreeSet::new();
            for (kind, names, seconds) in steps {
                now += Duration::from_secs(seconds);
                let moves = match kind {
                    0 => { wanted = names; places.follow(&wanted, now) }
                    1 => names.first().map(|name| places.changed(name, now)).unwrap_or_default(),
                    2 => places.shrink(),
                    _ => places.grow(now),
                };
                for name in &moves.gone { held.remove(name); waiting.remove(name); }
                for name in moves.wait { held.remove(&name); waiting.insert(name); }
                for name in moves.enter { waiting.remove(&name); held.insert(name); }
                prop_assert!(held.is_disjoint(&waiting));
                prop_assert_eq!(held.union(&waiting).cloned().collect::<BTreeSet<_>>(), wanted.clone());
                prop_assert!(held.len() <= places.limit());
                prop_assert!(kind == 2 || held.len() == places.limit().min(wanted.len()));
            }
        }
    }
}
