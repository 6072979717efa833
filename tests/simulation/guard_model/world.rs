use std::collections::BTreeSet;

use super::causeway::{Causeway, Gateway, Removal, wanted};
use super::registry::{Registry, address};
use super::script::{Op, Script, Setup};

/// The registry, Causeway (or nothing, after a crash) and the gateway.
pub struct World {
    setup: Setup,
    pub registry: Registry,
    pub causeway: Option<Causeway>,
    pub gateway: Gateway,
    starts_at: Option<u64>,
    unmatched: Vec<usize>,
}

/// What was seen over a whole script. Times count from second 0 of the script.
#[derive(Debug, Default)]
pub struct Report {
    pub removals: Vec<Removal>,
    /// What the breaker counts as lost at the end.
    pub loss: usize,
    /// Seconds in which the breaker was open.
    pub open: Vec<u64>,
    /// Targets at the end that shouldn't be there, by process.
    pub stale: Vec<usize>,
    /// Targets that should be there at the end and aren't.
    pub lacking: Vec<usize>,
    /// (second, service) in which an upstream lost its last target although a process of it was up.
    pub emptied: BTreeSet<(u64, usize)>,
}

impl Report {
    pub fn live(&self) -> Vec<(u64, usize)> {
        let live = self.removals.iter().filter(|r| r.live && r.group == 0);
        live.map(|removal| (removal.at, removal.id)).collect()
    }

    pub fn ends_open(&self, script: &Script) -> bool {
        self.open.last() == Some(&script.until)
    }

    pub fn longest_wait(&self) -> u64 {
        self.removals.iter().filter_map(|removal| removal.waited).max().unwrap_or(0)
    }
}

impl World {
    pub fn new(setup: &Setup) -> Self {
        let registry = Registry::new(setup);
        let mut gateway = Gateway::new();
        // What can't be read may well have been read by an earlier run.
        for service in (0..registry.services()).filter(|s| !registry.readable(*s)) {
            for group in 0..3 {
                gateway.insert((service, group), wanted(&registry, &registry.snapshot(service), group));
            }
        }
        let causeway = Some(Causeway::start(0, setup, &registry, &gateway));
        Self { setup: setup.clone(), registry, causeway, gateway, starts_at: None, unmatched: Vec::new() }
    }

    pub fn apply(&mut self, now: u64, op: &Op) {
        self.registry.apply(now, op);
        match (op, &mut self.causeway) {
            (Op::Crash { down }, _) => {
                self.causeway = None;
                self.starts_at = Some(now + down);
            }
            (Op::Release {}, Some(causeway)) => causeway.release(now),
            (Op::Unmatch { service }, causeway) => {
                self.unmatched.push(*service);
                if let Some(causeway) = causeway {
                    causeway.unmatch(now, &self.registry, *service);
                }
            }
            _ => {}
        }
    }

    /// One second; answers what was removed in it.
    pub fn step(&mut self, now: u64) -> Vec<Removal> {
        if self.starts_at.is_some_and(|at| at <= now) {
            self.starts_at = None;
            let mut causeway = Causeway::start(now, &self.setup, &self.registry, &self.gateway);
            for service in &self.unmatched {
                causeway.unmatch(now, &self.registry, *service);
            }
            self.causeway = Some(causeway);
        }
        let Some(causeway) = &mut self.causeway else { return Vec::new() };
        causeway.read(now, &self.registry);
        causeway.reconcile(now, &self.registry, &mut self.gateway)
    }

    pub fn breaker_open(&self) -> bool {
        self.causeway.as_ref().is_some_and(|causeway| causeway.guard.breaker().open)
    }

    fn compare(&self, report: &mut Report) {
        for service in (0..self.registry.services()).filter(|s| self.registry.readable(*s)) {
            if self.unmatched.contains(&service) {
                continue;
            }
            for group in 0..3 {
                let wanted = wanted(&self.registry, &self.registry.snapshot(service), group);
                let stands = self.gateway.get(&(service, group)).cloned().unwrap_or_default();
                let ids = 0..self.registry.processes.len();
                report.stale.extend(ids.clone().filter(|id| {
                    let address = address(*id);
                    stands.contains(&address) && !wanted.contains(&address)
                }));
                report.lacking.extend(ids.filter(|id| {
                    let address = address(*id);
                    !stands.contains(&address) && wanted.contains(&address)
                }));
            }
        }
    }

    fn note_emptied(&self, now: u64, removals: &[Removal], report: &mut Report) {
        for removal in removals {
            let service = self.registry.processes[removal.id].service;
            let live = |group: u8| {
                self.registry.processes.iter().any(|p| {
                    p.service == service && p.up && !p.isolated && (group == 0 || p.version == group)
                })
            };
            let stands = self.gateway.get(&(service, removal.group)).is_some_and(|t| !t.is_empty());
            if live(removal.group) && !stands {
                report.emptied.insert((now, service));
            }
        }
    }
}

/// Plays a script from Causeway's first start to its end.
pub fn run(script: &Script) -> Report {
    run_with(script, |_, _| {})
}

/// The same, showing each second's world.
pub fn run_with(script: &Script, mut each: impl FnMut(u64, &World)) -> Report {
    let warm = script.setup.warm;
    let mut world = World::new(&script.setup);
    let mut report = Report::default();
    for second in 0..=warm + script.until {
        world.registry.step(second);
        for at in script.ops.iter().filter(|at| at.at + warm == second) {
            world.apply(second, &at.op);
        }
        let mut removals = world.step(second);
        removals.iter_mut().for_each(|removal| removal.at = removal.at.saturating_sub(warm));
        world.note_emptied(second.saturating_sub(warm), &removals, &mut report);
        report.removals.extend(removals);
        if world.breaker_open() {
            report.open.push(second.saturating_sub(warm));
        }
        each(second, &world);
    }
    world.compare(&mut report);
    report.loss = world.causeway.map_or(0, |causeway| causeway.guard.breaker().loss);
    report
}
