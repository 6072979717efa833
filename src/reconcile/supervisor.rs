//! Starts what a configuration asks for: one source per registry, one handle per gateway, one flow per task.

use std::collections::BTreeMap;
use std::sync::Arc;

use causeway_gateways::Listed;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry as MetricsRegistry;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::audit::{keep_read, keep_tended};
use super::build::{Adapters, Built};
use super::copies::{Carried, Copied, CopyFlow, DestinationHandle, Shared};
use super::flow::Flow;
use super::gateway::GatewayHandle;
use super::interest::{Matched, Named, Together};
use super::leftovers::Leftovers;
use super::metrics::Metrics;
use super::permit::{Alone, Permits};
use super::progress::PassProgress;
use super::running::{Running, Work};
use super::source::SourceHandle;
use crate::config::{self, Config, Destination, Policy, RegistryKind};
use crate::guard::Rules;
use crate::project::{self, naming};
use crate::registries::{Interest, Life, Source};
use crate::sync::Way;

/// A registry in use, with what watches it.
struct Watched {
    handle: Arc<SourceHandle>,
    source: Arc<dyn Source>,
    wanted: Vec<Arc<dyn Interest>>,
}

/// Everything that a configuration runs.
pub struct Supervisor {
    pub(super) config: Config,
    pace: Pace,
    sources: BTreeMap<String, Watched>,
    pub(super) gateways: BTreeMap<String, Arc<GatewayHandle>>,
    pub(super) destinations: BTreeMap<String, Arc<DestinationHandle>>,
    /// What is left in registries that keep what nobody renews.
    pub(super) leftovers: BTreeMap<String, Arc<Leftovers>>,
    /// The running tasks to gateways, in the order of the configuration.
    pub flows: Vec<Arc<Flow>>,
    /// The running tasks to registries, in the order of the configuration, each direction by itself.
    pub copies: Vec<Arc<CopyFlow>>,
    /// Tasks that cannot run, each with the reason.
    pub refused: BTreeMap<String, String>,
    pub(super) started: Instant,
    pub(super) metrics: Metrics,
    metrics_registry: MetricsRegistry,
}

/// Whether there is time to wait.
enum Pace {
    Running,
    OnePass { also: Option<String> },
}

impl Supervisor {
    /// Builds everything; nothing is connected yet.
    ///
    /// # Errors
    /// No enabled task can run: the reasons of all of them.
    pub fn new(config: &Config) -> Result<Arc<Self>, String> {
        Self::with_adapters(config, &Built)
    }

    /// As [`Supervisor::new`], with other adapters than those that are built.
    ///
    /// # Errors
    /// As [`Supervisor::new`].
    pub fn with_adapters(config: &Config, adapters: &dyn Adapters) -> Result<Arc<Self>, String> {
        Self::build(config, Pace::Running, adapters)
    }

    /// As [`Supervisor::new`], for a look or a single pass: the first reading is believed, and services named `also` are read
    /// even if no task wants them.
    ///
    /// # Errors
    /// As [`Supervisor::new`].
    pub fn for_one_pass(config: &Config, also: Option<String>) -> Result<Arc<Self>, String> {
        Self::for_one_pass_with(config, also, &Built)
    }

    /// As [`Supervisor::for_one_pass`], with other adapters than those that are built.
    ///
    /// # Errors
    /// As [`Supervisor::new`].
    pub fn for_one_pass_with(
        config: &Config,
        also: Option<String>,
        adapters: &dyn Adapters,
    ) -> Result<Arc<Self>, String> {
        Self::build(config, Pace::OnePass { also }, adapters)
    }

