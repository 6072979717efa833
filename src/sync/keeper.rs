//! When which copy is renewed: evenly spread, so that no server sees a burst, whatever came at the same moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::guard::Time;
use crate::model::{Address, ServiceKey};

/// A copy in its registry.
pub type CopyId = (ServiceKey, Address);

/// Behind by a stall, it catches up at this many times the even rate.
const CATCH_UP: f64 = 1.25;

/// The schedule of one registry's copies.
///
/// Each copy has its own moment within the period, by a hash of its name: the same in every process, and even for any set of
/// copies.
#[derive(Debug)]
pub struct Keeper {
    period: Duration,
    next: BTreeMap<CopyId, Time>,
    order: BTreeSet<(Time, CopyId)>,
    last: Option<Time>,
    /// Renewals that the even rate has not used yet.
    credit: f64,
}

impl Keeper {
    /// Every copy is renewed each `period`.
    pub fn new(period: Duration) -> Self {
        Self { period, next: BTreeMap::new(), order: BTreeSet::new(), last: None, credit: 0.0 }
    }

    /// The copies of one service that stand; it has no others.
    pub fn keep(&mut self, now: Time, key: &ServiceKey, addresses: &BTreeSet<Address>) {
        let first = (key.clone(), Address::new("", 0));
        let known = self.next.range(first..).map(|(copy, _)| copy);
        let known: BTreeSet<CopyId> = known.take_while(|(service, _)| service == key).cloned().collect();
        let standing: BTreeSet<CopyId> =
            addresses.iter().map(|address| (key.clone(), address.clone())).collect();
        for gone in known.difference(&standing) {
            self.forget(gone);
        }
        for new in standing.difference(&known) {
            let at = self.moment_after(now, new);
            self.schedule(new.clone(), at);
        }
    }

    /// This copy stands no more.
    pub fn forget(&mut self, copy: &CopyId) {
        if let Some(at) = self.next.remove(copy) {
            self.order.remove(&(at, copy.clone()));
        }
    }

    /// The copies to renew now, each of which is scheduled for its next time. Asked often, it never answers with more in a second than
    /// 1.25 times the even rate.
    pub fn due(&mut self, now: Time) -> Vec<CopyId> {
        let most = self.allowance(now);
        let due: Vec<(Time, CopyId)> =
            self.order.iter().take_while(|(at, _)| *at <= now).take(most).cloned().collect();
        self.credit -= due.len() as f64;
        for (at, copy) in &due {
            self.order.remove(&(*at, copy.clone()));
            let next = self.moment_after(now, copy);
            self.schedule(copy.clone(), next);
        }
        due.into_iter().map(|(_, copy)| copy).collect()
    }

    /// How many copies are kept.
    pub fn len(&self) -> usize {
        self.next.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.next.is_empty()
    }

    fn schedule(&mut self, copy: CopyId, at: Time) {
        self.next.insert(copy.clone(), at);
        self.order.insert((at, copy));
    }

    /// Credit grows with time at the catch-up rate and is kept for a quarter of a second at most, so that a stall is made good
    /// slowly.
    fn allowance(&mut self, now: Time) -> usize {
        let rate = CATCH_UP * self.next.len() as f64 / self.period.as_secs_f64();
        let elapsed = self.last.map_or(Duration::ZERO, |last| now.since(last));
        self.last = Some(now);
        self.credit = (self.credit + rate * elapsed.as_secs_f64()).min((rate / 4.0).max(1.0));
        self.credit.max(0.0) as usize
    }

    /// The copy's own moment, at least half a period after `now`, so that nothing is renewed twice in a row.
    fn moment_after(&self, now: Time, copy: &CopyId) -> Time {
        let period = self.period.as_nanos().max(1);
        let phase = u128::from(hash(copy)) * period / (u128::from(u64::MAX) + 1);
        let earliest = now.0.as_nanos() + if self.next.contains_key(copy) { period / 2 } else { 0 };
        let rounds = earliest.saturating_sub(phase).div_ceil(period);
        let at = rounds * period + phase;
        Time(Duration::from_nanos(u64::try_from(at).unwrap_or(u64::MAX)))
    }
}

