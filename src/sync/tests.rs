//! Three registries joined in a ring by six flows: whatever happens to them, they settle to what the natives imply.

pub(super) mod form;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use self::form::{NARROW, SHOWN, WIDE};
use super::{Inputs, Mark, Outcome, Pending, Siblings, Turn, turn};
use crate::config::Upkeep;
use crate::guard::{Guard, Rules, Shown, Time};
use crate::model::{Address, Instance, ServiceKey, Snapshot, Weight, marks};
use crate::registries::{Change, Destination, Written};

const HOLD: Duration = Duration::from_secs(60);
const REGISTRIES: usize = 3;
/// In this one an address holds one entry only.
const ONE_AT_AN_ADDRESS: usize = 1;
/// Of this one the metadata of copies may be lost.
const FORGETFUL: usize = 2;

fn form_of(registry: usize) -> &'static dyn Destination {
    if registry == ONE_AT_AN_ADDRESS { &NARROW } else { &WIDE }
}

/// One registry: the applications' own entries, and copies by their ids.
#[derive(Clone, Default)]
struct Registry {
    narrow: bool,
    natives: BTreeMap<Address, Instance>,
    copies: BTreeMap<(Address, String), Instance>,
}

impl Registry {
    fn snapshot(&self) -> Snapshot {
        Snapshot::new(key(), self.natives.values().chain(self.copies.values()).cloned())
    }

    fn apply(&mut self, change: &Change) -> Written {
        let copy = change.copy();
        let address = copy.instance.address.clone();
        let id = copy.mark.id(&copy.key, &address);
        let there = self.copies.iter().filter(|((at, _), _)| *at == address).map(|(_, standing)| standing);
        let mut entries = self.natives.get(&address).into_iter().chain(there);
        match change {
            Change::Put(copy) if entries.any(|entry| copy.is_hindered_by(entry)) => return Written::Taken,
            Change::Put(copy) => {
                if self.narrow {
                    self.copies.retain(|(at, _), _| *at != address);
                }
                self.copies.insert((address, id), WIDE.as_shown(copy));
            }
            Change::Remove(_) => drop(self.copies.remove(&(address, id))),
        }
        Written::Done
    }

    fn shows(&self, address: &Address) -> bool {
        self.natives.contains_key(address) || self.copies.keys().any(|(at, _)| at == address)
    }

    fn forget_marks(&mut self) {
        for copy in self.copies.values_mut() {
            copy.metadata.clear();
        }
    }
}

/// What one process of Causeway knows: a crash loses all of it.
struct Process {
    guards: Vec<Guard>,
    seen: Vec<Snapshot>,
    pending: Vec<Pending>,
}

struct World {
    registries: Vec<Registry>,
    process: Process,
    now: Time,
    /// Where an instance was shown, and has to be for as long as it is seen to be native elsewhere.
    shown: BTreeSet<(usize, Address)>,
    /// What has left a registry of its own accord, and is still seen there.
    left: BTreeSet<(usize, Address)>,
}

/// From one registry to another.
type Flow = (usize, usize);

fn flows() -> impl Iterator<Item = Flow> {
    (0..REGISTRIES).flat_map(|from| (0..REGISTRIES).map(move |to| (from, to))).filter(|(from, to)| from != to)
}

fn key() -> ServiceKey {
    ServiceKey::new("default", "orders")
}

fn mark_of((from, to): Flow) -> Mark {
    let task = format!("{}-{}-{from}", from.min(to), from.max(to));
    Mark { origin: format!("r{from}"), owner: "lab".to_owned(), task }
}

fn address(n: u8) -> Address {
    Address::new(format!("10.0.0.{n}"), 80)
}

impl World {
    fn new() -> Self {
        let mut registries = vec![Registry::default(); REGISTRIES];
        registries[ONE_AT_AN_ADDRESS].narrow = true;
        let process = Process { guards: vec![], seen: vec![], pending: vec![] };
        let (shown, left) = (BTreeSet::new(), BTreeSet::new());
        let mut world = Self { registries, process, now: Time::default(), shown, left };
        world.crash();
        world
    }

    fn crash(&mut self) {
        let rules = Rules {
            hold: HOLD,
            max_shrink: 0.3,
            release_after: None,
            trust_first_reading: false,
            absence_is_intent: false,
        };
        self.process.guards = (0..REGISTRIES).map(|_| Guard::new(rules.clone())).collect();
        self.process.seen = self.registries.iter().map(Registry::snapshot).collect();
        self.process.pending = (0..REGISTRIES).map(|_| Pending::default()).collect();
        for registry in 0..REGISTRIES {
            self.look(registry);
            let standing: BTreeSet<Address> = self.process.seen[registry].copies.keys().cloned().collect();
            for guard in &mut self.process.guards {
                guard.standing(self.now, &key(), &standing);
            }
        }
    }

