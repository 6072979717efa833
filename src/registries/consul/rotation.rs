//! When to read the services that have no place: all of them in turn, whenever something in the catalogue has moved.
//!
//! ```text
//!  new, or without its place now ──▶ fresh: read at once
//!  something moved, or a while has passed ──▶ a pass over all, in the order of their names, at most 500 a second
//! ```
//!
//! A service's turn comes once in a pass, so a change is seen after the length of a pass: 20 s for 10,000 services. In a catalogue
//! where nothing moves, nothing is read.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::time::Duration;

use tokio::time::Instant;

/// Between two readings of a pass.
pub(super) const SPACING: Duration = Duration::from_millis(2);
/// A reader that is late, on a busy machine, catches up on so much, and not on all.
const LATEST: Duration = Duration::from_secs(1);
/// Between the beginnings of two passes that are short.
const SHORTEST_PASS: Duration = Duration::from_secs(1);
/// A pass begins at the latest so long after the last one began, whatever was told.
const BACKSTOP: Duration = Duration::from_secs(300);

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Read this service now.
    Read(String),
    /// Ask again then, or when something has happened.
    At(Instant),
}

/// The turns of the services that have no place.
#[derive(Debug)]
pub(super) struct Rotation {
    fresh: BTreeSet<String>,
    all: BTreeSet<String>,
    pass: Option<Pass>,
    begun: Instant,
    moved: bool,
}

/// A pass under way.
#[derive(Debug)]
struct Pass {
    /// Whose turn was last.
    last: Option<String>,
    /// When the next one's is.
    due: Instant,
}

impl Rotation {
    pub(super) fn new(now: Instant) -> Self {
        Self { fresh: BTreeSet::new(), all: BTreeSet::new(), pass: None, begun: now, moved: false }
    }

    /// This service is to be read in turn, and now.
    pub(super) fn add(&mut self, name: String) {
        self.fresh.insert(name.clone());
        self.all.insert(name);
    }

    /// This one is not any more.
    pub(super) fn remove(&mut self, name: &str) {
        self.fresh.remove(name);
        self.all.remove(name);
    }

    /// This one is to be read again at once, if it is still among them.
    pub(super) fn again(&mut self, name: &str) {
        if self.all.contains(name) {
            self.fresh.insert(name.to_owned());
        }
    }

    /// Any of them may have changed.
    pub(super) fn moved(&mut self) {
        self.moved = true;
    }

    /// What is due.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        if let Some(name) = self.fresh.pop_first() {
            return Next::Read(name);
        }
        if self.all.is_empty() {
            self.pass = None;
            return Next::At(now + BACKSTOP);
        }
        let gap = if self.moved { SHORTEST_PASS } else { BACKSTOP };
        if self.pass.is_none() && now >= self.begun + gap {
            self.pass = Some(Pass { last: None, due: now });
            (self.begun, self.moved) = (now, false);
        }
        let Some(pass) = &mut self.pass else { return Next::At(self.begun + gap) };
        if now < pass.due {
            return Next::At(pass.due);
        }
        let from = pass.last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        match self.all.range::<String, _>((from, Bound::Unbounded)).next().cloned() {
            Some(name) => {
                pass.due = (pass.due + SPACING).max(now - LATEST);
                pass.last = Some(name.clone());
                Next::Read(name)
            }
            None => {
                self.pass = None;
                self.next(now)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What is read until `until`, and when, after `start`.
    fn read(
        rotation: &mut Rotation,
        start: Instant,
        now: &mut Instant,
        until: Instant,
    ) -> Vec<(String, Duration)> {
        let mut all = Vec::new();
        while *now < until {
            match rotation.next(*now) {
                Next::Read(name) => all.push((name, *now - start)),
                Next::At(at) => {
                    assert!(at > *now, "it never spins");
                    *now = at.min(until);
                }
            }
        }
        all
    }

    fn rotation_of(services: usize) -> (Rotation, Instant) {
        let start = Instant::now();
        let mut rotation = Rotation::new(start);
        (0..services).for_each(|n| rotation.add(format!("s{n:05}")));
        (rotation, start)
    }

    #[test]
    fn new_ones_are_read_at_once_and_then_none_while_nothing_moves() {
        let (mut rotation, start) = rotation_of(100);
        let mut now = start;
        let first = read(&mut rotation, start, &mut now, start + Duration::from_secs(60));
        assert_eq!(first.len(), 100);
        assert!(first.iter().all(|(_, at)| at.is_zero()));
        rotation.again("s00042");
        rotation.again("gone");
        assert_eq!(rotation.next(now), Next::Read("s00042".to_owned()));
        let idle = read(&mut rotation, start, &mut now, start + BACKSTOP + Duration::from_secs(1));
        assert_eq!(idle.len(), 100, "the backstop");
    }

    #[test]
    fn ten_thousand_are_read_within_twenty_seconds_of_any_move() {
        let (mut rotation, start) = rotation_of(10_000);
        let mut now = start;
        read(&mut rotation, start, &mut now, start + Duration::from_secs(2));
        let (mut reads, mut worst, mut last) = (0, Duration::ZERO, BTreeMap::new());
        let until = start + Duration::from_secs(122);
        // Something moves all the time, so that passes follow one another.
        while now < until {
            rotation.moved();
            match rotation.next(now) {
                Next::Read(name) => {
                    reads += 1;
                    let before = last.insert(name, now);
                    worst = worst.max(before.map_or(Duration::ZERO, |before| now - before));
                }
                Next::At(at) => now = at,
            }
        }
        assert_eq!(last.len(), 10_000);
        assert!(worst <= Duration::from_secs(21), "{worst:?}");
        assert!(reads <= 500 * 121, "at most 500 a second: {reads}");
    }

    #[test]
    fn a_late_reader_catches_up_on_a_second_only() {
        let (mut rotation, start) = rotation_of(10_000);
        let mut now = start;
        read(&mut rotation, start, &mut now, start + Duration::from_secs(2));
        rotation.moved();
        assert!(matches!(rotation.next(now), Next::Read(_)));
        now += Duration::from_secs(5);
        let burst = (0..10_000).take_while(|_| matches!(rotation.next(now), Next::Read(_))).count();
        assert!((499..=502).contains(&burst), "{burst}");
    }

    #[test]
    fn who_leaves_is_not_read_and_an_emptied_rotation_rests() {
        let (mut rotation, start) = rotation_of(3);
        rotation.remove("s00001");
        let mut now = start;
        let first = read(&mut rotation, start, &mut now, start + Duration::from_secs(2));
        assert_eq!(first.len(), 2);
        rotation.moved();
        assert_eq!(rotation.next(now), Next::Read("s00000".to_owned()));
        rotation.remove("s00002");
        rotation.remove("s00000");
        let rest = read(&mut rotation, start, &mut now, start + BACKSTOP * 3);
        assert_eq!(rest, []);
    }
}