/// FNV-1a with a final mix: even, and the same in every process and version.
fn hash((key, address): &CopyId) -> u64 {
    let text = format!("{key}\u{0}{address}");
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(20);
    const TICK: Duration = Duration::from_millis(100);

    fn copies(count: usize) -> BTreeSet<CopyId> {
        let copy = |n: usize| {
            (
                ServiceKey::new("default", format!("s{}", n / 10)),
                Address::new(format!("10.0.{}.{}", n / 250, n % 250), 80),
            )
        };
        (0..count).map(copy).collect()
    }

    /// Asks at each tick but while `stalled`; the renewals of each second, and the longest time that a copy waited.
    fn run(keeper: &mut Keeper, seconds: u64, stalled: std::ops::Range<u64>) -> (Vec<usize>, Duration) {
        let (mut each_second, mut last) = (vec![0; usize::try_from(seconds).unwrap()], BTreeMap::new());
        let mut longest = Duration::ZERO;
        for tick in 0..seconds * 10 {
            let now = Time(TICK * u32::try_from(tick).unwrap());
            if stalled.contains(&(tick / 10)) {
                continue;
            }
            for copy in keeper.due(now) {
                each_second[usize::try_from(tick / 10).unwrap()] += 1;
                let before = last.insert(copy, now).unwrap_or_default();
                longest = longest.max(now.since(before));
            }
        }
        (each_second, longest)
    }

    /// These copies stand, and no others.
    fn keep(keeper: &mut Keeper, now: Time, copies: &BTreeSet<CopyId>) {
        let mut services: BTreeMap<ServiceKey, BTreeSet<Address>> = BTreeMap::new();
        services.extend(keeper.next.keys().map(|(key, _)| (key.clone(), BTreeSet::new())));
        for (key, address) in copies {
            services.entry(key.clone()).or_default().insert(address.clone());
        }
        for (key, addresses) in services {
            keeper.keep(now, &key, &addresses);
        }
    }

    fn full(count: usize) -> Keeper {
        let mut keeper = Keeper::new(PERIOD);
        keep(&mut keeper, Time::default(), &copies(count));
        keeper
    }

    #[test]
    fn ten_thousand_that_came_at_once_are_renewed_evenly() {
        let (each_second, longest) = run(&mut full(10_000), 100, 0..0);
        let mean = 10_000 / 20;
        assert!(each_second.iter().all(|count| *count <= mean * 3 / 2), "{each_second:?}");
        assert_eq!(each_second[20..].iter().sum::<usize>(), 10_000 * 4);
        assert!(longest <= PERIOD + Duration::from_secs(1), "{longest:?}");
    }

    #[test]
    fn a_stall_is_made_good_without_a_burst() {
        let (each_second, longest) = run(&mut full(10_000), 200, 40..50);
        let mean = 10_000 / 20;
        assert!(each_second.iter().all(|count| *count <= mean * 3 / 2), "{each_second:?}");
        assert!(longest <= PERIOD + Duration::from_secs(12), "none is forgotten: {longest:?}");
        let settled = each_second[120..].iter().sum::<usize>();
        assert!(settled.abs_diff(10_000 * 4) < 300, "it is even again: {settled}");
    }

    #[test]
    fn a_few_are_renewed_in_time_too() {
        let (each_second, longest) = run(&mut full(3), 100, 0..0);
        assert!(each_second.iter().sum::<usize>() >= 3 * 4);
        assert!(longest <= PERIOD + Duration::from_secs(8), "{longest:?}");
    }

    #[test]
    fn those_that_are_gone_are_not_renewed_and_known_ones_keep_their_moment() {
        let mut keeper = full(10);
        let before = keeper.next.clone();
        let fewer: BTreeSet<CopyId> = copies(4);
        keep(&mut keeper, Time(Duration::from_secs(1)), &fewer);
        assert_eq!(keeper.len(), 4);
        assert!(keeper.next.iter().all(|(copy, at)| before[copy] == *at));
        let (each_second, _) = run(&mut keeper, 21, 0..0);
        assert!(each_second.iter().sum::<usize>() <= 8);
        keep(&mut keeper, Time(Duration::from_secs(30)), &BTreeSet::new());
        assert!(keeper.is_empty() && keeper.due(Time(Duration::from_secs(90))).is_empty());
    }
}
