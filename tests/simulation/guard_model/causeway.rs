use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use causeway::guard::{Guard, Rules, Scope, Shown, Time, Verdict};
use causeway::model::Address;

use super::registry::{Registry, id_of};
use super::script::{Lost, Setup};

/// The gateway's upstreams: (service, group) and the targets in each. Group 0 holds all instances of a service.
pub type Gateway = BTreeMap<(usize, u8), BTreeSet<Address>>;

/// A target that was taken away.
#[derive(Clone, Debug)]
pub struct Removal {
    pub at: u64,
    pub id: usize,
    pub service: usize,
    pub group: u8,
    /// Its process was up and healthy, and nobody meant to take it away.
    pub live: bool,
    /// Its process was up, and only the registry held it for unhealthy.
    pub faded: bool,
    /// For a dead one: how long it stood after the registry had forgotten it.
    pub waited: Option<u64>,
}

/// One run of Causeway, from start to crash.
pub struct Causeway {
    pub guard: Guard,
    unreadable: BTreeSet<Lost>,
    seen: BTreeMap<usize, BTreeMap<Address, Shown>>,
    revisions: Vec<u64>,
    /// Services whose upstreams are as wanted.
    settled: BTreeSet<usize>,
    fresh_from: BTreeMap<usize, u64>,
    unmatched: BTreeSet<usize>,
    lag: u64,
}

pub fn time(now: u64) -> Time {
    Time(Duration::from_secs(now))
}

pub fn rules(setup: &Setup) -> Rules {
    Rules {
        hold: Duration::from_secs(setup.hold),
        max_shrink: 0.3,
        release_after: setup.release_after.map(Duration::from_secs),
        trust_first_reading: false,
        absence_is_intent: false,
    }
}

impl Causeway {
    pub fn start(now: u64, setup: &Setup, registry: &Registry, gateway: &Gateway) -> Self {
        let mut causeway = Self {
            guard: Guard::new(rules(setup)),
            unreadable: BTreeSet::new(),
            seen: BTreeMap::new(),
            revisions: vec![0; registry.services()],
            settled: BTreeSet::new(),
            fresh_from: BTreeMap::new(),
            unmatched: BTreeSet::new(),
            lag: setup.lag,
        };
        for service in 0..registry.services() {
            let targets = gateway.iter().filter(|((s, _), _)| *s == service).flat_map(|(_, t)| t.clone());
            let standing: BTreeSet<Address> = targets.collect();
            if !standing.is_empty() {
                causeway.guard.standing(time(now), &registry.key(service), &standing);
            }
        }
        causeway
    }

    pub fn release(&mut self, now: u64) {
        self.guard.release(time(now));
    }

    pub fn unmatch(&mut self, now: u64, registry: &Registry, service: usize) {
        self.unmatched.insert(service);
        self.guard.intend(time(now), &registry.key(service));
    }

    /// Reads what can be read.
    pub fn read(&mut self, now: u64, registry: &Registry) {
        if registry.polled_at == Some(now) {
            self.guard.reset(time(now), &Scope::Source);
        }
        let unreadable = registry.unreadable();
        for lost in unreadable.difference(&self.unreadable) {
            self.guard.unknown(time(now), &registry.scope(*lost));
        }
        for lost in self.unreadable.difference(&unreadable) {
            self.guard.known(time(now), &registry.scope(*lost));
        }
        for service in 0..registry.services() {
            self.read_service(now, registry, service);
        }
        self.unreadable = unreadable;
    }

    fn read_service(&mut self, now: u64, registry: &Registry, service: usize) {
        if self.unmatched.contains(&service) {
            return;
        }
        if !registry.readable(service) {
            self.fresh_from.insert(service, now + 1 + self.lag);
            return;
        }
        if self.fresh_from.get(&service).is_some_and(|from| now < *from) {
            return;
        }
        if registry.polled_at.is_some_and(|at| now < at)
            || self.revisions[service] == registry.revisions[service]
        {
            return;
        }
        self.revisions[service] = registry.revisions[service];
        self.settled.remove(&service);
        let snapshot = registry.snapshot(service);
        if self.seen.get(&service) != Some(&snapshot) {
            self.guard.observe(time(now), &registry.key(service), &snapshot);
            self.seen.insert(service, snapshot);
        }
    }

    /// Adds what is wanted, and removes what may go.
    pub fn reconcile(&mut self, now: u64, registry: &Registry, gateway: &mut Gateway) -> Vec<Removal> {
        self.guard.tick(time(now));
        let mut removals = Vec::new();
        for service in (0..registry.services()).filter(|s| !self.settled.contains(s)).collect::<Vec<_>>() {
            self.reconcile_service(now, service, registry, gateway, &mut removals);
        }
        removals
    }

    fn reconcile_service(
        &mut self,
        now: u64,
        service: usize,
        registry: &Registry,
        gateway: &mut Gateway,
        removals: &mut Vec<Removal>,
    ) {
        if self.unmatched.contains(&service) {
            gateway.retain(|(s, _), _| *s != service);
            return;
        }
        let Some(snapshot) = self.seen.get(&service) else { return };
        let mut gone = BTreeSet::new();
        let mut settled = true;
        for group in 0..3 {
            let wanted = wanted(registry, snapshot, group);
            let targets = gateway.entry((service, group)).or_default();
            targets.extend(wanted.iter().cloned());
            let last = !wanted.iter().any(|address| snapshot[address] == Shown::Usable);
            for address in targets.difference(&wanted).cloned().collect::<Vec<_>>() {
                let verdict = self.guard.verdict(time(now), &registry.key(service), &address, last);
                settled &= verdict == Verdict::Remove;
                if verdict == Verdict::Remove {
                    targets.remove(&address);
                    removals.push(removal(now, registry, &address, group));
                    gone.insert(address);
                }
            }
        }
        if settled {
            self.settled.insert(service);
        }
        gone.retain(|address| (0..3).all(|group| !gateway[&(service, group)].contains(address)));
        for address in gone {
            self.guard.removed(time(now), &registry.key(service), &address);
        }
    }
}

/// The projection: what a group's upstream should hold.
pub fn wanted(registry: &Registry, snapshot: &BTreeMap<Address, Shown>, group: u8) -> BTreeSet<Address> {
    let none_healthy = !snapshot.values().any(|shown| *shown == Shown::Usable);
    let counts = |shown: Shown| shown == Shown::Usable || (none_healthy && shown == Shown::Unhealthy);
    let fits = |address: &Address| group == 0 || registry.processes[id_of(address)].version == group;
    let chosen = snapshot.iter().filter(|(address, shown)| counts(**shown) && fits(address));
    chosen.map(|(address, _)| address.clone()).collect()
}

fn removal(at: u64, registry: &Registry, address: &Address, group: u8) -> Removal {
    let id = id_of(address);
    let process = &registry.processes[id];
    Removal {
        at,
        id,
        service: process.service,
        group,
        live: process.up && !process.doomed && !process.isolated && process.healthy,
        faded: process.up && !process.doomed && !process.isolated && !process.healthy,
        waited: (!process.up).then(|| at - process.gone_at),
    }
}
