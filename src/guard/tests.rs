use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn rules() -> Rules {
    Rules {
        hold: Duration::from_secs(60),
        max_shrink: 0.3,
        release_after: None,
        trust_first_reading: false,
        absence_is_intent: false,
    }
}

fn at(seconds: u64) -> Time {
    Time(Duration::from_secs(seconds))
}

fn key(service: usize) -> ServiceKey {
    ServiceKey::new(format!("n{}", service % 2), format!("s{service}"))
}

fn address(id: u16) -> Address {
    Address::new("10.0.0.1", id)
}

fn usable(ids: std::ops::Range<u16>) -> BTreeMap<Address, Shown> {
    ids.map(|id| (address(id), Shown::Usable)).collect()
}

fn reason(verdict: Verdict) -> Option<HoldReason> {
    match verdict {
        Verdict::Remove => None,
        Verdict::Held(held) => Some(held.reason),
    }
}

#[test]
fn what_was_never_read_is_held() {
    let mut guard = Guard::new(rules());
    assert_eq!(reason(guard.verdict(at(0), &key(0), &address(1), false)), Some(HoldReason::Unread));
    guard.standing(at(0), &key(0), &BTreeSet::from([address(1)]));
    assert_eq!(reason(guard.verdict(at(900), &key(0), &address(1), false)), Some(HoldReason::Unread));
}

#[test]
fn a_reader_ahead_of_the_guard_waits_for_it() {
    let mut guard = Guard::new(rules());
    guard.observe(at(0), &key(0), &usable(0..2));
    assert_eq!(reason(guard.verdict(at(500), &key(0), &address(0), false)), Some(HoldReason::Unseen));
    guard.observe(at(500), &key(0), &usable(1..2));
    assert_eq!(guard.verdict(at(500), &key(0), &address(0), false), Verdict::Remove);
}

#[test]
fn what_a_file_no_longer_says_is_intent_as_long_as_it_can_be_read() {
    let mut guard = Guard::new(Rules { absence_is_intent: true, ..rules() });
    for service in 0..3 {
        guard.observe(at(0), &key(service), &usable(0..4));
    }
    for service in 0..3 {
        guard.observe(at(1), &key(service), &usable(0..0));
    }
    assert!(!guard.breaker().open);
    assert_eq!(guard.verdict(at(1), &key(0), &address(0), true), Verdict::Remove);
    guard.unknown(at(2), &Scope::Source);
    let unknown = HoldReason::Unknown(Scope::Source);
    assert_eq!(reason(guard.verdict(at(2), &key(0), &address(0), true)), Some(unknown));
}

#[test]
fn a_single_pass_believes_its_first_reading_beside_a_usable_one() {
    for (trust_first_reading, expected) in [(true, None), (false, Some(HoldReason::Doubtful(Cause::Started)))]
    {
        let mut guard = Guard::new(Rules { trust_first_reading, ..rules() });
        guard.standing(at(0), &key(0), &BTreeSet::from([address(0), address(1)]));
        guard.observe(at(0), &key(0), &usable(1..2));
        assert_eq!(reason(guard.verdict(at(0), &key(0), &address(0), false)), expected);
    }
}

#[test]
fn a_late_caller_turns_no_clock_back() {
    let mut guard = Guard::new(rules());
    guard.observe(at(0), &key(0), &usable(0..2));
    guard.observe(at(500), &key(0), &usable(0..0));
    assert!(guard.tick(at(499)) || guard.next_change().is_some_and(|next| next >= at(500)));
    guard.observe(at(490), &key(0), &usable(0..1));
    guard.tick(at(559));
    assert_eq!(reason(guard.verdict(at(559), &key(0), &address(1), false)), Some(HoldReason::Emptied));
    assert_eq!(guard.verdict(at(560), &key(0), &address(1), false), Verdict::Remove);
}

#[test]
fn a_task_may_hold_longer_than_its_registry() {
    let mut guard = Guard::new(rules());
    guard.observe(at(0), &key(0), &usable(0..4));
    guard.unknown(at(490), &Scope::Source);
    guard.known(at(500), &Scope::Source);
    guard.observe(at(501), &key(0), &usable(1..4));
    guard.tick(at(565));
    assert_eq!(guard.verdict(at(565), &key(0), &address(0), false), Verdict::Remove);
    let longer = guard.verdict_with_hold(at(565), &key(0), &address(0), false, Duration::from_secs(90));
    let reason = HoldReason::Doubtful(Cause::Regained);
    assert_eq!(longer, Verdict::Held(Held { reason, since: at(501), until: Some(at(590)) }));
}

#[test]
fn nobody_has_to_carry_a_removal_out_for_the_memory_to_end() {
    let mut guard = Guard::new(rules());
    for round in 0..100u16 {
        guard.observe(at(u64::from(round) * 100), &key(0), &usable(round..round + 2));
    }
    assert!(guard.services[&key(0)].missing.len() < 10, "churn is remembered for ever");
    assert_eq!(guard.verdict(at(10_000), &key(0), &address(1), false), Verdict::Remove);
}

/// Every removal that waits.
fn held(guard: &Guard, now: Time) -> Vec<(ServiceKey, Address, Held)> {
    let missing = guard.services.iter().flat_map(|(key, service)| {
        let addresses = service.missing.keys().filter(|address| !service.counts_as_healthy(address));
        addresses.map(move |address| (key, address))
    });
    let held = missing.filter_map(|(key, address)| match guard.verdict(now, key, address, false) {
        Verdict::Held(held) => Some((key.clone(), address.clone(), held)),
        Verdict::Remove => None,
    });
    held.collect()
}

