use std::collections::{BTreeMap, BTreeSet};

use causeway::guard::{Scope, Shown};
use causeway::model::{Address, ServiceKey};

use super::script::{Lost, Op, Setup};

/// A running (or former) instance of an application.
#[derive(Clone, Debug)]
pub struct Process {
    pub service: usize,
    pub version: u8,
    pub up: bool,
    /// A deployment is about to take it away.
    pub doomed: bool,
    pub isolated: bool,
    pub healthy: bool,
    pub registered: bool,
    /// When a process that is down was last registered.
    pub gone_at: u64,
}

#[derive(Clone, Debug)]
enum Event {
    Start { service: usize, version: u8 },
    Stop(usize),
    Register(usize),
    Forget(usize),
    Unhealthy(usize),
    Healthy(usize),
    Unisolate(usize),
    Readable(Lost),
}

/// The registry, and the applications around it.
pub struct Registry {
    setup: Setup,
    pub processes: Vec<Process>,
    /// Counts the changes of each service.
    pub revisions: Vec<u64>,
    events: BTreeMap<u64, Vec<Event>>,
    /// What can't be read, and how many reasons there are for it.
    unreadable: BTreeMap<Lost, usize>,
    down_until: u64,
    /// When it is polled after a restart: what happens before is not seen.
    pub polled_at: Option<u64>,
}

pub fn address(id: usize) -> Address {
    Address::new(format!("10.0.{}.{}", id / 256, id % 256), 80)
}

pub fn id_of(address: &Address) -> usize {
    let parts: Vec<usize> = address.host.split('.').map(|part| part.parse().unwrap()).collect();
    parts[2] * 256 + parts[3]
}

impl Registry {
    pub fn new(setup: &Setup) -> Self {
        let mut registry = Self {
            setup: setup.clone(),
            processes: Vec::new(),
            revisions: vec![1; setup.services.len()],
            events: BTreeMap::new(),
            unreadable: setup.unread.iter().map(|n| (Lost::Namespace(*n), 1)).collect(),
            down_until: 0,
            polled_at: None,
        };
        for (service, count) in setup.services.iter().enumerate() {
            for index in 0..*count {
                let version = if setup.groups && index % 2 == 1 { 2 } else { 1 };
                registry.start(0, service, version);
            }
        }
        registry
    }

    pub fn services(&self) -> usize {
        self.setup.services.len()
    }

    pub fn key(&self, service: usize) -> ServiceKey {
        ServiceKey::new(format!("n{}", service % self.setup.namespaces), format!("s{service:02}"))
    }

    pub fn scope(&self, lost: Lost) -> Scope {
        match lost {
            Lost::All => Scope::Source,
            Lost::Namespace(namespace) => Scope::Namespace(format!("n{namespace}")),
            Lost::Service(service) => Scope::Service(self.key(service)),
        }
    }

    pub fn unreadable(&self) -> BTreeSet<Lost> {
        self.unreadable.keys().copied().collect()
    }

    pub fn readable(&self, service: usize) -> bool {
        let around = [Lost::All, Lost::Namespace(service % self.setup.namespaces), Lost::Service(service)];
        !around.iter().any(|lost| self.unreadable.contains_key(lost))
    }

    pub fn snapshot(&self, service: usize) -> BTreeMap<Address, Shown> {
        let registered =
            self.processes.iter().enumerate().filter(|(_, p)| p.service == service && p.registered);
        registered.map(|(id, process)| (address(id), shown(process))).collect()
    }

    fn process(&mut self, id: usize) -> &mut Process {
        let process = &mut self.processes[id];
        self.revisions[process.service] += 1;
        process
    }

    fn later(&mut self, at: u64, event: Event) {
        self.events.entry(at).or_default().push(event);
    }

    /// What was planned for this second.
    pub fn step(&mut self, now: u64) {
        for event in self.events.remove(&now).unwrap_or_default() {
            self.happen(now, event);
        }
    }

