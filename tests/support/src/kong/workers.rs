//! The workers that carry requests, each with copies of its own of what the Admin API was told, which change over late.
//!
//! ```text
//!  commit ─┬─▶ balancer's copy (upstreams, targets)  after 0 … lateness / 4     ┐ of each worker,
//!          └─▶ router's copy (services' hosts)       after 0 … lateness, never  ┘ at a moment of its own
//!                                                    before the balancer's copy of what was committed earlier
//! ```
//!
//! So did a real Kong 3.9.1 with two workers: a service's host changed and its old upstream deleted at once gave 503 `name
//! resolution failed` for 0.28 to 0.39 s where the workers looked every second (by default every five), and none when eight seconds
//! lay between the two; a target's change was seen after 0.2 to 0.5 s; an upstream without targets gave 503 `failure to get a peer`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::store::{Commit, Kind, Operation};
use crate::stand_in::{mix, unit};

/// Kong's answer to a request that reaches no target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unserved {
    /// 404 `no Route matched with those values`: the worker knows no such service.
    NoRoute,
    /// 503 `name resolution failed`: the service's host names no upstream that the worker knows.
    NameResolutionFailed,
    /// 503 `failure to get a peer from the ring-balancer`: the upstream has no target of any weight.
    NoPeer,
}

/// A moment from which on a worker could not have served a service that it knew.
#[derive(Clone, Debug)]
pub struct Outage {
    /// When it began.
    pub at: Instant,
    /// Which worker.
    pub worker: usize,
    /// The service's name.
    pub service: String,
    /// The host that the worker had for it.
    pub host: String,
    /// What it would have answered.
    pub answer: Unserved,
}

/// The workers of a stand-in. Clones are the same workers.
#[derive(Clone)]
pub struct Workers {
    state: Arc<Mutex<State>>,
}

struct State {
    workers: Vec<Worker>,
    lateness: Duration,
    seed: u64,
    drawn: u64,
    outages: Vec<Outage>,
}

/// One change on its way into a worker's copies.
#[derive(Clone, Debug)]
enum Change {
    /// A service's name and host, or none when it has gone.
    Service(String, Option<(String, String)>),
    /// An upstream's name, or none when it has gone.
    Upstream(String, Option<String>),
    /// A target of an upstream with its weight, or none when it has gone.
    Target { upstream: String, id: String, weight: Option<u64> },
}

/// All by id.
#[derive(Default)]
struct Worker {
    services: BTreeMap<String, (String, String)>,
    upstreams: BTreeMap<String, String>,
    wheels: BTreeMap<String, BTreeMap<String, u64>>,
    /// By the moment at which they take effect here, then in the order of their commits.
    coming: BTreeMap<(Instant, u64), Change>,
    /// When the last change of the balancer's and of the router's copy takes effect.
    balancer_until: Option<Instant>,
    router_until: Option<Instant>,
}

