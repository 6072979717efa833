//! The guard as a state machine against a model registry: what it promises, looked for twice, by proptest (which shrinks) and
//! by a plain seeded random search (which misses other things).

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use crate::guard_model::{At, Lost, Op, Report, Script, Setup, run};

/// The protected share of all levels, and the number below which a share says little.
const MAX_SHRINK: f64 = 0.3;
const FEW: usize = 10;

/// Checks a property on scripts: `searched` from plain random search, then `tried` by proptest, shrunk when one fails.
fn holds(
    scripts: &BoxedStrategy<Script>,
    searched: usize,
    tried: u32,
    property: impl Fn(&Script) -> Option<String>,
) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, b"what is held has its reason, ...");
    let mut search = TestRunner::new_with_rng(Config::default(), rng);
    for number in 0..searched {
        let script = scripts.new_tree(&mut search).unwrap().current();
        if let Some(complaint) = property(&script) {
            let json = serde_json::to_string(&script).unwrap();
            panic!("script {number} of the random search: {complaint}\n{json}");
        }
    }
    let config = Config { cases: tried, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
        .run(scripts, |script| property(&script).map_or(Ok(()), |text| Err(TestCaseError::fail(text))));
    if let Err(TestError::Fail(why, script)) = outcome {
        panic!("{why}\n{}", serde_json::to_string(&script).unwrap());
    }
}

fn complain(wrong: bool, text: impl FnOnce() -> String) -> Option<String> {
    wrong.then(text)
}

fn setups() -> impl Strategy<Value = Setup> {
    let sizes = prop_oneof![
        Just(vec![2, 2, 2]),
        Just(vec![8; 6]),
        Just(vec![30, 3, 3]),
        Just(vec![4; 4]),
        Just(vec![1, 1, 1, 1, 1]),
    ];
    (sizes, 1..3usize, any::<bool>(), 0..4u64, prop_oneof![Just(5u64), Just(300)]).prop_map(
        |(services, namespaces, groups, lag, warm)| Setup {
            namespaces,
            groups,
            lag,
            warm,
            ..Setup::of(&services)
        },
    )
}

fn scripts(
    setups: impl Strategy<Value = Setup> + 'static,
    op: impl Strategy<Value = Op> + 'static,
    most: usize,
    quiet: u64,
) -> BoxedStrategy<Script> {
    let scripts = (setups, vec((0..200u64, op), 1..=most)).prop_map(move |(setup, ops)| {
        let ops = ops.into_iter().map(|(at, op)| At { at, op }).collect();
        Script::new(setup, ops, quiet)
    });
    scripts.boxed()
}

/// One service, or all.
fn some() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![Just(vec![]), (0..3usize).prop_map(|s| vec![s])]
}

fn lost() -> impl Strategy<Value = Lost> {
    prop_oneof![Just(Lost::All), Just(Lost::Namespace(0)), (0..2usize).prop_map(Lost::Service)]
}

fn crash() -> impl Strategy<Value = Op> {
    (0..20u64).prop_map(|down| Op::Crash { down })
}

/// Ways of forgetting that the guard promises to see through, each back within `hold`.
fn forgetting() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (0..90u64, 0..50u64).prop_map(|(down, refill)| Op::Restart { down, refill }),
        2 => (0..30u64, 0..50u64).prop_map(|(poll, refill)| Op::PolledRestart { poll, refill }),
        2 => (1..90u64).prop_map(|down| Op::Unreadable { of: Lost::All, down }),
        3 => (some(), 0..30u64, 0..25u64).prop_map(|(services, after, refill)| Op::Forget {
            services,
            share: 100,
            over: 0,
            after,
            refill: Some(refill)
        }),
        2 => crash(),
    ]
}

/// Those, and a part of everything at once: the breaker sees it, as long as it sees more than one service.
fn forgetting_in_part() -> impl Strategy<Value = Op> {
    let part = (60..=100usize, 0..50u64).prop_map(|(share, refill)| Op::Forget {
        services: vec![],
        share,
        over: 0,
        after: 0,
        refill: Some(refill),
    });
    prop_oneof![3 => forgetting(), 1 => part]
}

