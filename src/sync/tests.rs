//! Three registries joined in a ring by six flows: whatever happens to them, they settle to what the natives imply.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use tokio_util::sync::CancellationToken;

use super::{Inputs, Mark, Outcome, Turn, turn};
use crate::config::Upkeep;
use crate::guard::{Guard, Rules, Shown, Time};
use crate::model::{Address, Instance, ServiceKey, Snapshot, Weight, marks};
use crate::registries::{
    Capabilities, Change, Destination, InstanceCopy, Life, MetadataKeys, Renewed, Weights, WriteError,
    Written,
};

const HOLD: Duration = Duration::from_secs(60);
const REGISTRIES: usize = 3;
/// Of this one the metadata of copies may be lost.
const FORGETFUL: usize = 2;

/// Copies stand as they were put, with ids of their own. Nothing is written through it.
pub(super) struct Form;

#[async_trait]
impl Destination for Form {
    fn capabilities(&self) -> &'static Capabilities {
        &Capabilities {
            kind: "model",
            push: true,
            weight: Weights::Any,
            unhealthy: true,
            isolation: true,
            metadata: MetadataKeys::Any,
            empty_services: true,
            absence_is_intent: false,
        }
    }

    fn life(&self) -> Life {
        Life::Permanent
    }

    fn as_shown(&self, copy: &InstanceCopy) -> Instance {
        let mut shown = copy.instance.clone();
        shown.attributes.insert("id".to_owned(), copy.mark.id(&copy.key, &shown.address));
        shown
    }

    fn width(&self) -> usize {
        1
    }

    async fn write(&self, _: &ServiceKey, changes: &[Change]) -> Vec<Result<Written, WriteError>> {
        vec![Ok(Written::Done); changes.len()]
    }

    async fn renew(&self, copies: &[InstanceCopy]) -> Vec<Result<Renewed, WriteError>> {
        vec![Ok(Renewed::Alive); copies.len()]
    }

    async fn tend(&self, _: CancellationToken) {}
}

/// One registry: the applications' own entries, and copies by their ids.
#[derive(Clone, Default)]
struct Registry {
    natives: BTreeMap<Address, Instance>,
    copies: BTreeMap<(Address, String), Instance>,
}

impl Registry {
    fn snapshot(&self) -> Snapshot {
        Snapshot::new(key(), self.natives.values().chain(self.copies.values()).cloned())
    }

    fn apply(&mut self, change: &Change) {
        let copy = change.copy();
        let address = copy.instance.address.clone();
        let id = copy.mark.id(&copy.key, &address);
        match change {
            Change::Put(_) if self.natives.contains_key(&address) => {}
            Change::Put(copy) => drop(self.copies.insert((address, id), Form.as_shown(copy))),
            Change::Remove(_) => drop(self.copies.remove(&(address, id))),
        }
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
}

struct World {
    registries: Vec<Registry>,
    process: Process,
    now: Time,
}

/// From one registry to another.
type Flow = (usize, usize);

fn flows() -> impl Iterator<Item = Flow> {
    (0..REGISTRIES).flat_map(|from| (0..REGISTRIES).map(move |to| (from, to))).filter(|(from, to)| from != to)
}

fn key() -> ServiceKey {
    ServiceKey::new("default", "orders")
}

fn address(n: u8) -> Address {
    Address::new(format!("10.0.0.{n}"), 80)
}

impl World {
    fn new() -> Self {
        let registries = vec![Registry::default(); REGISTRIES];
        let mut world =
            Self { registries, process: Process { guards: vec![], seen: vec![] }, now: Time::default() };
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
            let judged = if instance.usable() { Shown::Usable } else { Shown::Unhealthy };
            (address.clone(), judged)
        });
        self.process.guards[registry].observe(self.now, &key(), &judged.collect());
        self.process.seen[registry] = shown;
    }

    fn decide(&self, (from, to): Flow) -> Turn {
        let task = format!("{}-{}", from.min(to), from.max(to));
        let mark =
            Mark { origin: format!("r{from}"), owner: "lab".to_owned(), task: format!("{task}-{from}") };
        turn(&Inputs {
            mark: &mark,
            groups: Some(&[]),
            weight: Upkeep::Kept,
            source: Some(&self.process.seen[from]),
            source_key: &key(),
            name_is_lost: false,
            destination: Some(&self.process.seen[to]),
            key: &key(),
            form: &Form,
            guard: &self.process.guards[from],
            hold: HOLD,
            now: self.now,
        })
    }

    /// One flow's turn on what the process has seen, which may be old; writes reach the registry.
    fn run(&mut self, flow: Flow) -> usize {
        let decided = self.decide(flow);
        for change in &decided.changes {
            self.registries[flow.1].apply(change);
        }
        decided.changes.len()
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
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
            Step::Leave { registry, host } => drop(world.registries[registry].natives.remove(&address(host))),
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
