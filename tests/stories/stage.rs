//! The stage of every story: a registry in memory, a stand-in for Kong, and Causeway's own parts between them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use causeway::admin::Backend as _;
use causeway::config::{self, Config};
use causeway::model::{Address, Instance, ServiceKey, Weight};
use causeway::reconcile::{Adapters, Built, Running, Status, Supervisor, TaskStatus};
use causeway::registries::Source;
use causeway_gateways::{Gateway, Plan};
use causeway_test_support::kong::{Kind, KongStandIn, Operation, Recorded};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::registry::ModelRegistry;

/// Far longer than anything takes, for a busy machine.
pub const LIMIT: Duration = Duration::from_secs(90);
const STEP: Duration = Duration::from_millis(10);

/// Where the stand-in's address goes in a configuration.
const KONG: &str = "KONG";

pub struct Stage {
    pub kong: KongStandIn,
    pub registry: ModelRegistry,
}

/// A registry in memory in place of all configured ones; gateways as configured.
struct WithModel(ModelRegistry);

impl Adapters for WithModel {
    fn source(&self, _registry: &config::Registry) -> Result<Arc<dyn Source>, String> {
        Ok(Arc::new(self.0.clone()))
    }

    fn gateway(&self, gateway: &config::Gateway, owner: &str) -> Result<Arc<dyn Gateway>, String> {
        Built.gateway(gateway, owner)
    }
}

impl Stage {
    pub async fn new() -> Self {
        causeway_gateways::http::install_crypto();
        Self { kong: KongStandIn::start().await, registry: ModelRegistry::default() }
    }

    /// Starts a deployment with this document, in which `KONG` stands for the stand-in's address.
    pub fn deploy(&self, document: &str) -> Deployment {
        self.deploy_on(document, &self.registry)
    }

    /// As [`Stage::deploy`], when its first pass is done.
    pub async fn ready(&self, document: &str) -> Deployment {
        let deployment = self.deploy(document);
        deployment.until_ready().await;
        deployment
    }

    /// As [`Stage::deploy`], reading another registry.
    pub fn deploy_on(&self, document: &str, registry: &ModelRegistry) -> Deployment {
        Self::start(&self.parse(document), registry)
    }

    /// As [`Stage::deploy`], with a hold and a time until retirement that the document has no words for.
    pub fn deploy_holding(&self, document: &str, hold: Duration) -> Deployment {
        let mut config = self.parse(document);
        config.registries.values_mut().for_each(|registry| registry.protect.hold = hold);
        let entries = config.tasks.iter_mut().flat_map(|task| &mut task.matches);
        entries.for_each(|entry| entry.hold = hold);
        config.gateways.values_mut().for_each(|gateway| gateway.retire_after = hold);
        Self::start(&config, &self.registry)
    }

    fn parse(&self, document: &str) -> Config {
        let text = document.replace(KONG, &self.kong.admin_url());
        config::parse(&text, "test", &|_| None).unwrap_or_else(|mistakes| panic!("{mistakes}")).config
    }

    fn start(config: &Config, registry: &ModelRegistry) -> Deployment {
        let supervisor = Supervisor::with_adapters(config, &WithModel(registry.clone())).unwrap();
        let running = supervisor.start();
        Deployment { supervisor, running }
    }

    /// The instances of a service of the namespace `default`.
    pub fn register(&self, service: &str, instances: impl IntoIterator<Item = Instance>) {
        self.register_in("default", service, instances);
    }

    pub fn register_in(&self, namespace: &str, service: &str, all: impl IntoIterator<Item = Instance>) {
        let key = ServiceKey::new(namespace, service);
        self.registry.change(|content| content.services.insert(key, all.into_iter().collect()));
    }

    /// Takes a service of the namespace `default` out of the list.
    pub fn deregister(&self, service: &str) {
        self.registry.change(|content| content.services.remove(&ServiceKey::new("default", service)));
    }