    fn happen(&mut self, now: u64, event: Event) {
        match event {
            Event::Start { service, version } => self.start(now, service, version),
            Event::Stop(id) => {
                self.process(id).up = false;
                self.forget(now, id);
            }
            Event::Register(id) => self.register(now, id),
            Event::Forget(id) => self.forget(now, id),
            Event::Unhealthy(id) => self.process(id).healthy = false,
            Event::Healthy(id) => self.process(id).healthy = true,
            Event::Unisolate(id) => self.process(id).isolated = false,
            Event::Readable(lost) => {
                let reasons = self.unreadable.get_mut(&lost).unwrap();
                *reasons -= 1;
                if *reasons == 0 {
                    self.unreadable.remove(&lost);
                }
            }
        }
    }

    fn start(&mut self, now: u64, service: usize, version: u8) {
        let process = Process {
            service,
            version,
            up: true,
            doomed: false,
            isolated: false,
            healthy: true,
            registered: false,
            gone_at: 0,
        };
        self.processes.push(process);
        self.register(now, self.processes.len() - 1);
    }

    fn register(&mut self, now: u64, id: usize) {
        if now < self.down_until {
            self.later(self.down_until + 1, Event::Register(id));
        } else {
            self.process(id).registered = self.processes[id].up;
        }
    }

    fn forget(&mut self, now: u64, id: usize) {
        let process = self.process(id);
        (process.registered, process.gone_at) = (false, now);
    }

    fn live(&self, services: &[usize]) -> Vec<usize> {
        let fits = |p: &Process| p.up && !p.doomed && (services.is_empty() || services.contains(&p.service));
        (0..self.processes.len()).filter(|id| fits(&self.processes[*id])).collect()
    }

    pub fn apply(&mut self, now: u64, op: &Op) {
        match op {
            Op::Restart { down, refill } => {
                self.down_until = now + down;
                self.lose(now, Lost::All, *down);
                self.forget_all(now, now + down, *refill);
            }
            Op::PolledRestart { poll, refill } => {
                self.polled_at = self.polled_at.max(Some(now + poll));
                self.forget_all(now, now, *refill);
            }
            Op::Unreadable { of, down } => self.lose(now, *of, *down),
            Op::Forget { services, share, over, after, refill } => {
                let gone = self.forget_some(now, services, *share, *over);
                self.come_back(now + over + after + 1, &gone, *refill);
            }
            Op::Roll { services, step, surge } => self.roll(now, services, *step, *surge),
            Op::BlueGreen { services, overlap } => self.blue_green(now, services, *overlap),
            Op::Scale { services, to } => self.scale(now, services, *to),
            Op::Unhealthy { services, share, over, lasts } => {
                self.storm(now, services, *share, *over, *lasts)
            }
            Op::Isolate { services, lasts } => self.isolate(now, services, *lasts),
            Op::Crash { .. } | Op::Release {} | Op::Unmatch { .. } => {}
        }
    }

    fn lose(&mut self, now: u64, lost: Lost, down: u64) {
        *self.unreadable.entry(lost).or_default() += 1;
        self.later(now + down.max(1), Event::Readable(lost));
    }

    fn forget_all(&mut self, now: u64, back: u64, refill: u64) {
        let live: Vec<usize> = (0..self.processes.len()).filter(|id| self.processes[*id].up).collect();
        for (index, id) in live.iter().enumerate() {
            self.forget(now, *id);
            self.later(back + 1 + spread(index, live.len(), refill), Event::Register(*id));
        }
    }

