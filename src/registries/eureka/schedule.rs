//! When which list is read. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// The hash counts instances by status only, so a swap of two or a change of metadata may be missed; and a change that comes while
/// the server makes a list is missing in its cache until the next change, for up to three minutes. So all is read this often.
const FULL_EVERY: Duration = Duration::from_secs(30);
/// A server tells of a change for three minutes. Whoever has been away for longer than this may have missed one.
const DELTA_REACH: Duration = Duration::from_secs(120);

/// What to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// Everything.
    Full,
    /// What changed in the last three minutes.
    Delta,
}

/// What has been read from the current server.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    full: Option<Instant>,
    good: Option<Instant>,
    /// The version of the last delta.
    version: Option<u64>,
    /// The server gives no deltas.
    no_deltas: bool,
}

impl Schedule {
    /// What to ask for first. A list of everything has no version, so that of a delta tells whether the server was started anew, before all
    /// is read again.
    pub(super) fn next(&self) -> List {
        if self.no_deltas || self.full.is_none() { List::Full } else { List::Delta }
    }

    /// Whether a delta isn't enough now.
    pub(super) fn full_is_due(&self, now: Instant) -> bool {
        let within = |at: Option<Instant>, reach: Duration| at.is_some_and(|at| now < at + reach);
        !within(self.full, FULL_EVERY) || !within(self.good, DELTA_REACH)
    }

    pub(super) fn read_full(&mut self, now: Instant) {
        (self.full, self.good) = (Some(now), Some(now));
    }

    pub(super) fn read_delta(&mut self, now: Instant) {
        self.good = Some(now);
    }

    /// The server refuses deltas: from now on all is read each time.
    pub(super) fn refused_delta(&mut self) {
        self.no_deltas = true;
    }

    /// Whether the version of a delta shows a server that started anew. What it said before is void then.
    pub(super) fn started_anew(&mut self, version: Option<u64>) -> bool {
        let went_back = self.version.is_some_and(|before| version.is_some_and(|version| version < before));
        self.version = version;
        if went_back {
            self.full = None;
        }
        went_back
    }

    /// All is read next, from whichever server.
    pub(super) fn lost(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_read_first_and_now_and_then_and_after_a_long_pause() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut schedule = Schedule::default();
        assert_eq!(schedule.next(), List::Full);
        schedule.read_full(start);
        assert!(!schedule.full_is_due(start + 29 * second));
        assert!(schedule.full_is_due(start + 30 * second));
        assert_eq!(schedule.next(), List::Delta, "its version comes first");
        schedule.lost();
        assert_eq!(schedule.next(), List::Full);
    }

    #[test]
    fn a_version_that_goes_back_is_another_start() {
        let now = Instant::now();
        let mut schedule = Schedule::default();
        schedule.read_full(now);
        for (version, anew) in
            [(Some(3), false), (Some(3), false), (Some(4), false), (Some(1), true), (None, false)]
        {
            assert_eq!(schedule.started_anew(version), anew, "{version:?}");
        }
        assert_eq!(schedule.next(), List::Full);
    }

    #[test]
    fn a_server_without_deltas_is_read_whole() {
        let now = Instant::now();
        let mut schedule = Schedule::default();
        schedule.read_full(now);
        schedule.refused_delta();
        assert_eq!(schedule.next(), List::Full);
    }
}
