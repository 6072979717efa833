//! One service's turn, with its I/O: read what is missing, plan, carry out, settle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use causeway_gateways::{Applied, GatewayError, ObjectKey, Plan, Retry, World, Write};
use tokio::time::Instant;

use super::{Flow, Outcome, Removals};
use crate::guard::Guard;
use crate::model::{Address, ServiceKey};
use crate::reconcile::metrics::TaskLabel;
use crate::reconcile::turn::{Inputs, Turn, instance_address, turn};
use crate::registries::Reading;

/// How often one turn reads again and plans anew before it waits for its backoff.
const ROUNDS: usize = 6;

enum NextReading {
    Targets(BTreeSet<String>),
    Uses(BTreeSet<ObjectKey>),
}

impl Flow {
    pub(super) async fn reconcile(&self, key: &ServiceKey) {
        let _permit = self.permits.acquire(&self.task.name, key).await;
        let arrived = self.keys.begin(key);
        let outcome = self.carry_out(key, Removals::AfterQuiet).await;
        let label = TaskLabel { task: self.task.name.clone() };
        self.metrics.turns.get_or_create(&label).inc();
        if let Some(arrived) = arrived.filter(|_| outcome.changes > 0) {
            self.metrics.propagation.get_or_create(&label).observe(arrived.elapsed().as_secs_f64());
        }
        if let Some(at) = self.settle(key, &outcome) {
            self.queue.wake(key.clone(), at);
        }
    }

    /// Keeps what came of a turn for status and metrics; answers when the next one is due by itself.
    fn settle(&self, key: &ServiceKey, outcome: &Outcome) -> Option<Instant> {
        let held_until = outcome.turn.held_until().map(|time| self.source.instant_of(time));
        self.report_conflicts(key, outcome);
        self.report_notes(key, outcome);
        self.keys.settle(key, outcome, held_until, self.gateway.retire_after())
    }

    /// Plans and applies until nothing is left that may be done now.
    pub async fn carry_out(&self, key: &ServiceKey, removals: Removals) -> Outcome {
        let mut outcome = Outcome::default();
        let mut unused = BTreeSet::new();
        for _ in 0..ROUNDS {
            outcome.failure = None;
            outcome.turn = self.plan(key, &unused);
            let read = match self.next_reading(key, &outcome.turn, removals, &unused) {
                Some(NextReading::Targets(names)) => {
                    self.gateway.read_names(names, BTreeSet::new(), BTreeSet::new()).await
                }
                Some(NextReading::Uses(due)) => {
                    let read = self.gateway.read_uses(upstreams_of(&due)).await;
                    // With a route its service goes, in one plan: what was asked for stays asked for.
                    unused.extend(due);
                    read
                }
                None => {
                    let plan = self.allowed(key, &outcome.turn, removals);
                    if plan.is_empty() {
                        return outcome;
                    }
                    self.apply(key, &plan, &mut outcome).await
                }
            };
            if let Err(error) = read {
                outcome.failure = Some((error.message, error.retry));
                return outcome;
            }
        }
        outcome
    }

    /// What a turn would do now, after reading what it needs; touches nothing.
    ///
    /// # Errors
    /// The gateway's, when it cannot be read.
    pub async fn look(&self, key: &ServiceKey) -> Result<Turn, GatewayError> {
        for _ in 0..ROUNDS {
            let turn = self.plan(key, &BTreeSet::new());
            if turn.plan.unread.is_empty() {
                return Ok(turn);
            }
            self.gateway.read_names(turn.plan.unread, BTreeSet::new(), BTreeSet::new()).await?;
        }
        Ok(self.plan(key, &BTreeSet::new()))
    }

    /// One pure turn on what is known now.
    pub(in crate::reconcile) fn plan(&self, key: &ServiceKey, retire: &BTreeSet<ObjectKey>) -> Turn {
        let reading = self.source.observed_reading(key);
        let guard = self.source.guard();
        self.plan_on(key, reading.as_ref(), &guard, &self.gateway.world(), retire)
    }

    /// One pure turn on what might stand.
    pub(in crate::reconcile) fn foresee(&self, key: &ServiceKey, world: &World) -> Turn {
        let reading = self.source.observed_reading(key);
        self.plan_on(key, reading.as_ref(), &self.source.guard(), world, &BTreeSet::new())
    }