    /// Waits until the stand-in is as wanted.
    pub async fn until(&self, what: &str, condition: impl Fn(&KongStandIn) -> bool) {
        until(what, || condition(&self.kong), || self.dump()).await;
    }

    /// Waits until an upstream has exactly these targets.
    pub async fn until_targets(&self, upstream: &str, targets: &[&str]) {
        let wanted: BTreeSet<&str> = targets.iter().copied().collect();
        self.until(&format!("{upstream} holds {targets:?}"), |kong| {
            let weights = kong.weights(upstream);
            kong.entity(Kind::Upstreams, upstream).is_some()
                && weights.keys().map(String::as_str).collect::<BTreeSet<_>>() == wanted
        })
        .await;
    }

    /// The requests that write, as `METHOD /path`, since the counts were reset.
    pub fn writes(&self) -> Vec<String> {
        let writes = self.kong.requests().into_iter().filter(|request| request.method != "GET");
        writes.map(|request| format!("{} {}", request.method, request.path)).collect()
    }

    /// The requests that read, since the counts were reset.
    pub fn reads(&self) -> Vec<Recorded> {
        self.kong.requests().into_iter().filter(|request| request.method == "GET").collect()
    }

    /// How often the targets of an upstream were listed since the counts were reset, before one of them was written.
    pub fn listed_until_written(&self, upstream: &str) -> usize {
        let targets = format!("/upstreams/{upstream}/targets");
        let about_them =
            self.kong.requests().into_iter().filter(|request| request.path.starts_with(&targets));
        about_them.take_while(|request| request.method == "GET").count()
    }

    /// Everything in the stand-in that bears no mark of Causeway, whole.
    pub fn foreign(&self) -> BTreeMap<String, Value> {
        foreign_of(&self.kong)
    }

    pub fn dump(&self) -> String {
        let name =
            |entity: &Value| [&entity["name"], &entity["target"], &entity["weight"]].map(text).concat();
        let (kong, mut lines) = (&self.kong, Vec::new());
        lines.extend(kong.services().iter().map(|it| format!("service {} → {}", name(it), it["host"])));
        for upstream in kong.upstreams() {
            lines.push(format!("upstream {}", name(&upstream)));
            let targets = kong.targets(upstream["name"].as_str().unwrap());
            lines.extend(targets.iter().take(5).map(|target| format!("  {}", name(target))));
        }
        let requests = kong.requests();
        let last = requests.iter().rev().take(10).rev();
        lines.extend(last.map(|it| format!("{} {} {:?}", it.method, it.path, it.status)));
        lines.join("\n")
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => format!(" weight {other}"),
    }
}

/// Everything that bears no mark of Causeway, whole, by id.
pub fn foreign_of(kong: &KongStandIn) -> BTreeMap<String, Value> {
    let all = [kong.services(), kong.routes(), kong.upstreams(), kong.all_targets()].concat();
    let foreign = all.into_iter().filter(|entity| !is_ours(entity));
    foreign.map(|entity| (entity["id"].as_str().unwrap().to_owned(), entity)).collect()
}

/// Notes from now on each upstream that is deleted while the host of a service names it: Kong would answer 503.
pub fn note_orphans(kong: &KongStandIn) -> Arc<Mutex<Vec<String>>> {
    let name = |entity: &Value, field: &str| entity[field].as_str().unwrap_or_default().to_owned();
    let hosts = kong.services().into_iter().map(|service| (name(&service, "id"), name(&service, "host")));
    let hosts = Mutex::new(hosts.collect::<BTreeMap<_, _>>());
    let orphans: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&orphans);
    kong.on_commit(move |commit| {
        let mut hosts = hosts.lock().unwrap();
        let (id, gone) = (name(commit.entity(), "id"), commit.operation == Operation::Deleted);
        match (commit.kind, gone) {
            (Kind::Services, true) => drop(hosts.remove(&id)),
            (Kind::Services, false) => drop(hosts.insert(id, name(commit.entity(), "host"))),
            (Kind::Upstreams, true) => {
                let upstream = name(commit.entity(), "name");
                if hosts.values().any(|host| *host == upstream) {
                    orphans.lock().unwrap().push(upstream);
                }
            }
            _ => {}
        }
    });
    noted
}