    fn build(config: &Config, pace: Pace, adapters: &dyn Adapters) -> Result<Arc<Self>, String> {
        let metrics = Metrics::default();
        let mut metrics_registry = MetricsRegistry::default();
        metrics.register(&mut metrics_registry);
        let mut supervisor = Self {
            config: config.clone(),
            pace,
            sources: BTreeMap::new(),
            gateways: BTreeMap::new(),
            destinations: BTreeMap::new(),
            leftovers: BTreeMap::new(),
            flows: Vec::new(),
            copies: Vec::new(),
            refused: BTreeMap::new(),
            started: Instant::now(),
            metrics,
            metrics_registry,
        };
        let permits: Arc<dyn Permits> = Arc::new(Alone);
        for task in config.tasks.iter().filter(|task| task.enable) {
            if let Err(reason) = supervisor.add(task, &permits, adapters) {
                tracing::error!(task = %task.name, %reason, "the task is not started; the others are");
                supervisor.refused.insert(task.name.clone(), reason);
            }
        }
        if supervisor.flows.is_empty() && supervisor.copies.is_empty() {
            return Err(supervisor.nothing_runs());
        }
        if matches!(supervisor.pace, Pace::Running) {
            supervisor.look_for_leftovers(adapters)?;
        }
        Ok(Arc::new(supervisor))
    }

    /// Copies on leases end without a task that renews them. What stays is looked for.
    fn look_for_leftovers(&mut self, adapters: &dyn Adapters) -> Result<(), String> {
        let kept = self.destinations.iter().filter(|(_, handle)| handle.life() == Life::Permanent);
        let mut leftovers = BTreeMap::new();
        for (name, destination) in kept {
            let (source, destination) =
                (adapters.source(&self.config.registries[name])?, Arc::clone(destination));
            let origins =
                self.sources.iter().map(|(name, watched)| (name.clone(), Arc::clone(&watched.handle)));
            let read = Arc::new(Together(self.sources[name].wanted.clone()));
            let found = Leftovers::new(&self.config, destination, source, read, origins.collect());
            leftovers.insert(name.clone(), found);
        }
        self.leftovers = leftovers;
        Ok(())
    }

    fn nothing_runs(&self) -> String {
        if self.refused.is_empty() {
            return "no task is enabled: add one, or set `enable: true`".to_owned();
        }
        let reasons = self.refused.iter().map(|(task, reason)| format!("\n  task {task}: {reason}"));
        format!("no task can run:{}", reasons.collect::<String>())
    }

    fn add(
        &mut self,
        task: &config::Task,
        permits: &Arc<dyn Permits>,
        adapters: &dyn Adapters,
    ) -> Result<(), String> {
        let task = Arc::new(task.clone());
        match &task.destination {
            Destination::Gateway(gateway) => {
                let gateway = self.gateway(gateway, adapters)?;
                let source = self.watched(&task.source, Arc::new(Matched(Arc::clone(&task))), adapters)?;
                self.flows.push(Flow::new(task, source, gateway, Arc::clone(permits), self.metrics.clone()));
            }
            Destination::Registry(destination) => self.add_copies(&task, destination, permits, adapters)?,
        }
        Ok(())
    }

    /// The directions of a task between two registries.
    fn add_copies(
        &mut self,
        task: &Arc<config::Task>,
        destination: &str,
        permits: &Arc<dyn Permits>,
        adapters: &dyn Adapters,
    ) -> Result<(), String> {
        let shared = Shared {
            permits: Arc::clone(permits),
            metrics: self.metrics.clone(),
            owner: self.config.owner.clone(),
            audit_interval: self.config.audit_interval,
        };
        let ends = (&self.config.registries[&task.source], &self.config.registries[destination]);
        let ways: Vec<Arc<Way>> = Way::of(task, ends.0, ends.1).map(Arc::new).collect();
        for way in &ways {
            self.destination(way.written(), adapters)?;
        }
        for way in ways {
            let written = self.destination(way.written(), adapters)?;
            self.watched(way.written(), Arc::new(Copied(Arc::clone(&way))), adapters)?;
            let read = self.watched(way.read(), Arc::new(Carried(Arc::clone(&way))), adapters)?;
            self.copies.push(CopyFlow::new(way, read, written, &shared));
        }
        Ok(())
    }

