use std::collections::BTreeSet;
use std::time::Duration;

use super::rules::Time;

/// How many usable instances a service showed, as steps in time; its *level* is read from here.
///
/// The level is the largest number shown without interruption for a window W at some time in the last 2 W. A replacement
/// that overlaps for less than W doesn't raise it, and a drop lowers it only W later.
#[derive(Clone, Debug)]
pub(super) struct History {
    /// (from when, how many); the first step reaches back for ever, so a service's first number is its level at once.
    steps: Vec<(Time, usize)>,
}

/// A level, and when it next changes by itself if the service goes on showing what it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) count: usize,
    pub(super) changes: Option<Time>,
}

/// An unbroken time of at least so many: from (`None`: for ever) until (`None`: it lasts), and the step after it.
struct Run {
    from: Option<Time>,
    until: Option<Time>,
    next_step: usize,
}

impl Run {
    fn reaches(&self, window: Duration, now: Time) -> bool {
        let long = self.from.is_none_or(|from| self.until.unwrap_or(now).since(from) >= window);
        long && self.until.is_none_or(|until| now < until.after(window))
    }
}

impl History {
    /// A service that has always shown `count`.
    pub(super) fn new(count: usize) -> Self {
        Self { steps: vec![(Time::default(), count)] }
    }

    /// From `now` on it shows `count`.
    pub(super) fn record(&mut self, now: Time, count: usize) {
        let first = self.steps.len() == 1;
        match self.steps.last_mut() {
            Some((_, last)) if *last == count => {}
            // The first step is no moment's: it reaches back for ever.
            Some((at, last)) if *at == now && !first => *last = count,
            _ => self.steps.push((now, count)),
        }
    }

    /// Forgets what no window can reach any more.
    pub(super) fn prune(&mut self, now: Time, window: Duration) {
        let reach = window.saturating_mul(2);
        let old = self.steps.iter().skip(1).take_while(|(at, _)| now.since(*at) >= reach).count();
        self.steps.drain(..old);
    }

    /// The level at `now`.
    pub(super) fn level(&self, now: Time, window: Duration) -> Level {
        let counts: BTreeSet<usize> = self.steps.iter().map(|(_, count)| *count).collect();
        let mut grows: Option<Time> = None;
        for count in counts.into_iter().rev() {
            let runs = self.runs(count);
            let reaching = runs.iter().rfind(|run| run.reaches(window, now));
            if let Some(run) = reaching {
                let falls = run.until.map(|until| until.after(window));
                return Level { count, changes: earliest(grows, falls) };
            }
            let lasting = runs.last().filter(|run| run.until.is_none()).and_then(|run| run.from);
            grows = earliest(grows, lasting.map(|from| from.after(window)));
        }
        Level { count: 0, changes: grows }
    }

    /// The most that was shown in the last window.
    pub(super) fn peak(&self, now: Time, window: Duration) -> usize {
        let recent = self.steps.iter().skip(1).filter(|(at, _)| now.since(*at) < window);
        let first = self.steps.len() - 1 - recent.count();
        self.steps[first..].iter().map(|(_, count)| *count).max().unwrap_or(0)
    }

    /// What was shown since the level last stood is taken for the level itself: while an address is held, its absence is
    /// not believed, and so doesn't lower the level, neither now nor later.
    pub(super) fn sustain(&mut self, now: Time, window: Duration) {
        let level = self.level(now, window).count;
        let Some(run) = self.runs(level).into_iter().rfind(|run| run.reaches(window, now)) else { return };
        for (_, count) in self.steps.iter_mut().skip(run.next_step) {
            *count = (*count).max(level);
        }
        self.steps.dedup_by_key(|(_, count)| *count);
    }

