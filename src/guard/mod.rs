//! What may be removed now, what is held, and why. Pure: time is an argument.
//!
//! ```text
//!  view ──observe, unknown, known, reset──▶ Guard ◀──standing, removed, intend, release── reconciler
//!                                             │
//!        service.rs  what each service shows, and what of it is missing since when
//!        levels.rs   how many a service is expected to show      ──▶ breaker.rs  sums over all services (rule 5)
//!        doubt.rs    what can't be read, what is doubtful (rule 2)
//!                                             │
//!                                             ▼
//!                    verdict.rs  Remove | Held (rules 1, 3, 4)       status.rs  the same for people
//! ```
//!
//! One guard serves one registry, and all tasks that read it. Everything in it can be forgotten: after a restart the first reading is
//! doubted, and what stands at the destinations says how many instances there should be.

mod books;
mod breaker;
mod doubt;
mod levels;
mod rules;
mod service;
mod status;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use crate::model::{Address, ServiceKey};
use breaker::Breaker;
use doubt::Trust;
use levels::earliest;
use service::Service;
use verdict::Bench;

pub use doubt::Cause;
pub use rules::{Rules, Time};
pub use service::Shown;
pub use status::{BreakerStatus, Unprotected};
pub use verdict::{Held, HoldReason, Verdict};

/// A part of a source that is read, and can fail, by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The whole registry.
    Source,
    /// One namespace of it.
    Namespace(String),
    /// One service of it.
    Service(ServiceKey),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => f.write_str("the registry"),
            Self::Namespace(namespace) => write!(f, "namespace {namespace}"),
            Self::Service(key) => write!(f, "service {key}"),
        }
    }
}

impl Scope {
    /// The first key, in their order, that can lie in it.
    fn first(&self) -> ServiceKey {
        match self {
            Self::Source => ServiceKey::new("", ""),
            Self::Namespace(namespace) => ServiceKey::new(namespace.clone(), ""),
            Self::Service(key) => key.clone(),
        }
    }

    /// Whether a service lies in it.
    pub fn covers(&self, key: &ServiceKey) -> bool {
        match self {
            Self::Source => true,
            Self::Namespace(namespace) => *namespace == key.namespace,
            Self::Service(service) => service == key,
        }
    }
}

/// Decides for one registry what may be removed now.
///
/// Every method that takes `&mut self` answers whether verdicts about *other* services than the named one (or outside the named scope)
/// may have changed: the breaker opened or closed. Callers on several threads may be a little late: time never goes back in here.
#[derive(Debug)]
pub struct Guard {
    rules: Rules,
    /// The latest time that was told.
    latest: Time,
    services: BTreeMap<ServiceKey, Service>,
    trust: Trust,
    breaker: Breaker,
    /// Services with missing addresses.
    waiting: BTreeSet<ServiceKey>,
    /// When a service's level or verdicts change by themselves.
    due: BTreeSet<(Time, ServiceKey)>,
}