/// Those without a part, and failures of single scopes.
fn forgetting_by_scope() -> impl Strategy<Value = Op> {
    prop_oneof![3 => forgetting(), 1 => (lost(), 1..90u64).prop_map(|(of, down)| Op::Unreadable { of, down })]
}

fn rolling() -> impl Strategy<Value = Op> {
    (some(), 1..6u64, any::<bool>()).prop_map(|(services, step, surge)| Op::Roll { services, step, surge })
}

fn blue_green() -> impl Strategy<Value = Op> {
    (some(), 1..25u64).prop_map(|(services, overlap)| Op::BlueGreen { services, overlap })
}

/// What people, schedulers and networks do besides.
fn anything() -> impl Strategy<Value = Op> {
    let lasts = || prop_oneof![Just(None), (0..90u64).prop_map(Some)];
    prop_oneof![
        3 => forgetting_in_part(),
        1 => forgetting_by_scope(),
        1 => rolling(),
        1 => blue_green(),
        1 => (0..3usize, 0..10usize).prop_map(|(s, to)| Op::Scale { services: vec![s], to }),
        1 => (0..3usize, lasts()).prop_map(|(s, lasts)| Op::Isolate { services: vec![s], lasts }),
        1 => (some(), 1..=100usize, 0..60u64, lasts())
            .prop_map(|(services, share, over, lasts)| Op::Unhealthy { services, share, over, lasts }),
        1 => (some(), 1..=100usize, 0..60u64, 0..60u64, lasts()).prop_map(
            |(services, share, over, after, refill)| Op::Forget { services, share, over, after, refill }
        ),
        1 => Just(Op::Release {}),
        1 => (0..2usize).prop_map(|service| Op::Unmatch { service }),
    ]
}

/// Nothing live goes, no upstream of live instances is emptied, and all is as it was at the end.
fn nothing_live_went(report: &Report) -> Option<String> {
    complain(!report.live().is_empty(), || format!("live ones removed (second, id): {:?}", report.live()))
        .or_else(|| {
            complain(!report.emptied.is_empty(), || format!("upstreams emptied: {:?}", report.emptied))
        })
        .or_else(|| {
            let lists = (&report.stale, &report.lacking);
            complain(!lists.0.is_empty() || !lists.1.is_empty(), || format!("stale, lacking: {lists:?}"))
        })
}

#[test]
fn nothing_live_is_removed_however_the_registry_forgets() {
    holds(&scripts(setups(), forgetting_in_part(), 6, 200), 300, 32, |script| {
        nothing_live_went(&run(script))
    });
    holds(&scripts(setups(), forgetting_by_scope(), 6, 200), 300, 32, |script| {
        nothing_live_went(&run(script))
    });
}

#[test]
fn nothing_live_is_removed_when_deployments_run_meanwhile() {
    let op = prop_oneof![4 => forgetting_by_scope(), 1 => rolling()];
    let nothing_live = |script: &Script| {
        let report = run(script);
        complain(!report.live().is_empty(), || format!("live ones removed (second, id): {:?}", report.live()))
    };
    holds(&scripts(setups(), op, 5, 200), 300, 32, nothing_live);
}

#[test]
fn a_rise_that_is_too_young_for_a_level_is_protected_too() {
    let rise = (0..3usize, 2..10usize).prop_map(|(s, to)| Op::Scale { services: vec![s], to });
    let loss = (0..30u64, 0..50u64).prop_map(|(down, refill)| Op::Restart { down, refill });
    let scripts = (setups(), rise, 12..90u64, loss).prop_map(|(setup, rise, at, loss)| {
        Script::new(setup, vec![At { at: 0, op: rise }, At { at, op: loss }], 200)
    });
    holds(&scripts.boxed(), 150, 32, |script| {
        let live = run(script).live();
        complain(!live.is_empty(), || format!("live ones removed (second, id): {live:?}"))
    });
}

