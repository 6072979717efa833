//! Status and gauges of everything that runs.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use causeway_gateways::{Marks, NodeState, tags};

use super::backend::Backend;
use super::board::Board;
use super::copies;
use super::flow::Flow;
use super::gateway::{Condition, GatewayHandle};
use super::metrics::{RegistryLabel, RequestLabels, TaskLabel};
use super::source::SourceHandle;
use super::status::{
    BreakerView, Counts, GatewayStatus, HeldStatus, NodeStatus, Problem, RegistryStatus, Status, TaskStatus,
    UnknownStatus,
};
use super::supervisor::Supervisor;
use super::why::Why;
use crate::config;

#[async_trait]
impl Backend for Supervisor {
    fn status(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            owner: self.config.owner.clone(),
            uptime_seconds: self.started.elapsed().as_secs(),
            registries: self.sources().map(|source| self.registry_status(source)).collect(),
            gateways: self.gateways.values().map(|gateway| self.gateway_status(gateway)).collect(),
            tasks: self.config.tasks.iter().map(|task| self.task_status(task)).collect(),
        }
    }

    fn ready(&self) -> Result<(), String> {
        let flows = self.flows.iter().filter_map(|flow| flow.awaited());
        let awaited: Vec<String> =
            flows.chain(self.copies.iter().filter_map(|flow| flow.awaited())).collect();
        if awaited.is_empty() { Ok(()) } else { Err(awaited.join("; ")) }
    }

    async fn why(&self, service: &str) -> Why {
        Supervisor::why(self, service).await
    }

    fn migration(&self, task: &str) -> Result<Board, String> {
        Supervisor::migration(self, task)
    }

    fn metrics(&self) -> String {
        self.encode_metrics()
    }

    fn release(&self, registry: &str) -> Result<(), String> {
        let source = self.sources().find(|source| source.name == registry);
        let source = source.ok_or_else(|| {
            let names: Vec<&str> = self.sources().map(|source| source.name.as_str()).collect();
            format!("no registry `{registry}` is in use (in use: {})", names.join(", "))
        })?;
        source.release();
        tracing::warn!(registry, "released: what it no longer shows is removed now");
        Ok(())
    }
}

impl Supervisor {
    fn registry_status(&self, source: &SourceHandle) -> RegistryStatus {
        let leftovers = self.leftovers.get(&source.name).map(|left| left.unconfigured()).unwrap_or_default();
        RegistryStatus { leftovers, ..registry_status(source) }
    }

    fn gateway_status(&self, gateway: &GatewayHandle) -> GatewayStatus {
        let (state, error) = match gateway.condition() {
            Condition::Reading => ("reading", None),
            Condition::Ready => ("ready", None),
            Condition::Failing(error) => ("failing", Some(error)),
        };
        GatewayStatus {
            name: gateway.config.name.clone(),
            kind: gateway.config.kind.as_str().into(),
            state: state.into(),
            error,
            nodes: gateway.gateway.nodes().into_iter().map(node_status).collect(),
            ours: counts(gateway),
            leftovers: self.leftovers(gateway),
        }
    }

    /// Tasks whose objects stand in a gateway under our owner, and that are not configured any more.
    fn leftovers(&self, gateway: &GatewayHandle) -> Vec<String> {
        let owner = tags::owner_tag(&self.config.owner);
        let world = gateway.world();
        let ours = world.all_tags().filter(|tags| tags.contains(&owner));
        let tasks: BTreeSet<String> = ours.filter_map(|tags| Marks::read(tags).task).collect();
        let configured = |task: &String| self.config.task(task).is_some();
        tasks.into_iter().filter(|task| !configured(task)).collect()
    }

    fn task_status(&self, task: &config::Task) -> TaskStatus {
        if let Some(flow) = self.flows.iter().find(|flow| flow.task.name == task.name) {
            return flow.status();
        }
        let mut directions = self.copies.iter().filter(|flow| flow.way.task().name == task.name).peekable();
        if directions.peek().is_some() {
            let mut status = copies::status(task, directions.map(|flow| &**flow));
            self.leftovers.values().for_each(|left| left.add_to(&mut status));
            return status;
        }
        let refused = self.refused.get(&task.name);
        let state = if refused.is_some() { "refused" } else { "disabled" };
        TaskStatus { error: refused.cloned(), ..TaskStatus::of(task, state) }
    }

    /// The tasks that run, in the order of the configuration.
    fn running(&self) -> impl Iterator<Item = TaskStatus> {
        let flows = self.flows.iter().map(|flow| flow.task.name.as_str());
        let copies = self.copies.iter().map(|flow| flow.way.task().name.as_str());
        let running: BTreeSet<&str> = flows.chain(copies).collect();
        let tasks = self.config.tasks.iter().filter(move |task| running.contains(task.name.as_str()));
        tasks.map(|task| self.task_status(task))
    }

    /// One line a task: the periodic report.
    pub(super) fn log_report(&self) {
        for status in self.running() {
            tracing::info!(
                task = %status.name, services = status.services, done = status.done, changes = status.changes,
                held = status.held.len(), conflicts = status.conflicts.len(), failing = status.failing.len(),
                withheld = status.withheld.total(), "report"
            );
        }
    }

