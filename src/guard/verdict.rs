use std::fmt;
use std::time::Duration;

use super::Scope;
use super::breaker::Breaker;
use super::doubt::{Cause, Doubt, Trust};
use super::rules::{Rules, Time};
use super::service::{Missing, Service, Shown};
use crate::model::{Address, ServiceKey};

/// What the guard says about removing one address now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be removed.
    Remove,
    /// It waits.
    Held(Held),
}

/// A removal that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Why.
    pub reason: HoldReason,
    /// Since when the address has been missing or unhealthy.
    pub since: Time,
    /// When this may end by itself, if nothing else happens; `None` when only the source, or a person, can end it.
    pub until: Option<Time>,
}

/// Why a removal waits. Prints as the part of a sentence after "because".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldReason {
    /// The service has not been read completely since Causeway started.
    Unread,
    /// The guard has not yet been told that it is missing or unhealthy; it will be at once.
    Unseen,
    /// A scope around it can't be read.
    Unknown(Scope),
    /// Too much of the source has vanished.
    Breaker,
    /// No instance of the service is healthy, so all count as healthy.
    NoneHealthy,
    /// The source is doubtful.
    Doubtful(Cause),
    /// The service shows, or lately showed, no usable instance.
    Emptied,
    /// It is the last usable target of its upstream.
    LastOfUpstream,
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Unread => "the service has not been read completely since Causeway started",
            Self::Unseen => "its absence has only just been noticed",
            Self::Unknown(Scope::Source) => "the registry cannot be read at present",
            Self::Unknown(Scope::Namespace(namespace)) => {
                return write!(f, "namespace {namespace} cannot be read at present");
            }
            Self::Unknown(Scope::Service(_)) => "the service cannot be read at present",
            Self::Breaker => "too many of the registry's instances have vanished at once",
            Self::NoneHealthy => "no instance of the service is healthy, so all count as healthy",
            Self::Doubtful(Cause::Started) => "Causeway has only just read the service for the first time",
            Self::Doubtful(Cause::Regained) => "the registry has only just become readable again",
            Self::Doubtful(Cause::Reset) => "the registry has only just restarted or gone back",
            Self::Doubtful(Cause::Closed) => "the registry has only just recovered from a large loss",
            Self::Emptied => "the service shows, or lately showed, no usable instance",
            Self::LastOfUpstream => "it is the last usable target of its upstream",
        };
        f.write_str(text)
    }
}

/// All that a verdict about one service is made of.
pub(super) struct Bench<'a> {
    pub(super) rules: &'a Rules,
    /// The registry's, or the asking task's own.
    pub(super) hold: Duration,
    pub(super) trust: &'a Trust,
    pub(super) breaker: &'a Breaker,
    pub(super) now: Time,
    pub(super) key: &'a ServiceKey,
    pub(super) service: &'a Service,
}

impl Bench<'_> {
    pub(super) fn verdict(&self, address: &Address, last_usable_of_upstream: bool) -> Verdict {
        let service = self.service;
        let shown = service.shown.get(address);
        if service.retired || shown == Some(&Shown::Intended) {
            return Verdict::Remove;
        }
        // Whoever asks has seen a newer snapshot than the guard: its rules can't have been applied yet.
        if shown == Some(&Shown::Usable) {
            return held(HoldReason::Unseen, self.now, None);
        }
        let Some(read) = service.read else { return held(HoldReason::Unread, service.heard, None) };
        // An address that isn't remembered has not been shown since the first reading.
        let missing = service.missing.get(address).copied().unwrap_or(Missing::at(read));
        if let Some(scope) = self.trust.unknown_scope(self.key) {
            return held(HoldReason::Unknown(scope), missing.since, None);
        }
        if missing.released || self.rules.absence_is_intent {
            return Verdict::Remove;
        }
        if self.breaker.open_since().is_some() {
            return held(HoldReason::Breaker, missing.since, self.breaker.releases(self.rules));
        }
        if service.counts_as_healthy(address) {
            return held(HoldReason::NoneHealthy, missing.since, None);
        }
        self.by_trust(missing, last_usable_of_upstream)
    }

    /// Nothing can be known of the service now.
    pub(super) fn blind(&self) -> bool {
        self.breaker.open_since().is_some() || self.trust.unknown_scope(self.key).is_some()
    }

    /// Rules 3 and 4.
    fn by_trust(&self, missing: Missing, last_usable_of_upstream: bool) -> Verdict {
        let source = self.source_doubt(missing);
        let trusted = self.trusted_from(source);
        if !last_usable_of_upstream && self.sibling_permits(trusted) {
            return Verdict::Remove;
        }
        let counted = source.map_or(missing.since, |doubt| doubt.at.max(missing.since));
        let patience = missing.waits_from.after(Rules::patience(self.hold));
        let expires = counted.after(self.hold).min(patience);
        if self.now >= expires {
            return Verdict::Remove;
        }
        let sooner = trusted.filter(|_| !last_usable_of_upstream && self.service.usable > 0);
        let until = sooner.map_or(expires, |trusted| trusted.min(expires));
        held(self.reason(source, last_usable_of_upstream), missing.since, Some(until))
    }

    /// Rule 3.
    fn sibling_permits(&self, trusted: Option<Time>) -> bool {
        let usable = self.service.usable;
        let complete = usable >= self.service.level.max(self.service.full);
        usable > 0 && (trusted.is_some_and(|from| self.now >= from) || complete)
    }

    /// The source's last doubt, as far as it concerns this address. The first reading since start is one for what it did not
    /// show; what was shown after it, and then went, went before our eyes.
    fn source_doubt(&self, missing: Missing) -> Option<Doubt> {
        let unseen =
            self.service.read.filter(|read| missing.since <= *read && !self.rules.trust_first_reading);
        let start = unseen.map(|at| Doubt { at, cause: Cause::Started });
        self.trust.last_doubt(self.key).max(start)
    }

    /// From when neither the source nor the service is doubtful; `None` while the service shows no usable instance.
    fn trusted_from(&self, source: Option<Doubt>) -> Option<Time> {
        if self.service.usable == 0 {
            return None;
        }
        let doubted = source.map(|doubt| doubt.at).max(self.service.last_without);
        Some(doubted.map_or(self.now, |at| at.after(self.hold)))
    }

    fn reason(&self, source: Option<Doubt>, last_usable_of_upstream: bool) -> HoldReason {
        let lasts = |at: Time| self.now < at.after(self.hold);
        if let Some(doubt) = source.filter(|doubt| lasts(doubt.at)) {
            return HoldReason::Doubtful(doubt.cause);
        }
        let emptied = self.service.usable == 0 || self.service.last_without.is_some_and(lasts);
        if last_usable_of_upstream && !emptied { HoldReason::LastOfUpstream } else { HoldReason::Emptied }
    }
}

fn held(reason: HoldReason, since: Time, until: Option<Time>) -> Verdict {
    Verdict::Held(Held { reason, since, until })
}