    /// The process sees what a registry shows.
    fn look(&mut self, registry: usize) {
        let shown = self.registries[registry].snapshot();
        let judged = shown.instances.iter().map(|(address, instance)| {
            let judged = if instance.is_copy() { Shown::Intended } else { Shown::Usable };
            (address.clone(), judged)
        });
        self.process.guards[registry].observe(self.now, &key(), &judged.collect());
        self.process.pending[registry].settle(self.now, &shown, form_of(registry), 1);
        self.process.seen[registry] = shown;
        self.left.retain(|(at, _)| *at != registry);
    }

    /// What stands in a registry: what was seen, and what was written since.
    fn standing(&self, registry: usize) -> Snapshot {
        let seen = &self.process.seen[registry];
        let foreseen = self.process.pending[registry].foresee(self.now, seen, form_of(registry));
        foreseen.unwrap_or_else(|| seen.clone())
    }

    fn seen_natively(&self, registry: usize) -> BTreeSet<Address> {
        let seen = self.process.seen[registry].instances.values().filter(|instance| !instance.is_copy());
        seen.map(|instance| instance.address.clone()).collect()
    }

    /// What the other flows into the same registry want.
    fn siblings(&self, (from, to): Flow) -> Siblings {
        let mut siblings = Siblings::default();
        for other in flows().filter(|other| other.1 == to && other.0 != from) {
            siblings.note(&mark_of(other).task, Some(self.seen_natively(other.0)));
        }
        siblings
    }

    fn decide(&self, flow: Flow) -> Turn {
        let (from, to) = flow;
        turn(&Inputs {
            mark: &mark_of(flow),
            groups: Some(&[]),
            weight: Upkeep::Kept,
            source: Some(&self.process.seen[from]),
            source_key: &key(),
            name_is_lost: false,
            destination: Some(&self.standing(to)),
            key: &key(),
            form: form_of(to),
            siblings: &self.siblings(flow),
            guard: &self.process.guards[from],
            hold: HOLD,
            now: self.now,
        })
    }

    /// One flow's turn on what the process has seen, which may be old; writes reach the registry.
    fn run(&mut self, flow: Flow) -> usize {
        let decided = self.decide(flow);
        for change in &decided.changes {
            if self.registries[flow.1].apply(change) == Written::Done {
                self.process.pending[flow.1].wrote(self.now, change, form_of(flow.1));
            }
        }
        decided.changes.len()
    }

    /// What stood somewhere stands there for as long as a registry that is carried there is seen to have it, unless it leaves by itself.
    fn check_presence(&mut self) {
        for (to, registry) in self.registries.iter().enumerate() {
            let elsewhere = (0..REGISTRIES).filter(|from| *from != to);
            let native: BTreeSet<Address> = elsewhere.flat_map(|from| self.seen_natively(from)).collect();
            let has_left = |address: &Address| self.left.contains(&(to, address.clone()));
            self.shown.retain(|(at, address)| *at != to || native.contains(address) && !has_left(address));
            for (_, address) in self.shown.iter().filter(|(at, _)| *at == to) {
                assert!(registry.shows(address), "{address} is absent from registry {to}");
            }
            let stands = native.into_iter().filter(|address| registry.shows(address) && !has_left(address));
            self.shown.extend(stands.map(|address| (to, address)));
        }
    }

    /// Whatever was written is shown within [`Destination::shows_within`].
    fn pass(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
        if Duration::from_secs(seconds) >= SHOWN {
            (0..REGISTRIES).for_each(|registry| self.look(registry));
        }
        let now = self.now;
        for guard in &mut self.process.guards {
            guard.tick(now);
        }
    }

    /// Audits with time between them, until nothing is written any more.
    fn settle(&mut self) {
        let mut quiet = 0;
        for _ in 0..60 {
            self.pass(HOLD.as_secs());
            let mut written = 0;
            for flow in flows().collect::<Vec<_>>() {
                (0..REGISTRIES).for_each(|registry| self.look(registry));
                written += self.run(flow);
                self.check_presence();
            }
            quiet = if written == 0 { quiet + 1 } else { 0 };
            if quiet == 5 {
                return;
            }
        }
        panic!("it never settles");
    }