#[test]
fn status_says_what_is_held_and_what_is_not_protected() {
    let mut guard = Guard::new(rules());
    guard.observe(at(0), &key(0), &usable(0..4));
    guard.observe(at(0), &key(1), &usable(0..4));
    guard.observe(at(500), &key(0), &usable(0..0));
    guard.observe(at(500), &key(1), &usable(1..4));
    let open = guard.breaker();
    assert!(open.open && open.loss == 5 && open.levels == 8 && open.services.len() == 2);
    assert_eq!(held(&guard, at(500)).len(), 5);
    guard.observe(at(510), &key(0), &usable(0..4));
    assert!(!guard.breaker().open);
    let [(_, _, last)] = &held(&guard, at(511))[..] else { panic!("one is held") };
    assert_eq!(last.reason.to_string(), "the registry has only just recovered from a large loss");
    assert_eq!((last.since, last.until), (at(500), Some(at(570))));
    guard.tick(at(570));
    assert!(held(&guard, at(570)).is_empty());
    assert_eq!(guard.unprotected(at(570)), [Unprotected { service: key(1), level: 4, shown: 3 }]);
}

/// One thing told to the guard, after some seconds.
#[derive(Clone, Debug)]
enum Told {
    Observe(usize, Vec<(u16, u8)>),
    Unknown(usize),
    Known(usize),
    Reset(usize),
    Standing(usize, Vec<u16>),
    Removed(usize, u16),
    Intend(usize),
    Release,
    Nothing,
}

fn scope(number: usize) -> Scope {
    match number {
        0 => Scope::Source,
        1 => Scope::Namespace("n0".into()),
        _ => Scope::Service(key(number)),
    }
}

fn told() -> impl Strategy<Value = Told> {
    let service = || 0..4usize;
    let shown = prop::collection::vec((0..8u16, 0..6u8), 0..8);
    prop_oneof![
        8 => (service(), shown).prop_map(|(s, shown)| Told::Observe(s, shown)),
        1 => service().prop_map(Told::Unknown),
        1 => service().prop_map(Told::Known),
        1 => service().prop_map(Told::Reset),
        1 => (service(), prop::collection::vec(0..8u16, 0..8)).prop_map(|(s, ids)| Told::Standing(s, ids)),
        3 => (service(), 0..8u16).prop_map(|(s, id)| Told::Removed(s, id)),
        1 => service().prop_map(Told::Intend),
        1 => Just(Told::Release),
        3 => Just(Told::Nothing),
    ]
}

fn tell(guard: &mut Guard, now: Time, told: &Told) {
    let state = |state: &u8| match state {
        0 => Shown::Unhealthy,
        1 => Shown::Intended,
        _ => Shown::Usable,
    };
    match told {
        Told::Observe(service, shown) => {
            let shown = shown.iter().map(|(id, how)| (address(*id), state(how))).collect();
            guard.observe(now, &key(*service), &shown)
        }
        Told::Unknown(number) => guard.unknown(now, &scope(*number)),
        Told::Known(number) => guard.known(now, &scope(*number)),
        Told::Reset(number) => guard.reset(now, &scope(*number)),
        Told::Standing(service, ids) => {
            guard.standing(now, &key(*service), &ids.iter().map(|id| address(*id)).collect())
        }
        Told::Removed(service, id) => guard.removed(now, &key(*service), &address(*id)),
        Told::Intend(service) => guard.intend(now, &key(*service)),
        Told::Release => guard.release(now),
        Told::Nothing => guard.tick(now),
    };
}

type Picture =
    (BreakerStatus, Vec<(ServiceKey, Address, Held)>, Vec<Unprotected>, BTreeMap<ServiceKey, usize>);

fn picture(guard: &Guard, now: Time) -> Picture {
    let levels = guard.services.iter().map(|(key, service)| (key.clone(), service.level)).collect();
    (guard.breaker(), held(guard, now), guard.unprotected(now), levels)
}

proptest! {
    /// Only what an event touches is judged anew; judging everything anew must change nothing, and the sums must be sums.
    #[test]
    fn the_books_are_what_a_full_count_finds(steps in prop::collection::vec((0..40u64, told()), 1..60)) {
        let mut guard = Guard::new(rules());
        let mut second = 0;
        for (pause, told) in &steps {
            second += pause;
            tell(&mut guard, at(second), told);
            guard.tick(at(second));
            prop_assert!(guard.next_change().is_none_or(|next| next > at(second)), "a tick leaves nothing due");
            let kept = picture(&guard, at(second));
            guard.refresh_all(at(second), &Scope::Source);
            prop_assert!(!guard.judge_breaker(at(second)), "the breaker was late");
            prop_assert_eq!(&kept, &picture(&guard, at(second)));
            let shares: Vec<_> = guard.services.values().map(|service| service.share).collect();
            prop_assert_eq!(kept.0.levels, shares.iter().map(|share| share.level).sum::<usize>());
            let loss = shares.iter().map(|share| share.level.saturating_sub(share.shown)).sum::<usize>();
            prop_assert_eq!(kept.0.loss, loss);
        }
    }
}
