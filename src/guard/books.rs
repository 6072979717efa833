//! How the guard keeps its books: levels, sums and queues follow each event, and only what it touches is judged anew.

use super::breaker::Share;
use super::doubt::Cause;
use super::levels::earliest;
use super::rules::{Rules, Time};
use super::service::Service;
use super::verdict::{Bench, Verdict};
use super::{Guard, Scope};
use crate::model::ServiceKey;

impl Guard {
    /// The time to go by: `now`, or what was told already when that is later.
    pub(super) fn clock(&mut self, now: Time) -> Time {
        self.latest = self.latest.max(now);
        self.latest
    }

    pub(super) fn service(&mut self, now: Time, key: &ServiceKey) -> &mut Service {
        self.services.entry(key.clone()).or_insert_with(|| Service::new(now))
    }

    pub(super) fn bench<'a>(&'a self, now: Time, key: &'a ServiceKey, service: &'a Service) -> Bench<'a> {
        Bench {
            rules: &self.rules,
            hold: self.rules.hold,
            trust: &self.trust,
            breaker: &self.breaker,
            now,
            key,
            service,
        }
    }

    pub(super) fn holds(&self, now: Time, key: &ServiceKey, service: &Service) -> bool {
        let bench = self.bench(now, key, service);
        service
            .missing
            .keys()
            .any(|a| !service.counts_as_healthy(a) && matches!(bench.verdict(a, false), Verdict::Held(_)))
    }

    pub(super) fn settle(&mut self, now: Time, key: &ServiceKey) -> bool {
        self.refresh(now, key);
        self.judge_breaker(now)
    }

    /// Opens or closes the breaker; what waits is judged anew then.
    pub(super) fn judge_breaker(&mut self, now: Time) -> bool {
        let was_open = self.breaker.open_since().is_some();
        if !self.breaker.judge(now, &self.rules) {
            return false;
        }
        if was_open {
            self.trust.doubt(now, &Scope::Source, Cause::Closed);
        }
        self.refresh_scope(now, &Scope::Source);
        true
    }

    /// Judges anew what waits in a scope.
    pub(super) fn refresh_scope(&mut self, now: Time, scope: &Scope) {
        let keys = self.waiting.range(scope.first()..).take_while(|key| scope.covers(key));
        for key in keys.cloned().collect::<Vec<_>>() {
            self.refresh(now, &key);
        }
    }

    /// Brings all services of a scope up to date: whether it can be read decides how their levels and sums count.
    pub(super) fn refresh_all(&mut self, now: Time, scope: &Scope) {
        let keys =
            self.services.range(scope.first()..).map(|(key, _)| key).take_while(|key| scope.covers(key));
        for key in keys.cloned().collect::<Vec<_>>() {
            self.refresh(now, &key);
        }
    }

    /// Brings one service's level, its share in the breaker's sums and its place in the queues up to date.
    pub(super) fn refresh(&mut self, now: Time, key: &ServiceKey) {
        let Some(mut service) = self.services.remove(key) else { return };
        let window = self.rules.window();
        let blind = self.bench(now, key, &service).blind();
        service.blind(now, blind);
        service.level = service.history.level(now, window).count;
        let holds = self.holds(now, key, &service);
        if holds {
            service.history.sustain(now, window);
        }
        service.history.prune(now, window);
        service.history.record(now, self.counted(key, &service, holds));
        let level = service.history.level(now, window);
        let counts = service.read.is_some() && !self.trust.apart(key);
        service.level = level.count;
        let share = Share { level: level.count, shown: service.usable };
        let share = if counts { share } else { Share::default() };
        self.breaker.replace(key, service.share, share);
        service.share = share;
        let due = earliest(level.changes, self.next_verdict(now, key, &mut service));
        self.enqueue(key, &mut service, due);
        self.services.insert(key.clone(), service);
    }

    /// What the history records: the level stands for what is held, and nothing is shown while it can't be read, so what was
    /// last shown then doesn't become a level by lasting.
    fn counted(&self, key: &ServiceKey, service: &Service, holds: bool) -> usize {
        let level = service.level;
        let unknown = self.trust.unknown_scope(key).is_some();
        match (holds, unknown) {
            (true, true) => level,
            (true, false) => service.usable.max(level),
            (false, true) => service.usable.min(level),
            (false, false) => service.usable,
        }
    }

    /// When a verdict about the service changes by itself. What may go and was not taken away for long is forgotten: it is
    /// judged as missing since the first reading then.
    fn next_verdict(&self, now: Time, key: &ServiceKey, service: &mut Service) -> Option<Time> {
        let bench = self.bench(now, key, service);
        let mut next = None;
        let mut stale = Vec::new();
        for (address, missing) in &service.missing {
            match bench.verdict(address, false) {
                Verdict::Held(held) => next = earliest(next, held.until),
                Verdict::Remove if now.since(missing.since) > 2 * Rules::patience(self.rules.hold) => {
                    stale.push(address.clone());
                }
                Verdict::Remove => {}
            }
        }
        for address in &stale {
            service.missing.remove(address);
        }
        next
    }

    fn enqueue(&mut self, key: &ServiceKey, service: &mut Service, due: Option<Time>) {
        if let Some(old) = service.due.take() {
            self.due.remove(&(old, key.clone()));
        }
        if let Some(at) = due {
            self.due.insert((at, key.clone()));
        }
        service.due = due;
        if service.missing.is_empty() {
            self.waiting.remove(key);
        } else if !self.waiting.contains(key) {
            self.waiting.insert(key.clone());
        }
    }
}
