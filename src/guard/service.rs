use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::breaker::Share;
use super::levels::History;
use super::rules::Time;
use crate::model::Address;

/// How the latest snapshot shows an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Healthy, enabled and not isolated.
    Usable,
    /// Wanted by its operators, but unhealthy.
    Unhealthy,
    /// Disabled or isolated: meant to go.
    Intended,
}

/// An address that is missing from the snapshot, or unhealthy beside a usable one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Missing {
    /// Since when.
    pub(super) since: Time,
    /// `since`, put off by the times in which nothing could be known: patience is counted from here.
    pub(super) waits_from: Time,
    /// Somebody has said that it may go.
    pub(super) released: bool,
}

impl Missing {
    pub(super) fn at(now: Time) -> Self {
        Self { since: now, waits_from: now, released: false }
    }
}

/// What the guard remembers of one service.
#[derive(Debug)]
pub(super) struct Service {
    /// When it was first read completely since start.
    pub(super) read: Option<Time>,
    pub(super) heard: Time,
    pub(super) shown: BTreeMap<Address, Shown>,
    pub(super) usable: usize,
    pub(super) missing: BTreeMap<Address, Missing>,
    /// When it was last seen without a usable instance, if it was.
    pub(super) last_without: Option<Time>,
    /// What stood at the destinations, as told around the start.
    pub(super) standing: BTreeSet<Address>,
    pub(super) history: History,
    /// How many usable instances it is expected to show.
    pub(super) level: usize,
    /// How many it showed at most in the window before it began to lose what may come back; 0 when it has it all again.
    pub(super) full: usize,
    /// When it was last observed.
    pub(super) observed: Time,
    /// What it adds to the breaker's sums.
    pub(super) share: Share,
    /// Since when nothing can be known about it: its scope is unknown, or the breaker open.
    pub(super) blind_since: Option<Time>,
    /// Its place in the guard's queue.
    pub(super) due: Option<Time>,
    /// Configuration matches it no more.
    pub(super) retired: bool,
}

impl Service {
    pub(super) fn new(now: Time) -> Self {
        Self {
            read: None,
            heard: now,
            shown: BTreeMap::new(),
            usable: 0,
            missing: BTreeMap::new(),
            last_without: None,
            standing: BTreeSet::new(),
            history: History::new(0),
            level: 0,
            full: 0,
            observed: now,
            share: Share::default(),
            blind_since: None,
            due: None,
            retired: false,
        }
    }

    /// Takes in a complete snapshot; `doubted` is when its source was last doubted.
    pub(super) fn observe(
        &mut self,
        now: Time,
        window: Duration,
        doubted: Option<Time>,
        shown: &BTreeMap<Address, Shown>,
    ) {
        let first_after_doubt = doubted.is_some_and(|at| at >= self.observed);
        let peak = self.history.peak(now, window);
        let usable_before = self.usable;
        self.usable = shown.values().filter(|s| **s == Shown::Usable).count();
        let intended = self.count_intended(shown);
        let old = std::mem::replace(&mut self.shown, shown.clone());
        let standing = if self.read.is_none() { self.standing.clone() } else { BTreeSet::new() };
        for address in old.into_keys().chain(standing) {
            if !shown.contains_key(&address) {
                self.missing.entry(address).or_insert(Missing::at(now));
            }
        }
        for (address, state) in shown {
            match state {
                // While none is usable all count as healthy (rule 6), so nobody waits to be removed yet.
                Shown::Unhealthy if usable_before == 0 || self.usable == 0 => {
                    self.missing.insert(address.clone(), Missing::at(now));
                }
                Shown::Unhealthy => {
                    self.missing.entry(address.clone()).or_insert(Missing::at(now));
                }
                Shown::Usable | Shown::Intended => {
                    self.missing.remove(address);
                }
            }
        }
        let was_empty = usable_before == 0 && self.read.is_some();
        if was_empty || self.usable == 0 {
            self.last_without = Some(now);
        }
        self.count(now, intended);
        self.note_loss(usable_before, first_after_doubt, peak.saturating_sub(intended));
        self.observed = now;
    }

    /// The level is blind to a recent rise, so what a registry forgets soon after one would be let go when only the level
    /// has come back. A rise that a deployment's overlap explains is not waited for: it falls no lower than the level.
    fn note_loss(&mut self, usable_before: usize, first_after_doubt: bool, peak: usize) {
        if self.usable < usable_before && (first_after_doubt || self.usable < self.level) {
            self.full = self.full.max(peak);
        }
        if self.usable >= self.full || self.missing.is_empty() {
            self.full = 0;
        }
    }

    fn count_intended(&self, shown: &BTreeMap<Address, Shown>) -> usize {
        let was_expected = |address: &Address| {
            self.missing.contains_key(address)
                || self.shown.get(address).is_some_and(|old| *old != Shown::Intended)
        };
        shown.iter().filter(|(a, s)| **s == Shown::Intended && was_expected(a)).count()
    }

    fn count(&mut self, now: Time, intended: usize) {
        if self.read.is_none() {
            self.read = Some(now);
            self.history = History::new(self.usable.max(self.standing.len()));
        }
        if intended > 0 {
            self.history.intend(intended, self.usable);
        }
    }

    /// What stands at a destination, besides what was told before.
    pub(super) fn stands(&mut self, now: Time, window: Duration, addresses: &BTreeSet<Address>) {
        self.standing.extend(addresses.iter().cloned());
        let Some(read) = self.read else { return };
        for address in addresses.iter().filter(|a| !self.shown.contains_key(*a)) {
            self.missing.entry(address.clone()).or_insert(Missing::at(read));
        }
        self.history.stood(now, window, self.standing.len());
    }

    /// Everything that is not shown may go, and nothing more than what is shown is expected.
    pub(super) fn release(&mut self) {
        self.missing.values_mut().for_each(|missing| missing.released = true);
        self.standing.clear();
        self.history = History::new(self.usable);
    }

    /// Time in which nothing could be known is not counted as waiting.
    pub(super) fn blind(&mut self, now: Time, blind: bool) {
        match (self.blind_since, blind) {
            (None, true) => self.blind_since = Some(now),
            (Some(since), false) => {
                self.blind_since = None;
                for missing in self.missing.values_mut() {
                    missing.waits_from = missing.waits_from.after(now.since(since.max(missing.since)));
                }
            }
            _ => {}
        }
    }

    /// Unhealthy while none is usable: it counts as healthy (rule 6), and waits for nothing.
    pub(super) fn counts_as_healthy(&self, address: &Address) -> bool {
        self.usable == 0 && self.shown.get(address) == Some(&Shown::Unhealthy)
    }
}