impl Guard {
    /// A guard that knows nothing yet.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            latest: Time::default(),
            services: BTreeMap::new(),
            trust: Trust::default(),
            breaker: Breaker::default(),
            waiting: BTreeSet::new(),
            due: BTreeSet::new(),
        }
    }

    /// One complete snapshot of a service, an empty one included; each is told once, in order.
    ///
    /// The first one since start makes the service doubtful for `hold`.
    pub fn observe(&mut self, now: Time, key: &ServiceKey, shown: &BTreeMap<Address, Shown>) -> bool {
        let now = self.clock(now);
        let window = self.rules.window();
        let doubted = self.trust.last_doubt(key).map(|doubt| doubt.at);
        let service = self.service(now, key);
        if service.retired {
            *service = Service::new(now);
        }
        service.observe(now, window, doubted, shown);
        self.settle(now, key)
    }

    /// A scope can't be read: nothing of it is removed.
    pub fn unknown(&mut self, now: Time, scope: &Scope) -> bool {
        let now = self.clock(now);
        self.trust.unknown(now, scope);
        self.refresh_all(now, scope);
        self.judge_breaker(now)
    }

    /// A scope can be read again, and is doubtful for `hold`. Nothing changes when it was not unknown.
    pub fn known(&mut self, now: Time, scope: &Scope) -> bool {
        let now = self.clock(now);
        if self.trust.known(now, scope) {
            self.refresh_all(now, scope);
        }
        self.judge_breaker(now)
    }

    /// The server was seen starting, or an epoch, index or revision of it went back: the scope is doubtful for `hold`.
    pub fn reset(&mut self, now: Time, scope: &Scope) -> bool {
        let now = self.clock(now);
        self.trust.doubt(now, scope, Cause::Reset);
        self.refresh_scope(now, scope);
        self.judge_breaker(now)
    }

    /// What of a service stands at a destination when Causeway, or a task, starts. Several destinations are united.
    pub fn standing(&mut self, now: Time, key: &ServiceKey, addresses: &BTreeSet<Address>) -> bool {
        let now = self.clock(now);
        let window = self.rules.window();
        self.service(now, key).stands(now, window, addresses);
        self.settle(now, key)
    }

    /// An address is gone from every destination.
    pub fn removed(&mut self, now: Time, key: &ServiceKey, address: &Address) -> bool {
        let now = self.clock(now);
        if let Some(service) = self.services.get_mut(key) {
            service.missing.remove(address);
            service.standing.remove(address);
        }
        self.settle(now, key)
    }

    /// No task matches the service any more: nothing of it is expected, and all of it may go, until it is observed again.
    pub fn intend(&mut self, now: Time, key: &ServiceKey) -> bool {
        let now = self.clock(now);
        if let Some(service) = self.services.get_mut(key) {
            let (share, due) = (service.share, service.due);
            *service = Service { retired: true, share, due, ..Service::new(now) };
        }
        self.settle(now, key)
    }

    /// What is missing now may go, everywhere, and every level is what is shown now.
    pub fn release(&mut self, now: Time) -> bool {
        let now = self.clock(now);
        let keys: Vec<ServiceKey> = self.services.keys().cloned().collect();
        for key in &keys {
            self.service(now, key).release();
            self.refresh(now, key);
        }
        self.judge_breaker(now);
        true
    }

    /// Lets time pass: levels, doubts, and `release_after`. True when verdicts about more than one service may have changed.
    pub fn tick(&mut self, now: Time) -> bool {
        let now = self.clock(now);
        if self.breaker.releases(&self.rules).is_some_and(|at| now >= at) {
            return self.release(now);
        }
        let mut wide = false;
        for scope in self.trust.settle(now, self.rules.hold) {
            wide |= !matches!(scope, Scope::Service(_));
            self.refresh_scope(now, &scope);
        }
        while let Some((_, key)) = self.due.first().filter(|(at, _)| *at <= now).cloned() {
            self.refresh(now, &key);
        }
        self.judge_breaker(now) || wide
    }

    /// The earliest time at which [`Guard::tick`] has something to do.
    pub fn next_change(&self) -> Option<Time> {
        let due = self.due.first().map(|(at, _)| *at);
        let doubt = self.trust.next_settled(self.rules.hold);
        earliest(earliest(due, doubt), self.breaker.releases(&self.rules))
    }

    /// Whether an address may be removed that stands at a destination and is missing from the snapshot, or unhealthy.
    ///
    /// What is shown and meant to go (it left a group, say) needs no verdict. `last_usable_of_upstream`: no other target would stay in its
    /// upstream that the snapshot shows usable.
    pub fn verdict(
        &self,
        now: Time,
        key: &ServiceKey,
        address: &Address,
        last_usable_of_upstream: bool,
    ) -> Verdict {
        self.verdict_with_hold(now, key, address, last_usable_of_upstream, self.rules.hold)
    }

    /// As [`Guard::verdict`], with a `hold` of the task's own in place of the registry's.
    pub fn verdict_with_hold(
        &self,
        now: Time,
        key: &ServiceKey,
        address: &Address,
        last_usable_of_upstream: bool,
        hold: Duration,
    ) -> Verdict {
        let now = now.max(self.latest);
        match self.services.get(key) {
            Some(service) => {
                Bench { hold, ..self.bench(now, key, service) }.verdict(address, last_usable_of_upstream)
            }
            None => Verdict::Held(Held { reason: HoldReason::Unread, since: now, until: None }),
        }
    }

    /// The breaker's state and sums.
    pub fn breaker(&self) -> BreakerStatus {
        self.breaker.status(&self.rules)
    }

    /// The services that lost instances, and for which nothing is held: their loss was believed.
    pub fn unprotected(&self, now: Time) -> Vec<Unprotected> {
        let services = self.breaker.losing().iter().filter_map(|key| Some((key, self.services.get(key)?)));
        let open = services.filter(|(key, service)| !self.holds(now, key, service));
        open.map(|(key, service)| Unprotected {
            service: key.clone(),
            level: service.level,
            shown: service.usable,
        })
        .collect()
    }
}
