//! What is asked next, and when. Pure: the time is an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

/// Between two questions about one thing, where there is room. The server loads its own cache once a second.
const INTERVAL: Duration = Duration::from_millis(250);
/// Between two questions about anything: a little less than 500 a second, so that with what is caught up, and with what was under
/// way before, no server ever sees more.
const GAP: Duration = Duration::from_micros(2_150);
/// How far behind its slots a busy machine may be and still catch up.
const CATCH_UP: Duration = Duration::from_millis(20);

/// When each of many things is asked for next: none twice within the interval, all together at a bounded rate, so that the
/// interval stretches where there are more than fit into it.
#[derive(Debug)]
pub(super) struct Schedule<T> {
    /// When what isn't being asked is due.
    due: BTreeSet<(Instant, T)>,
    /// Everything: when it is due, or nothing while it is being asked.
    known: BTreeMap<T, Option<Instant>>,
    /// When the next question may be asked at the earliest.
    slot: Instant,
}

impl<T: Ord + Clone> Schedule<T> {
    pub(super) fn new(now: Instant) -> Self {
        Self { due: BTreeSet::new(), known: BTreeMap::new(), slot: now }
    }

    /// Asks for it from now on. What is there already stays as it is.
    pub(super) fn add(&mut self, thing: T, now: Instant) {
        if !self.known.contains_key(&thing) {
            self.put(thing, now);
        }
    }

    /// Doesn't ask for it any more.
    pub(super) fn remove(&mut self, thing: &T) {
        if let Some(Some(due)) = self.known.remove(thing) {
            self.due.remove(&(due, thing.clone()));
        }
    }

    /// It was answered, and is due again an interval after it was asked, or when `pause` has passed where that is later.
    pub(super) fn answered(&mut self, thing: &T, asked: Instant, now: Instant, pause: Duration) {
        if self.known.get(thing) == Some(&None) {
            self.put(thing.clone(), (asked + INTERVAL).max(now + pause));
        }
    }

    /// Asks for it as soon as there is a slot.
    pub(super) fn hurry(&mut self, thing: &T, now: Instant) {
        if let Some(Some(due)) = self.known.get(thing).copied().filter(|due| due.is_some_and(|due| due > now))
        {
            self.due.remove(&(due, thing.clone()));
            self.put(thing.clone(), now);
        }
    }

    /// When something can be asked; `None` while nothing is due at all.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| (*due).max(self.slot))
    }

    /// What is to be asked now: what has been due longest. It isn't due again until it is answered.
    pub(super) fn take(&mut self, now: Instant) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        let (_, thing) = self.due.pop_first()?;
        self.known.insert(thing.clone(), None);
        self.slot = (self.slot + GAP).max(now.checked_sub(CATCH_UP).unwrap_or(now));
        Some(thing)
    }

    fn put(&mut self, thing: T, due: Instant) {
        self.known.insert(thing.clone(), Some(due));
        self.due.insert((due, thing));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::client::AT_ONCE;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Plays it for a while with answers that take `answer`, on a machine that is late by up to `lateness`: when what was asked.
    fn play(
        things: usize,
        length: Duration,
        answer: Duration,
        lateness: &[Duration],
    ) -> Vec<(Instant, usize)> {
        let begun = Instant::now();
        let mut schedule = Schedule::new(begun);
        (0..things).for_each(|thing| schedule.add(thing, begun));
        let (mut now, mut asked, mut open) = (begun, Vec::new(), BTreeSet::new());
        let mut late = lateness.iter().cycle();
        while now < begun + length {
            while let Some((ends, thing)) = open.first().copied().filter(|(ends, _)| *ends <= now) {
                open.remove(&(ends, thing));
                schedule.answered(&thing, ends - answer, now, Duration::ZERO);
            }
            while let Some(thing) = schedule.take(now) {
                asked.push((now, thing));
                open.insert((now + answer, thing));
            }
            let ends = open.first().map(|(ends, _)| *ends);
            let next = [schedule.next(), ends].into_iter().flatten().min().unwrap();
            now = next.max(now) + *late.next().unwrap();
        }
        asked
    }

    fn most_in_a_second(asked: &[(Instant, usize)]) -> usize {
        let within = |(from, _): &(Instant, usize)| {
            asked.iter().filter(|(at, _)| *at >= *from && *at < *from + SECOND).count()
        };
        asked.iter().map(within).max().unwrap_or(0)
    }

    fn gaps(asked: &[(Instant, usize)], thing: usize) -> Vec<Duration> {
        let at: Vec<Instant> = asked.iter().filter(|(_, of)| *of == thing).map(|(at, _)| *at).collect();
        at.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn a_few_are_asked_every_200_to_500_ms() {
        let ms = Duration::from_millis;
        let asked = play(20, 5 * SECOND, ms(2), &[ms(0), ms(1)]);
        for thing in 0..20 {
            let gaps = gaps(&asked, thing);
            assert!(gaps.len() >= 9 && gaps.iter().all(|gap| (ms(200)..=ms(500)).contains(gap)), "{gaps:?}");
        }
    }

    #[test]
    fn many_share_the_rate_evenly() {
        let ms = Duration::from_millis;
        let asked = play(2000, 30 * SECOND, ms(2), &[ms(0), ms(1), ms(1)]);
        assert!(most_in_a_second(&asked) <= 500);
        let counts: Vec<usize> = (0..2000).map(|thing| gaps(&asked, thing).len()).collect();
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(most - least <= 1 && *least >= 5, "{least} to {most} in 30 s");
    }

    #[test]
    fn what_hurries_goes_next_and_what_is_removed_goes_no_more() {
        let now = Instant::now();
        let mut schedule = Schedule::new(now);
        schedule.add("a", now);
        schedule.add("b", now);
        assert_eq!(schedule.take(now), Some("a"));
        assert_eq!(schedule.take(now), None, "the next slot is not there yet");
        schedule.answered(&"a", now, now, SECOND);
        assert_eq!(schedule.take(now + GAP), Some("b"));
        assert_eq!(schedule.next(), Some(now + SECOND));
        schedule.hurry(&"a", now + GAP);
        assert_eq!(schedule.take(now + 2 * GAP), Some("a"));
        schedule.remove(&"a");
        schedule.remove(&"b");
        schedule.answered(&"a", now, now, SECOND);
        assert_eq!(schedule.next(), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// What a server gets within a second was asked within it, or was under way when it began.
        #[test]
        fn a_server_never_gets_more_than_500_in_any_second(
            things in 1_usize..1500,
            answer in 0_u64..300,
            lateness in proptest::collection::vec(0_u64..40, 1..20),
        ) {
            let lateness: Vec<Duration> = lateness.into_iter().map(Duration::from_millis).collect();
            let asked = play(things, 3 * SECOND, Duration::from_millis(answer), &lateness);
            prop_assert!(most_in_a_second(&asked) + AT_ONCE <= 500);
        }
    }
}
