use std::collections::BTreeSet;

use super::rules::{Rules, Time};
use super::status::BreakerStatus;
use crate::model::ServiceKey;

/// Beyond this many lost instances the size of the source no longer matters, only the share.
const MANY: usize = 10;

/// How many of the losing services status names.
const NAMED: usize = 20;

/// What one service adds to the sums: its level, and how many usable instances it shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) level: usize,
    pub(super) shown: usize,
}

impl Share {
    fn loss(self) -> usize {
        self.level.saturating_sub(self.shown)
    }
}

/// The sums over all services that were read, kept as the services change, and whether the loss is too large (rule 5).
#[derive(Debug, Default)]
pub(super) struct Breaker {
    levels: usize,
    loss: usize,
    losing: BTreeSet<ServiceKey>,
    open_since: Option<Time>,
}

impl Breaker {
    /// A service's share has changed.
    pub(super) fn replace(&mut self, key: &ServiceKey, old: Share, new: Share) {
        self.levels = self.levels - old.level + new.level;
        self.loss = self.loss - old.loss() + new.loss();
        if new.loss() == 0 {
            self.losing.remove(key);
        } else if old.loss() == 0 {
            self.losing.insert(key.clone());
        }
    }

    pub(super) fn open_since(&self) -> Option<Time> {
        self.open_since
    }

    /// Opens or closes by the sums; whether it did.
    pub(super) fn judge(&mut self, now: Time, rules: &Rules) -> bool {
        let open = !rules.absence_is_intent && self.excessive(rules.max_shrink);
        let changed = open != self.open_since.is_some();
        if changed {
            self.open_since = open.then_some(now);
        }
        changed
    }

    /// One service alone never opens it: that is a scale-down as likely as not, and `hold` bounds it.
    fn excessive(&self, max_shrink: f64) -> bool {
        let many = (MANY as f64).min(self.levels as f64 / 2.0);
        let loss = self.loss as f64;
        loss > max_shrink * self.levels as f64 && loss > many && self.losing.len() >= 2
    }

    pub(super) fn losing(&self) -> &BTreeSet<ServiceKey> {
        &self.losing
    }

    /// When it releases by itself.
    pub(super) fn releases(&self, rules: &Rules) -> Option<Time> {
        Some(self.open_since?.after(rules.release_after?))
    }

    pub(super) fn status(&self, rules: &Rules) -> BreakerStatus {
        BreakerStatus {
            open: self.open_since.is_some(),
            since: self.open_since,
            until: self.releases(rules),
            loss: self.loss,
            levels: self.levels,
            losing: self.losing.len(),
            services: self.losing.iter().take(NAMED).cloned().collect(),
        }
    }
}