    /// Brings the gauges up to date that are read off the state.
    pub(super) fn refresh_gauges(&self) {
        for source in self.sources() {
            let label = RegistryLabel { registry: source.name.clone() };
            let open = source.guard().breaker().open;
            self.metrics.breaker_open.get_or_create(&label).set(open.into());
            let known = source.view().unknowns().is_empty();
            self.metrics.registry_known.get_or_create(&label).set(known.into());
        }
        for gateway in self.gateways.values() {
            for count in gateway.gateway.requests() {
                let gateway = gateway.config.name.clone();
                let labels = RequestLabels { gateway, method: count.method, class: count.class };
                let counter = self.metrics.gateway_requests.get_or_create(&labels).clone();
                counter.inner().store(count.count, Ordering::Relaxed);
            }
        }
        for status in self.running() {
            let label = TaskLabel { task: status.name.clone() };
            self.metrics.held.get_or_create(&label).set(gauge(status.held.len()));
            self.metrics.failing.get_or_create(&label).set(gauge(status.failing.len()));
            self.metrics.withheld.get_or_create(&label).set(gauge(status.withheld.total()));
            self.metrics.queued.get_or_create(&label).set(gauge(self.queued(&status.name)));
        }
        for (registry, destination) in &self.destinations {
            let label = RegistryLabel { registry: registry.clone() };
            self.metrics.copies.get_or_create(&label).set(gauge(destination.kept()));
            self.metrics.renewing.get_or_create(&label).set(destination.trouble().is_none().into());
        }
    }

    /// Services of a task that are due and wait for a worker.
    fn queued(&self, task: &str) -> usize {
        let flows = self.flows.iter().filter(|flow| flow.task.name == task).map(|flow| flow.queued());
        let copies = self.copies.iter().filter(|flow| flow.way.task().name == task).map(|flow| flow.queued());
        flows.chain(copies).sum()
    }
}

fn gauge(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn registry_status(source: &SourceHandle) -> RegistryStatus {
    let progress = *source.view().progress().borrow();
    let unknowns = source.view().unknowns();
    let guard = source.guard();
    let now = source.time();
    let unprotected = guard.unprotected(now).into_iter().take(100).map(|loss| {
        format!("{}: shows {} of {}, and what is missing was believed", loss.service, loss.shown, loss.level)
    });
    let state = match (progress.settled, unknowns.is_empty()) {
        (false, _) => "reading",
        (true, true) => "known",
        (true, false) => "unknown",
    };
    let unknown = unknowns.into_iter().map(|(scope, unknown)| UnknownStatus {
        scope: scope.to_string(),
        reason: unknown.reason,
        for_seconds: unknown.since.elapsed().as_secs(),
    });
    RegistryStatus {
        name: source.name.clone(),
        kind: source.kind.as_str().into(),
        state: state.into(),
        unknown: unknown.collect(),
        services: progress.named,
        read: progress.read,
        breaker: breaker_view(source, &guard),
        unprotected: unprotected.collect(),
        leftovers: Vec::new(),
    }
}

fn breaker_view(source: &SourceHandle, guard: &crate::guard::Guard) -> BreakerView {
    let breaker = guard.breaker();
    BreakerView {
        open: breaker.open,
        for_seconds: breaker.since.map_or(0, |since| source.time().since(since).as_secs()),
        loss: breaker.loss,
        level: breaker.levels,
        losing: breaker.services.iter().map(ToString::to_string).collect(),
    }
}

fn node_status(node: NodeState) -> NodeStatus {
    let state = if node.trouble.is_some() { "failing" } else { "ready" };
    NodeStatus { address: node.address, state: state.into(), error: node.trouble }
}

fn counts(gateway: &GatewayHandle) -> Counts {
    let owner = tags::owner_tag(&gateway.owner);
    let world = gateway.world();
    let mut counts = Counts::default();
    for upstream in world.upstreams().values() {
        counts.upstreams += usize::from(upstream.object.tags.contains(&owner));
        let targets = upstream.targets.iter().flatten();
        counts.targets += targets.filter(|(_, target)| target.tags.contains(&owner)).count();
    }
    counts.services = world.services().values().filter(|object| object.tags.contains(&owner)).count();
    counts.routes = world.routes().values().filter(|object| object.tags.contains(&owner)).count();
    counts
}

impl Flow {
    /// How the task stands.
    pub fn status(&self) -> TaskStatus {
        let progress = self.progress();
        let mut status = TaskStatus::of(&self.task, "running").at(progress);
        let statuses = self.statuses();
        status.withheld = statuses.values().map(|state| state.withheld).sum();
        for (key, state) in statuses {
            let problem =
                |object: String, reason: String| Problem { service: key.to_string(), object, reason };
            status.failing.extend(state.error.map(|reason| problem(String::new(), reason)));
            status
                .conflicts
                .extend(state.conflicts.into_iter().map(|c| problem(c.key.to_string(), c.reason)));
            status.waiting.extend(state.waiting.into_iter().map(|w| problem(w.key.to_string(), w.reason)));
            status.waiting.extend(state.kept.into_iter().map(|k| problem(k.key.to_string(), k.reason)));
            status.waiting.extend(state.skipped.into_iter().map(|text| problem(String::new(), text)));
            let (mistakes, notes): (Vec<_>, Vec<_>) = state.notes.iter().partition(|note| note.is_mistake());
            status.failing.extend(mistakes.iter().map(|note| problem(String::new(), note.to_string())));
            status.notes.extend(notes.iter().map(|note| problem(String::new(), note.to_string())));
            let now = self.source.time();
            status.held.extend(
                state
                    .held
                    .into_iter()
                    .map(|it| HeldStatus::of(&key, Some(it.upstream), it.target.to_string(), &it.held, now)),
            );
        }
        status
    }

    /// What the first pass waits for; none when it is done or its registry is reported unreachable.
    pub fn awaited(&self) -> Option<String> {
        let progress = self.progress();
        if progress.complete {
            return None;
        }
        let task = &self.task.name;
        if !self.gateway.was_read() {
            return Some(format!(
                "task {task}: the gateway {} has not been read yet",
                self.gateway.config.name
            ));
        }
        Some(format!("task {task}: {} of {} services are done", progress.done, progress.all))
    }
}