    fn destination(&mut self, name: &str, adapters: &dyn Adapters) -> Result<Arc<DestinationHandle>, String> {
        if let Some(handle) = self.destinations.get(name) {
            return Ok(Arc::clone(handle));
        }
        let form = adapters.destination(&self.config.registries[name])?;
        let shown = self.registry(name, adapters)?;
        let registry = &self.config.registries[name];
        let handle = DestinationHandle::new(registry, form, shown, &self.config.owner);
        self.destinations.insert(name.to_owned(), Arc::clone(&handle));
        Ok(handle)
    }

    /// A registry in use, of which this is wanted besides.
    fn watched(
        &mut self,
        name: &str,
        wanted: Arc<dyn Interest>,
        adapters: &dyn Adapters,
    ) -> Result<Arc<SourceHandle>, String> {
        let handle = self.registry(name, adapters)?;
        let watched = self.sources.get_mut(name).ok_or("it is not configured")?;
        watched.wanted.push(wanted);
        Ok(handle)
    }

    fn registry(&mut self, name: &str, adapters: &dyn Adapters) -> Result<Arc<SourceHandle>, String> {
        if let Some(watched) = self.sources.get(name) {
            return Ok(Arc::clone(&watched.handle));
        }
        let registry = &self.config.registries[name];
        let source = adapters.source(registry)?;
        let handle = SourceHandle::new(registry, self.rules(registry));
        let watched = Watched { handle: Arc::clone(&handle), source, wanted: Vec::new() };
        self.sources.insert(name.to_owned(), watched);
        Ok(handle)
    }

    fn gateway(&mut self, name: &str, adapters: &dyn Adapters) -> Result<Arc<GatewayHandle>, String> {
        if let Some(handle) = self.gateways.get(name) {
            return Ok(Arc::clone(handle));
        }
        let gateway = &self.config.gateways[name];
        let client = adapters.gateway(gateway, &self.config.owner)?;
        let filled = self.filled(name);
        let handle = GatewayHandle::new(gateway.clone(), client, &self.config.owner, filled);
        self.gateways.insert(name.to_owned(), Arc::clone(&handle));
        Ok(handle)
    }

    /// The upstreams that tasks may have filled in a gateway. Nothing on them tells that, so the targets of each are looked at:
    /// what was put there for a service that is gone by now has to be found again after a restart.
    fn filled(&self, gateway: &str) -> Listed {
        let mut filled = Listed::default();
        for task in self.config.tasks.iter().filter(|task| task.destination.name() == gateway) {
            let groups = task.matches.iter().flat_map(|entry| &entry.groups);
            filled.names.extend(groups.filter_map(|group| group.upstream_name.clone()));
            filled.tags.extend(project::fillable(task, self.config.registries[&task.source].kind));
            if task.policy == Policy::Fill {
                filled.prefixes.insert(naming::prefix(&task.source));
            }
        }
        filled
    }

    fn rules(&self, registry: &config::Registry) -> Rules {
        Rules {
            hold: registry.protect.hold,
            max_shrink: registry.protect.max_shrink,
            release_after: registry.protect.release_after,
            trust_first_reading: matches!(self.pace, Pace::OnePass { .. }),
            absence_is_intent: registry.kind == RegistryKind::File,
        }
    }

    /// The registries in use.
    pub fn sources(&self) -> impl Iterator<Item = &Arc<SourceHandle>> {
        self.sources.values().map(|watched| &watched.handle)
    }

