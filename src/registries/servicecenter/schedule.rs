//! When what is read. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// New services are found within this.
const LIST_EVERY: Duration = Duration::from_secs(2);
/// After a look at the services' revisions, so many times as long as it took nothing is asked: a big registry is read less often.
const FIND_REST: u32 = 4;
/// The same after a list of all services, which costs more and matters less.
const LIST_REST: u32 = 20;
/// A server that fails is asked this seldom in the end.
const LONGEST_RETRY: Duration = Duration::from_secs(2);

/// When the next turn is, and whether the services are listed then.
#[derive(Debug)]
pub(super) struct Schedule {
    interval: Duration,
    turn_at: Instant,
    list_at: Instant,
    retry: Duration,
}

impl Schedule {
    pub(super) fn new(interval: Duration, now: Instant) -> Self {
        Self { interval, turn_at: now, list_at: now, retry: interval }
    }

    /// When the next turn is.
    pub(super) fn next(&self) -> Instant {
        self.turn_at
    }

    pub(super) fn list_is_due(&self, now: Instant) -> bool {
        now >= self.list_at
    }

    /// All services were listed.
    pub(super) fn listed(&mut self, begun: Instant, now: Instant) {
        self.list_at = now + LIST_EVERY.max((now - begun) * LIST_REST);
    }

    /// All services are listed at the next turn.
    pub(super) fn list_at_once(&mut self, now: Instant) {
        self.list_at = now;
    }

    /// All wanted services were looked at.
    pub(super) fn found(&mut self, begun: Instant, now: Instant) {
        self.turn_at = now.max(begun + self.interval).max(now + (now - begun) * FIND_REST);
        self.retry = self.interval;
    }

    /// No server answered as it should: everything is read anew when one does.
    pub(super) fn failed(&mut self, now: Instant) {
        self.turn_at = now + self.retry;
        self.list_at = self.turn_at;
        self.retry = (self.retry * 2).min(LONGEST_RETRY.max(self.interval));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(250);

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn turns_are_an_interval_apart_unless_they_take_long() {
        let start = Instant::now();
        for (took, pause) in [(0, 250), (10, 250), (50, 250), (100, 500), (1_000, 5_000)] {
            let mut schedule = Schedule::new(INTERVAL, start);
            schedule.found(start, start + ms(took));
            assert_eq!(schedule.next() - start, ms(pause), "{took}");
        }
    }

    #[test]
    fn services_are_listed_first_and_every_two_seconds_unless_that_takes_long() {
        let start = Instant::now();
        let mut schedule = Schedule::new(INTERVAL, start);
        assert!(schedule.list_is_due(start));
        schedule.listed(start, start + ms(10));
        assert!(!schedule.list_is_due(start + ms(2_009)) && schedule.list_is_due(start + ms(2_010)));
        schedule.listed(start, start + ms(500));
        assert!(!schedule.list_is_due(start + ms(10_499)) && schedule.list_is_due(start + ms(10_500)));
    }

    #[test]
    fn a_list_that_may_be_void_is_read_at_the_next_turn() {
        let start = Instant::now();
        let mut schedule = Schedule::new(INTERVAL, start);
        schedule.listed(start, start);
        schedule.list_at_once(start);
        assert!(schedule.list_is_due(start));
    }

    #[test]
    fn failures_make_it_wait_longer_and_list_anew() {
        let start = Instant::now();
        let mut schedule = Schedule::new(INTERVAL, start);
        schedule.listed(start, start);
        let mut waits = Vec::new();
        for _ in 0..5 {
            schedule.failed(start);
            waits.push(schedule.next() - start);
        }
        assert_eq!(waits, [250, 500, 1_000, 2_000, 2_000].map(ms));
        assert!(schedule.list_is_due(schedule.next()));
        schedule.found(start, start);
        schedule.failed(start);
        assert_eq!(schedule.next() - start, INTERVAL);
    }
}