pub fn is_ours(entity: &Value) -> bool {
    entity["tags"].as_array().into_iter().flatten().any(|tag| tag == "causeway")
}

/// Waits until a condition holds, and tells what stands when it never does.
pub async fn until(what: &str, condition: impl Fn() -> bool, dump: impl Fn() -> String) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "in {LIMIT:?} it never came about that {what}:\n{}", dump());
        sleep(STEP).await;
    }
}

/// A running Causeway.
pub struct Deployment {
    pub supervisor: Arc<Supervisor>,
    running: Running,
}

impl Deployment {
    pub fn status(&self) -> Status {
        self.supervisor.status()
    }

    /// The first task's status.
    pub fn task(&self) -> TaskStatus {
        self.supervisor.status().tasks.remove(0)
    }

    /// Waits until the status is as wanted.
    pub async fn until(&self, what: &str, condition: impl Fn(&Status) -> bool) {
        let status = || self.supervisor.status();
        until(what, || condition(&status()), || format!("{:#?}", status())).await;
    }

    /// Waits until the first pass is done.
    pub async fn until_ready(&self) {
        self.until("the first pass is done", |_| self.supervisor.ready().is_ok()).await;
    }

    /// Whole audits of the gateway so far.
    pub fn audits(&self) -> u64 {
        self.metric("causeway_audits_total{").unwrap_or_default()
    }

    /// The value of the first metric whose line begins so.
    pub fn metric(&self, beginning: &str) -> Option<u64> {
        let text = self.supervisor.metrics();
        let line = text.lines().find(|line| line.starts_with(beginning))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// Waits for so many whole audits, the first of which begins after now.
    pub async fn after_audits(&self, count: u64) {
        // One may be under way, and what follows from the last is looked at when the next is done.
        let last = self.audits() + 1 + count;
        self.until("the audits are done", |_| self.audits() > last).await;
    }

    /// What a turn for a service of the namespace `default` would do now.
    pub async fn plan(&self, service: &str) -> Plan {
        self.supervisor.flows[0].look(&ServiceKey::new("default", service)).await.unwrap().plan
    }

    /// The conflicts that status tells, as (object, reason).
    pub fn conflicts(&self) -> BTreeMap<String, String> {
        self.task().conflicts.into_iter().map(|problem| (problem.object, problem.reason)).collect()
    }

    /// The objects for which there is a conflict gauge.
    pub fn conflict_gauges(&self) -> BTreeSet<String> {
        let metrics = self.supervisor.metrics();
        let lines = metrics.lines().filter(|line| line.starts_with("causeway_conflict{"));
        let object = |line: &str| {
            assert!(line.ends_with(" 1"), "{line}");
            Some(line.split_once("object=\"")?.1.split_once('"')?.0.to_owned())
        };
        lines.filter_map(object).collect()
    }

    pub async fn stop(self) {
        let cut_off = self.running.stop(Duration::from_secs(9)).await;
        assert!(cut_off.is_empty(), "{cut_off:?}");
    }
}

/// A healthy instance of the default weight on port 8080.
pub fn instance(host: &str) -> Instance {
    Instance::new(Address::new(host, 8080))
}

/// As [`instance`], of a version.
pub fn of_version(host: &str, version: &str) -> Instance {
    with_version(instance(host), version)
}

pub fn with_version(mut instance: Instance, version: &str) -> Instance {
    instance.metadata.insert("version".to_owned(), version.to_owned());
    instance
}

pub fn weighing(mut instance: Instance, ratio: f64) -> Instance {
    instance.weight = Weight::from_ratio(ratio);
    instance
}