impl Workers {
    pub(super) fn new(count: usize, lateness: Duration, seed: u64) -> Self {
        let workers = (0..count).map(|_| Worker::default()).collect();
        let state = State { workers, lateness, seed, drawn: 0, outages: Vec::new() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over at once what stood before the workers started.
    pub(super) fn start_with(&self, kind: Kind, entity: &Value) {
        let Some(change) = Change::of(kind, Operation::Created, entity) else { return };
        for worker in &mut self.lock().workers {
            worker.make(change.clone());
        }
    }

    /// A commit, which each worker learns of at a moment of its own.
    pub(super) fn told(&self, commit: &Commit) {
        let Some(change) = Change::of(commit.kind, commit.operation, commit.entity()) else { return };
        let state = &mut *self.lock();
        for worker in &mut state.workers {
            state.drawn += 1;
            let share = unit(mix(state.seed ^ mix(state.drawn)));
            worker.learn(commit.at, state.drawn, state.lateness.mul_f64(share), change.clone());
        }
    }

    /// A request to a service, answered by a worker that chance picks: the host that it was led to.
    ///
    /// # Errors
    /// What Kong would answer where no target can be reached.
    pub fn request(&self, service: &str) -> Result<String, Unserved> {
        let state = &mut *self.lock();
        state.advance(Instant::now());
        state.drawn += 1;
        let pick = mix(state.seed ^ mix(state.drawn)) % state.workers.len().max(1) as u64;
        let worker = &state.workers[usize::try_from(pick).unwrap_or_default()];
        let (_, host) =
            worker.services.values().find(|(name, _)| name == service).ok_or(Unserved::NoRoute)?;
        worker.reach(host).map(|()| host.clone())
    }

    /// Every moment up to now from which on a worker could not have served a service that it knew, whether anybody asked then
    /// or not.
    pub fn outages(&self) -> Vec<Outage> {
        let mut state = self.lock();
        state.advance(Instant::now());
        state.outages.clone()
    }

    /// Lets every worker learn at once of all that has been committed, each change at its own moment, as if time had
    /// passed: for workers that are later than anybody could wait.
    pub fn catch_up(&self) {
        let mut state = self.lock();
        let last = state.workers.iter().filter_map(|worker| worker.coming.keys().last()).max().copied();
        if let Some((at, _)) = last {
            state.advance(at);
        }
    }

    /// Waits until every worker has learned of all that has been committed.
    pub async fn settle(&self) {
        let last = self.lock().workers.iter().filter_map(|worker| worker.coming.keys().last()).max().copied();
        if let Some((at, _)) = last {
            sleep_until(at).await;
        }
    }
}

impl State {
    fn advance(&mut self, now: Instant) {
        for (number, worker) in self.workers.iter_mut().enumerate() {
            let later = worker.coming.split_off(&(now, u64::MAX));
            for ((at, _), change) in std::mem::replace(&mut worker.coming, later) {
                for id in worker.make(change) {
                    let Some((service, host)) = worker.services.get(&id) else { continue };
                    if let Err(answer) = worker.reach(host) {
                        let (service, host) = (service.clone(), host.clone());
                        self.outages.push(Outage { at, worker: number, service, host, answer });
                    }
                }
            }
        }
    }
}

impl Change {
    fn of(kind: Kind, operation: Operation, entity: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let stands = operation != Operation::Deleted;
        let (id, name) = (text(&entity["id"]), text(&entity["name"]));
        match kind {
            Kind::Services => Some(Self::Service(id, stands.then(|| (name, text(&entity["host"]))))),
            Kind::Upstreams => Some(Self::Upstream(id, stands.then_some(name))),
            Kind::Targets => {
                let weight = stands.then(|| entity["weight"].as_u64().unwrap_or_default());
                Some(Self::Target { upstream: text(&entity["upstream"]["id"]), id, weight })
            }
            _ => None,
        }
    }

    fn is_of_the_router(&self) -> bool {
        matches!(self, Self::Service(..))
    }
}

impl Worker {
    fn learn(&mut self, committed: Instant, number: u64, lateness: Duration, change: Change) {
        let at = if change.is_of_the_router() {
            let at = (committed + lateness).max(self.router_until.unwrap_or(committed));
            let at = at.max(self.balancer_until.unwrap_or(committed));
            *self.router_until.insert(at)
        } else {
            let at = (committed + lateness / 4).max(self.balancer_until.unwrap_or(committed));
            *self.balancer_until.insert(at)
        };
        self.coming.insert((at, number), change);
    }

    /// Changes a copy; the ids of the services to which that may matter.
    fn make(&mut self, change: Change) -> BTreeSet<String> {
        match change {
            Change::Service(id, Some(service)) => {
                self.services.insert(id.clone(), service);
                BTreeSet::from([id])
            }
            Change::Service(id, None) => {
                self.services.remove(&id);
                BTreeSet::new()
            }
            Change::Upstream(id, Some(name)) => {
                self.upstreams.insert(id, name.clone());
                self.led_to(Some(&name))
            }
            Change::Upstream(id, None) => {
                let name = self.upstreams.remove(&id);
                self.wheels.remove(&id);
                self.led_to(name.as_ref())
            }
            Change::Target { upstream, id, weight } => {
                let wheel = self.wheels.entry(upstream.clone()).or_default();
                match weight {
                    Some(weight) => wheel.insert(id, weight),
                    None => wheel.remove(&id),
                };
                self.led_to(self.upstreams.get(&upstream))
            }
        }
    }

    fn led_to(&self, host: Option<&String>) -> BTreeSet<String> {
        let led = self.services.iter().filter(|(_, (_, to))| Some(to) == host);
        led.map(|(id, _)| id.clone()).collect()
    }

    /// Whether a host leads to a target. The stand-in resolves no names, so it is an upstream's or an address.
    fn reach(&self, host: &str) -> Result<(), Unserved> {
        if host.parse::<IpAddr>().is_ok() {
            return Ok(());
        }
        let upstream = self.upstreams.iter().find(|(_, name)| *name == host);
        let (id, _) = upstream.ok_or(Unserved::NameResolutionFailed)?;
        let reachable = self.wheels.get(id).is_some_and(|wheel| wheel.values().any(|weight| *weight > 0));
        if reachable { Ok(()) } else { Err(Unserved::NoPeer) }
    }
}