    /// Watches, reads and reconciles until the answer is told to stop.
    pub fn start(self: &Arc<Self>) -> Running {
        let (stop, readers) = (CancellationToken::new(), CancellationToken::new());
        let mut others = self.watch(&readers);
        let interval = self.config.audit_interval;
        others.extend(self.gateways.values().map(|gateway| {
            tokio::spawn(keep_read(Arc::clone(gateway), interval, self.metrics.clone(), readers.clone()))
        }));
        let tended = self.gateways.values().filter(|gateway| self.writes_to(gateway));
        others.extend(tended.map(|gateway| tokio::spawn(keep_tended(Arc::clone(gateway), readers.clone()))));
        let destinations = self.destinations.values();
        others.extend(destinations.map(|it| tokio::spawn(Arc::clone(it).run(readers.clone()))));
        let leftovers = self.leftovers.values().zip(interval.into_iter().cycle());
        others.extend(leftovers.map(|(it, every)| tokio::spawn(Arc::clone(it).run(every, readers.clone()))));
        others.push(tokio::spawn(Arc::clone(self).report_every(readers.clone())));
        others.push(tokio::spawn(Arc::clone(self).check_gateways(readers.clone())));
        let flows = self.flows.iter().map(|flow| {
            (Arc::clone(flow) as Arc<dyn Work>, tokio::spawn(Arc::clone(flow).run(stop.clone())))
        });
        let copies = self.copies.iter().map(|flow| {
            (Arc::clone(flow) as Arc<dyn Work>, tokio::spawn(Arc::clone(flow).run(stop.clone())))
        });
        Running { workers: flows.chain(copies).collect(), stop, readers, others }
    }

    /// Whether any task may write to a gateway.
    fn writes_to(&self, gateway: &Arc<GatewayHandle>) -> bool {
        let mut flows = self.flows.iter().filter(|flow| Arc::ptr_eq(&flow.gateway, gateway));
        flows.any(|flow| flow.task.policy != Policy::Observe)
    }

    /// Logs the periodic report, where a target of it is enabled.
    async fn report_every(self: Arc<Self>, stop: CancellationToken) {
        let report = &self.config.report;
        if !report.targets.iter().any(|target| target.enable) {
            return;
        }
        while stop.run_until_cancelled(sleep(report.interval)).await.is_some() {
            self.log_report();
        }
    }

    /// Probes the gateways, so that status tells of one that has gone before something has to be written.
    async fn check_gateways(self: Arc<Self>, stop: CancellationToken) {
        let check = &self.config.health_check;
        if !check.enable {
            return;
        }
        while stop.run_until_cancelled(sleep(check.interval)).await.is_some() {
            for gateway in self.gateways.values() {
                gateway.check(check.timeout).await;
            }
        }
    }

    /// Starts the watches of all registries.
    pub(super) fn watch(&self, stop: &CancellationToken) -> Vec<JoinHandle<()>> {
        let watches = self.sources.values().map(|watched| {
            let also = match &self.pace {
                Pace::Running => None,
                Pace::OnePass { also } => also.clone(),
            };
            let named = also.map(|name| Arc::new(Named(name)) as Arc<dyn Interest>);
            let interest = Arc::new(Together(watched.wanted.iter().cloned().chain(named).collect()));
            let handle = Arc::clone(&watched.handle);
            tokio::spawn(handle.run(Arc::clone(&watched.source), interest, stop.clone()))
        });
        watches.collect()
    }

    /// How far the first pass has come.
    pub fn progress(&self) -> PassProgress {
        let flows = self.flows.iter().map(|flow| flow.progress());
        flows.chain(self.copies.iter().map(|flow| flow.progress())).fold(
            PassProgress { complete: true, ..PassProgress::default() },
            |sum, flow| PassProgress {
                done: sum.done + flow.done,
                all: sum.all + flow.all,
                changes: sum.changes + flow.changes,
                complete: sum.complete && flow.complete,
            },
        )
    }

    /// The metrics as OpenMetrics text, gauges brought up to date.
    pub(super) fn encode_metrics(&self) -> String {
        self.refresh_gauges();
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.metrics_registry);
        text
    }
}