#[test]
fn after_a_quiet_while_the_gateway_equals_the_projection() {
    let quiet = 3 * 60 + 130;
    holds(&scripts(setups(), anything(), 7, quiet), 300, 32, |script| {
        let report = run(script);
        let lacking = complain(!report.lacking.is_empty(), || format!("lacking: {:?}", report.lacking));
        if lacking.is_some() || report.stale.is_empty() {
            return lacking;
        }
        if !report.ends_open(script) {
            return Some(format!("stale though the breaker is closed: {:?}", report.stale));
        }
        let mut released = script.clone();
        released.ops.push(At { at: script.until + 1, op: Op::Release {} });
        released.until += 2;
        let stale = run(&released).stale;
        complain(!stale.is_empty(), || format!("stale after a release: {stale:?}"))
    });
}

#[test]
fn the_breaker_heals_by_itself_after_replacements() {
    let op = prop_oneof![3 => rolling(), 2 => (some(), 1..25u64).prop_map(|(services, overlap)| Op::BlueGreen { services, overlap })];
    holds(&scripts(setups(), op, 2, 200), 200, 32, |script| {
        let report = run(script);
        complain(report.loss > 0 || report.ends_open(script), || format!("loss at the end: {}", report.loss))
            .or_else(|| complain(!report.stale.is_empty(), || format!("stale: {:?}", report.stale)))
    });
}

#[test]
fn a_crash_during_a_rolling_deployment_latches_nothing() {
    let scripts = (setups(), 1..6u64, any::<bool>(), vec((0..60u64, crash()), 1..4)).prop_map(
        |(setup, step, surge, crashes)| {
            let mut ops = vec![At { at: 0, op: Op::Roll { services: vec![0], step, surge } }];
            ops.extend(crashes.into_iter().map(|(at, op)| At { at, op }));
            Script::new(setup, ops, 300)
        },
    );
    holds(&scripts.boxed(), 150, 32, |script| {
        let report = run(script);
        complain(report.loss > 0 || !report.stale.is_empty(), || {
            format!("loss {}, stale {:?}", report.loss, report.stale)
        })
    });
}

#[test]
fn a_replacement_that_comes_first_is_not_held_up() {
    let op = prop_oneof![
        (some(), 1..6u64).prop_map(|(services, step)| Op::Roll { services, step, surge: true }),
        blue_green(),
    ];
    holds(&scripts(setups(), op, 1, 100), 150, 32, |script| {
        let wait = run(script).longest_wait();
        complain(wait > 0, || format!("a replaced one stood for {wait} s"))
    });
}

#[test]
fn a_dead_one_beside_a_usable_one_waits_for_the_last_doubt_only() {
    let doubt = (lost(), 1..30u64).prop_map(|(of, down)| Op::Unreadable { of, down });
    let scripts =
        (setups(), vec((0..60u64, doubt), 1..3), 0..3usize).prop_map(|(mut setup, doubts, service)| {
            setup.services = vec![4; 4];
            let mut ops: Vec<At> = doubts.into_iter().map(|(at, op)| At { at, op }).collect();
            ops.push(At { at: 30, op: Op::Scale { services: vec![service], to: 3 } });
            Script::new(setup, ops, 200)
        });
    holds(&scripts.boxed(), 150, 32, |script| {
        let unread: u64 = script
            .ops
            .iter()
            .map(|at| if let Op::Unreadable { down, .. } = at.op { at.at + down } else { 0 })
            .max()
            .unwrap();
        let (wait, most) = (run(script).longest_wait(), unread.saturating_sub(31) + 60 + 2);
        complain(wait > most, || format!("it stood for {wait} s, {most} at most"))
    });
}

#[test]
fn a_watch_that_flaps_holds_three_times_hold_of_readable_time_at_most() {
    let scripts = (setups(), 2..10u64, 5..60u64).prop_map(|(setup, down, up)| {
        let mut ops = vec![At { at: 0, op: Op::Scale { services: vec![0], to: 0 } }];
        let flaps = (0..40).map(|n| 3 + n * (down + up));
        ops.extend(flaps.map(|at| At { at, op: Op::Unreadable { of: Lost::All, down } }));
        Script::new(setup, ops, 100)
    });
    holds(&scripts.boxed(), 100, 16, |script| {
        let Op::Unreadable { down, .. } = script.ops[1].op else { return None };
        let period = script.ops[2].at - script.ops[1].at;
        let most = 180 + down * (180 / (period - down) + 2) + script.setup.lag;
        let report = run(script);
        complain(report.longest_wait() > most, || format!("{} s, {most} at most", report.longest_wait()))
            .or_else(|| complain(!report.stale.is_empty(), || format!("held for ever: {:?}", report.stale)))
    });
}