    fn forget_some(&mut self, now: u64, services: &[usize], share: usize, over: u64) -> Vec<usize> {
        let mut chosen = Vec::new();
        for service in (0..self.services()).filter(|s| services.is_empty() || services.contains(s)) {
            let fits = |p: &Process| p.up && p.registered && p.service == service;
            let there: Vec<usize> =
                (0..self.processes.len()).filter(|id| fits(&self.processes[*id])).collect();
            chosen.extend(there.iter().take((there.len() * share).div_ceil(100)).copied());
        }
        for (index, id) in chosen.iter().enumerate() {
            let at = now + spread(index, chosen.len(), over);
            if at == now { self.forget(now, *id) } else { self.later(at, Event::Forget(*id)) }
        }
        chosen
    }

    fn come_back(&mut self, from: u64, gone: &[usize], refill: Option<u64>) {
        let Some(refill) = refill else { return };
        for (index, id) in gone.iter().enumerate() {
            self.later(from + spread(index, gone.len(), refill), Event::Register(*id));
        }
    }

    fn roll(&mut self, now: u64, services: &[usize], step: u64, surge: bool) {
        let mut turn: BTreeMap<usize, u64> = BTreeMap::new();
        for id in self.live(services) {
            let Process { service, version, .. } = self.processes[id];
            let nth = turn.entry(service).or_default();
            let at = now + 1 + *nth * step;
            *nth += 1;
            let (starts, stops) = if surge { (at, at + 2) } else { (at + 2, at) };
            self.processes[id].doomed = true;
            self.later(starts, Event::Start { service, version });
            self.later(stops, Event::Stop(id));
        }
    }

    fn blue_green(&mut self, now: u64, services: &[usize], overlap: u64) {
        for id in self.live(services) {
            let Process { service, version, .. } = self.processes[id];
            self.processes[id].doomed = true;
            self.later(now + 1, Event::Start { service, version });
            self.later(now + 1 + overlap, Event::Stop(id));
        }
    }

    fn scale(&mut self, now: u64, services: &[usize], to: usize) {
        let existing: Vec<usize> = services.iter().copied().filter(|s| *s < self.services()).collect();
        for service in &existing {
            let live = self.live(&[*service]);
            for id in live.iter().skip(to) {
                self.processes[*id].doomed = true;
                self.later(now + 1, Event::Stop(*id));
            }
            for index in live.len()..to {
                let version = if self.setup.groups && index % 2 == 1 { 2 } else { 1 };
                self.later(now + 1 + index as u64, Event::Start { service: *service, version });
            }
        }
    }

    fn storm(&mut self, now: u64, services: &[usize], share: usize, over: u64, lasts: Option<u64>) {
        // Across services in turn, as a registry that is cut off from its clients sees them fade.
        let mut turns: BTreeMap<usize, usize> = BTreeMap::new();
        let mut order: Vec<(usize, usize)> = Vec::new();
        for id in self.live(services) {
            let turn = turns.entry(self.processes[id].service).or_default();
            order.push((*turn, id));
            *turn += 1;
        }
        order.sort_unstable();
        let count = (order.len() * share).div_ceil(100);
        for (index, (_, id)) in order.into_iter().take(count).enumerate() {
            let at = now + 1 + spread(index, count, over);
            self.later(at, Event::Unhealthy(id));
            if let Some(lasts) = lasts {
                self.later(at + lasts, Event::Healthy(id));
            }
        }
    }

    fn isolate(&mut self, now: u64, services: &[usize], lasts: Option<u64>) {
        for service in services {
            let Some(id) = self.live(&[*service]).first().copied() else { continue };
            self.process(id).isolated = true;
            if let Some(lasts) = lasts {
                self.later(now + lasts.max(1), Event::Unisolate(id));
            }
        }
    }
}

fn shown(process: &Process) -> Shown {
    match (process.isolated, process.healthy) {
        (true, _) => Shown::Intended,
        (false, true) => Shown::Usable,
        (false, false) => Shown::Unhealthy,
    }
}

/// The `index`-th of `count` moments within `over`.
fn spread(index: usize, count: usize, over: u64) -> u64 {
    over * index as u64 / count.max(1) as u64
}