    fn plan_on(
        &self,
        key: &ServiceKey,
        reading: Option<&Reading>,
        guard: &Guard,
        world: &World,
        retire: &BTreeSet<ObjectKey>,
    ) -> Turn {
        turn(&Inputs {
            owner: &self.gateway.owner,
            task: &self.task,
            kind: self.source.kind,
            key,
            reading,
            world,
            guard,
            now: self.source.time(),
            retire,
        })
    }

    /// What has to be read before the plan can be carried out.
    fn next_reading(
        &self,
        key: &ServiceKey,
        turn: &Turn,
        removals: Removals,
        unused: &BTreeSet<ObjectKey>,
    ) -> Option<NextReading> {
        if !turn.plan.unread.is_empty() {
            return Some(NextReading::Targets(turn.plan.unread.clone()));
        }
        if !self.may_remove(key, removals) {
            return None;
        }
        let due = self.keys.retirable(key, &turn.plan.retiring, self.gateway.retire_after());
        let asked = due.iter().any(|object| !unused.contains(object));
        asked.then_some(NextReading::Uses(due))
    }

    fn may_remove(&self, key: &ServiceKey, removals: Removals) -> bool {
        removals == Removals::Now || self.keys.is_quiet(key)
    }

    /// The part of a plan that may be carried out now.
    fn allowed(&self, key: &ServiceKey, turn: &Turn, removals: Removals) -> Plan {
        if self.may_remove(key, removals) { turn.plan.clone() } else { turn.additions() }
    }

    /// Applies a plan. `Err` when the turn must end here and be tried again later.
    async fn apply(&self, key: &ServiceKey, plan: &Plan, outcome: &mut Outcome) -> Result<(), GatewayError> {
        let going = self.going(plan);
        let applied = self.gateway.apply(plan).await;
        outcome.changes += applied.done.len();
        self.changes.fetch_add(applied.done.len() as u64, Ordering::Relaxed);
        self.count(&applied);
        self.log_changes(key, &applied);
        self.source_forgets(key, &going, &applied);
        let later = applied.failed.iter().find(|failure| failure.error.retry != Retry::ReadAgain);
        if let Some(failure) = later {
            let message = format!("{}: {}", failure.change.key, failure.error);
            return Err(GatewayError { message, retry: failure.error.retry });
        }
        if applied.failed.is_empty() {
            return Ok(());
        }
        let (mut upstreams, mut services, mut routes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for failure in &applied.failed {
            match &failure.change.key {
                ObjectKey::Upstream(name) | ObjectKey::Target(name, _) => upstreams.insert(name.clone()),
                ObjectKey::Service(name) => services.insert(name.clone()),
                ObjectKey::Route(name) => routes.insert(name.clone()),
            };
        }
        self.gateway.read_names(upstreams, services, routes).await
    }

    /// Where the instances are registered whose targets a plan deletes.
    fn going(&self, plan: &Plan) -> BTreeMap<ObjectKey, Address> {
        let world = self.gateway.world();
        let deleted = plan.changes.iter().filter(|change| matches!(change.write, Write::Delete { .. }));
        let addresses = deleted.filter_map(|change| {
            let ObjectKey::Target(upstream, target) = &change.key else { return None };
            let live = world.upstream(upstream)?.targets.as_ref()?.get(target)?;
            Some((change.key.clone(), instance_address(target, live)))
        });
        addresses.collect()
    }

    /// Tells the guard which of the addresses that were to go stand no more.
    fn source_forgets(&self, key: &ServiceKey, going: &BTreeMap<ObjectKey, Address>, applied: &Applied) {
        let gone = applied.done.iter().filter_map(|(change, _)| going.get(&change.key));
        let addresses: BTreeSet<Address> = gone.cloned().collect();
        if addresses.is_empty() {
            return;
        }
        let standing = self.standing(key);
        for address in addresses.difference(&standing) {
            self.source.change(|guard, now| guard.removed(now, key, address));
        }
    }
}

fn upstreams_of(objects: &BTreeSet<ObjectKey>) -> BTreeSet<String> {
    let names = objects.iter().filter_map(|object| match object {
        ObjectKey::Upstream(name) => Some(name.clone()),
        _ => None,
    });
    names.collect()
}