#[test]
fn a_gradual_loss_takes_no_more_than_its_share() {
    let loss = (30..=100usize, 1..60u64, 0..60u64, 0..60u64);
    // A service that is most of the source loses alone, which opens nothing.
    let balanced = setups().prop_filter("one service is most of it", |setup| setup.services[0] < 30);
    let scripts = (balanced, loss).prop_map(|(setup, (share, over, after, refill))| {
        let op = Op::Forget { services: vec![], share, over, after, refill: Some(refill) };
        Script::new(setup, vec![At { at: 0, op }], 200)
    });
    holds(&scripts.boxed(), 200, 32, |script| {
        let levels: usize = script.setup.services.iter().sum();
        let most = (MAX_SHRINK * levels as f64) as usize + FEW;
        let live = run(script).live().len();
        complain(live > most, || format!("{live} live ones removed, {most} at most"))
    });
}

#[test]
fn an_unhealthy_storm_takes_no_more_than_its_share_and_empties_nothing() {
    let storm = (1..=100usize, 0..60u64, prop_oneof![Just(None), (30..120u64).prop_map(Some)]);
    let scripts = (setups(), storm).prop_map(|(setup, (share, over, lasts))| {
        let op = Op::Unhealthy { services: vec![], share, over, lasts };
        Script::new(Setup { groups: false, ..setup }, vec![At { at: 0, op }], 300)
    });
    holds(&scripts.boxed(), 200, 32, |script| {
        let levels: usize = script.setup.services.iter().sum();
        let most = (MAX_SHRINK * levels as f64) as usize + FEW;
        let report = run(script);
        let faded = report.removals.iter().filter(|r| r.faded && r.group == 0 && r.at < 60).count();
        complain(faded > most, || format!("{faded} unhealthy ones removed, {most} at most"))
            .or_else(|| complain(!report.emptied.is_empty(), || format!("emptied: {:?}", report.emptied)))
    });
}

/// What happens in namespace 0 only.
fn local() -> impl Strategy<Value = Op> {
    let here = || prop_oneof![Just(vec![0]), Just(vec![2]), Just(vec![0, 2])];
    let refill = || prop_oneof![Just(None), (0..60u64).prop_map(Some)];
    prop_oneof![
        (here(), 1..=100usize, 0..30u64, 0..30u64, refill()).prop_map(
            |(services, share, over, after, refill)| Op::Forget { services, share, over, after, refill }
        ),
        (here(), 1..4u64, any::<bool>()).prop_map(|(services, step, surge)| Op::Roll {
            services,
            step,
            surge
        }),
        (here(), 0..8usize).prop_map(|(services, to)| Op::Scale { services, to }),
        (here(), 1..=100usize, 0..30u64, refill()).prop_map(|(services, share, over, lasts)| Op::Unhealthy {
            services,
            share,
            over,
            lasts
        }),
        (1..60u64).prop_map(|down| Op::Unreadable { of: Lost::Service(0), down }),
        crash(),
    ]
}

#[test]
fn a_scope_that_was_never_read_changes_no_decision_in_another() {
    let decisions = |script: &Script| -> Vec<(u64, usize, u8)> {
        let removals = run(script).removals;
        removals.iter().map(|removal| (removal.at, removal.service, removal.group)).collect()
    };
    let setup = Just(Setup { namespaces: 2, unread: vec![1], ..Setup::of(&[4, 4, 4, 4]) });
    holds(&scripts(setup, local(), 4, 150), 150, 32, |script| {
        let mut alone = script.clone();
        alone.setup.unread = vec![];
        alone.setup.services = vec![4, 0, 4, 0];
        let (beside, alone) = (decisions(script), decisions(&alone));
        complain(beside != alone, || format!("(second, service, group): {beside:?} in place of {alone:?}"))
    });
}