    /// What the natives imply: each shows everywhere, natively or as one copy that equals some native of it.
    fn check(&self) {
        let native: BTreeSet<Address> =
            self.registries.iter().flat_map(|registry| registry.natives.keys().cloned()).collect();
        for (index, registry) in self.registries.iter().enumerate() {
            let shown = registry.snapshot();
            let addresses: BTreeSet<Address> = shown.instances.keys().cloned().collect();
            assert_eq!(
                addresses, native,
                "registry {index} shows what is native somewhere, and nothing else"
            );
            for (address, copies) in &shown.copies {
                assert!(!shown.is_native(address), "no copy beside the native one at {address}");
                assert_eq!(copies.len(), 1, "one copy of {address} in registry {index}");
                let origins = self.registries.iter().filter_map(|other| other.natives.get(address));
                let weights: BTreeSet<Weight> = origins.map(|native| native.weight).collect();
                assert!(weights.contains(&copies[0].weight), "a copy is kept as its instance is");
                assert!(marks::is_copy(&copies[0].metadata), "its mark is put right");
            }
        }
    }
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    Register { registry: usize, host: u8, weight: u8 },
    Leave { registry: usize, host: u8 },
    Look(usize),
    Turn(usize),
    Pass(u64),
    Crash,
    LoseMarks,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..REGISTRIES, 1..5_u8, 1..4_u8)
            .prop_map(|(registry, host, weight)| Step::Register { registry, host, weight }),
        3 => (0..REGISTRIES, 1..5_u8).prop_map(|(registry, host)| Step::Leave { registry, host }),
        6 => (0..REGISTRIES).prop_map(Step::Look),
        8 => (0..6_usize).prop_map(Step::Turn),
        2 => (0..90_u64).prop_map(Step::Pass),
        1 => Just(Step::Crash),
        1 => Just(Step::LoseMarks),
    ]
}

fn play(steps: &[Step]) {
    let mut world = World::new();
    for step in steps {
        match *step {
            Step::Register { registry, host, weight } => {
                let weight = Weight::from_ratio(f64::from(weight));
                let native = Instance { weight, ..Instance::new(address(host)) };
                world.registries[registry].natives.insert(address(host), native);
            }
            Step::Leave { registry, host } => {
                if world.registries[registry].natives.remove(&address(host)).is_some() {
                    world.left.insert((registry, address(host)));
                }
            }
            Step::Look(registry) => world.look(registry),
            Step::Turn(flow) => {
                let flow = flows().nth(flow).unwrap();
                world.run(flow);
            }
            Step::Pass(seconds) => world.pass(seconds),
            Step::Crash => world.crash(),
            Step::LoseMarks => world.registries[FORGETFUL].forget_marks(),
        }
        let natives = |registry: &Registry| registry.natives.values().all(|native| !native.is_copy());
        assert!(world.registries.iter().all(natives), "a native entry is never written");
        world.check_presence();
    }
    world.settle();
    world.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_ring_settles_to_what_its_natives_imply(steps in proptest::collection::vec(step(), 0..120)) {
        play(&steps);
    }
}

/// An instance comes back to where it had just left, and of the two copies that stand by then the marks are lost.
#[test]
fn of_two_copies_that_lost_their_marks_one_stays() {
    let register = |registry| Step::Register { registry, host: 1, weight: 1 };
    let (leave, into_forgetful) = (Step::Leave { registry: 0, host: 1 }, [1, 3]);
    let steps = [
        register(0),
        Step::Look(0),
        Step::Turn(into_forgetful[0]),
        register(1),
        leave,
        Step::Pass(5),
        register(0),
        Step::Turn(into_forgetful[1]),
        Step::LoseMarks,
    ];
    play(&steps);
}

/// One long life, from a fixed seed.
#[test]
fn ten_thousand_steps() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let steps = proptest::collection::vec(step(), 10_000).new_tree(&mut runner).unwrap().current();
    play(&steps);
}

#[test]
fn an_application_moves_and_its_copy_gives_way_without_a_gap() {
    let mut world = World::new();
    let (forward, back) = ((0, 1), (1, 0));
    let moved = Instance::new(address(1));
    world.registries[0].natives.insert(address(1), moved.clone());
    let turns = |world: &mut World| -> Vec<Outcome> {
        let both = [forward, back].map(|flow| {
            (0..REGISTRIES).for_each(|registry| world.look(registry));
            let outcome = world.decide(flow).outcomes[&address(1)];
            world.run(flow);
            assert!(world.registries[1].snapshot().instances.contains_key(&address(1)));
            outcome
        });
        both.to_vec()
    };
    assert_eq!(turns(&mut world), [Outcome::Carry, Outcome::NativeAtDestination]);
    assert_eq!(turns(&mut world), [Outcome::Maintain, Outcome::NativeAtDestination]);
    world.registries[1].natives.insert(address(1), moved);
    assert_eq!(turns(&mut world), [Outcome::GiveWay, Outcome::NativeAtBoth]);
    assert_eq!(turns(&mut world), [Outcome::NativeAtBoth, Outcome::NativeAtBoth]);
    world.registries[0].natives.clear();
    assert_eq!(
        turns(&mut world),
        [Outcome::NativeAtDestination, Outcome::Carry],
        "the way back carries it now"
    );
    assert_eq!(turns(&mut world), [Outcome::NativeAtDestination, Outcome::Maintain]);
}