    /// At least `count` stood for a window until now, as far as this process can tell.
    pub(super) fn stood(&mut self, now: Time, window: Duration, count: usize) {
        let shown = self.steps.last().map_or(0, |(_, last)| *last);
        // Before the origin of time everything was as at first.
        let first = now.0.checked_sub(window).map_or(0, |from| self.split_at(Time(from)));
        for (_, old) in self.steps.iter_mut().skip(first) {
            *old = (*old).max(count);
        }
        self.steps.dedup_by_key(|(_, count)| *count);
        self.record(now, shown);
    }

    /// Makes a step begin at `from`; its index.
    fn split_at(&mut self, from: Time) -> usize {
        let index = self.steps.partition_point(|(at, _)| *at < from).max(1);
        let (_, before) = self.steps[index - 1];
        self.steps.insert(index, (from, before));
        index
    }

    /// `count` of them were taken away on purpose and `shown` remain: that many fewer are expected, but no fewer than remain.
    pub(super) fn intend(&mut self, count: usize, shown: usize) {
        for (_, old) in &mut self.steps {
            *old = old.saturating_sub(count).max(shown.min(*old));
        }
        self.steps.dedup_by_key(|(_, count)| *count);
    }

    fn runs(&self, least: usize) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let mut open = false;
        for (index, (at, count)) in self.steps.iter().enumerate() {
            match (open, *count >= least) {
                (false, true) => {
                    let from = (index > 0).then_some(*at);
                    runs.push(Run { from, until: None, next_step: self.steps.len() });
                }
                (true, false) => {
                    if let Some(run) = runs.last_mut() {
                        (run.until, run.next_step) = (Some(*at), index);
                    }
                }
                _ => {}
            }
            open = *count >= least;
        }
        runs
    }
}

/// The earlier of two moments, where there is one.
pub(super) fn earliest(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const W: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Time {
        Time(Duration::from_secs(seconds))
    }

    /// Plays (second, count) steps and answers the level and its next change at `now`.
    fn level(first: usize, steps: &[(u64, usize)], now: u64) -> (usize, Option<Time>) {
        let mut history = History::new(first);
        for (second, count) in steps {
            history.record(at(*second), *count);
            history.prune(at(*second), W);
        }
        let level = history.level(at(now), W);
        (level.count, level.changes)
    }

    #[test]
    fn a_rise_counts_after_a_window_and_a_drop_lasts_one() {
        assert_eq!(level(4, &[], 0), (4, None));
        assert_eq!(level(4, &[(1000, 8)], 1059), (4, Some(at(1060))));
        assert_eq!(level(4, &[(1000, 8)], 1060), (8, None));
        assert_eq!(level(4, &[(1000, 1)], 1059), (4, Some(at(1060))));
        assert_eq!(level(4, &[(1000, 1)], 1060), (1, None));
    }

    #[test]
    fn an_overlap_shorter_than_a_window_is_no_level() {
        assert_eq!(level(4, &[(1000, 8), (1059, 4)], 1059), (4, None));
        assert_eq!(level(4, &[(1000, 8), (1060, 4)], 1061).0, 8, "a longer one is");
    }

    #[test]
    fn what_is_held_sustains_the_level_across_a_dip_that_was_recorded() {
        let mut history = History::new(4);
        history.record(at(1000), 0);
        history.sustain(at(1010), W);
        assert_eq!(history.level(at(1200), W), Level { count: 4, changes: None });
    }

    #[test]
    fn intent_lowers_it_at_once_but_not_below_what_is_shown() {
        let mut history = History::new(4);
        history.intend(1, 3);
        assert_eq!(history.level(at(0), W).count, 3);
        history.intend(1, 3);
        assert_eq!(history.level(at(0), W).count, 3);
    }

    #[test]
    fn what_stood_counts_for_a_window() {
        let mut history = History::new(1);
        history.record(at(1000), 2);
        history.stood(at(2000), W, 5);
        assert_eq!(history.level(at(2059), W).count, 5);
        assert_eq!(history.level(at(2060), W).count, 2);
        let mut young = History::new(1);
        young.stood(at(10), W, 5);
        assert_eq!(young.level(at(69), W).count, 5);
        assert_eq!(young.level(at(70), W).count, 1);
    }
}
