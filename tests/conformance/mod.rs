//! One suite for every registry: scenarios as data, played on the real server through a proxy that can be cut.
//!
//! A registry's test file implements [`Harness`] and calls [`play`] for each of [`scenarios::all`], and the longer stories
//! below by name. What a registry can't show is asked of its capability table, so nothing is skipped in silence.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test file compiles it, and uses what its registry can do"
)]

pub mod around;
pub mod destination;
pub mod interest;
pub mod scenarios;
pub mod stories;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use causeway::model::{Address, Instance, Metadata, ServiceKey, Snapshot, Weight};
use causeway::registries::{Capabilities, Interest, Source, View, ViewEvent};
use causeway_test_support::proxy::Proxy;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

pub use interest::Patterns;

/// Far longer than anything takes to end, for a busy machine.
const END_LIMIT: Duration = Duration::from_secs(60);

/// One instance as a scenario says it; each registry writes it in its own way.
#[derive(Clone, Debug, PartialEq)]
pub struct Inst {
    pub service: String,
    pub host: String,
    pub port: u16,
    pub weight: f64,
    pub healthy: bool,
    pub enabled: bool,
    pub metadata: BTreeMap<String, String>,
}

impl Inst {
    pub fn new(service: &str, host: &str, port: u16) -> Self {
        let (service, host) = (service.to_owned(), host.to_owned());
        Self { service, host, port, weight: 1.0, healthy: true, enabled: true, metadata: BTreeMap::new() }
    }

    pub fn weight(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }

    pub fn unhealthy(mut self) -> Self {
        self.healthy = false;
        self
    }

    pub fn disabled(mut self) -> Self {
        self.enabled = false;
        self
    }

    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.metadata.insert(key.to_owned(), value.to_owned());
        self
    }

    /// What a registry with these capabilities shows of it, if anything.
    fn shown(&self, can: &Capabilities) -> Option<Shown> {
        if (!self.enabled && !can.isolation) || (!self.healthy && !can.unhealthy) {
            return None;
        }
        let held = self.metadata.iter().filter(|(key, _)| can.metadata.hold(key));
        Some(Shown {
            weight: Weight::from_ratio(can.weight.nearest(self.weight)),
            healthy: self.healthy,
            wanted: self.enabled,
            metadata: held.map(|(key, value)| (key.clone(), value.clone())).collect(),
        })
    }
}

/// What the suite compares of an instance.
#[derive(Clone, Debug, PartialEq)]
struct Shown {
    weight: Weight,
    healthy: bool,
    wanted: bool,
    metadata: Metadata,
}

/// One step of a scenario.
#[derive(Clone, Debug)]
pub enum Step {
    /// An application registers, or changes what it registered.
    Put(Inst),
    /// An application deregisters.
    Remove(Inst),
    /// Every connection of the source is cut.
    Cut,
    /// The path to the registry is closed.
    Close,
    /// It is open again.
    Open,
    /// The service's snapshot becomes exactly this.
    Shows(&'static str, Vec<Inst>),
    /// The service is not wanted, so it is never read.
    NeverRead(&'static str),
    /// What was read need not be read again for so long.
    PutOff(Duration),
    /// The source says that it can't be read.
    Unknown,
    /// The source says that everything can be read.
    Known,
}

/// A story with its beginning.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: &'static str,
    /// Patterns of the services that are wanted.
    pub wanted: &'static [&'static str],
    /// What is registered before the source starts. The first complete view holds all of it.
    pub before: Vec<Inst>,
    pub steps: Vec<Step>,
}

/// A real registry under test.
#[async_trait]
pub trait Harness: Send + Sync {
    /// A source that reaches the registry through proxies of its own.
    async fn route(&self) -> Route;
    /// A namespace that nobody else uses, as it is written in service keys.
    async fn namespace(&self) -> String;
    async fn put(&self, namespace: &str, instance: &Inst);
    async fn remove(&self, namespace: &str, instance: &Inst);
    /// Returns when the registry shows what it has accepted. At once, for one that has no cache before its readers.
    async fn settled(&self) {}
    /// How long a change may take to show, on a busy machine.
    fn limit(&self) -> Duration;
    /// Metadata that the harness itself adds.
    fn is_own_metadata(&self, key: &str) -> bool;
    /// The same where only some values of a key are the harness's.
    fn is_own_pair(&self, key: &str, _value: &str) -> bool {
        self.is_own_metadata(key)
    }
}

/// A source, and the proxies on its way.
pub struct Route {
    pub source: Arc<dyn Source>,
    pub proxies: Vec<Proxy>,
}

/// A source that runs.
pub struct Running {
    pub view: Arc<View>,
    pub namespace: String,
    pub proxies: Vec<Proxy>,
    pub can: &'static Capabilities,
    /// What each service showed when it was first told of.
    firsts: Arc<Mutex<BTreeMap<ServiceKey, Arc<Snapshot>>>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub fn start(route: Route, interest: impl Interest, namespace: &str) -> Self {
        let (view, stop) = (View::new("under-test"), CancellationToken::new());
        let (source, can) = (Arc::clone(&route.source), route.source.capabilities());
        let (told, until) = (Arc::clone(&view), stop.clone());
        let firsts = witness(&view);
        let task = tokio::spawn(async move { source.watch(Arc::new(interest), told, until).await });
        Self { view, namespace: namespace.to_owned(), proxies: route.proxies, can, firsts, stop, task }
    }

    pub fn key(&self, service: &str) -> ServiceKey {
        ServiceKey::new(&self.namespace, service)
    }

    pub async fn complete(&self, limit: Duration) {
        let mut progress = self.view.progress();
        let complete = timeout(limit, progress.wait_for(|progress| progress.complete)).await;
        if complete.is_err() {
            panic!("no complete view: {:?}, {:?}", self.view.progress().borrow(), self.view.unknowns());
        }
    }

    /// Waits until a service's snapshot is exactly this.
    pub async fn shows(&self, harness: &dyn Harness, service: &str, wanted: &[Inst]) {
        let wanted = expected(self.can, wanted);
        let until = Instant::now() + harness.limit();
        while self.shown(harness, service).as_ref() != Some(&wanted) {
            if Instant::now() > until {
                let shown = self.shown(harness, service);
                panic!("{service} shows {shown:#?}\nnot {wanted:#?}\nunknown: {:?}", self.view.unknowns());
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn shown(&self, harness: &dyn Harness, service: &str) -> Option<BTreeMap<Address, Shown>> {
        let reading = self.view.reading(&self.key(service))?;
        Some(compared(harness, &reading.snapshot))
    }

    /// A service was told of for the first time with this, which nothing incomplete came before.
    pub async fn was_first_told_with(&self, harness: &dyn Harness, service: &str, wanted: &[Inst]) {
        let until = Instant::now() + harness.limit();
        let first = loop {
            if let Some(first) = self.firsts.lock().unwrap().get(&self.key(service)) {
                break Arc::clone(first);
            }
            assert!(Instant::now() < until, "{service} was never told of");
            sleep(Duration::from_millis(5)).await;
        };
        assert_eq!(
            compared(harness, &first),
            expected(self.can, wanted),
            "what {service} was first told of with"
        );
    }

    /// Waits until something, or nothing, is unknown.
    pub async fn is_unknown(&self, limit: Duration, unknown: bool) -> Vec<String> {
        let until = Instant::now() + limit;
        loop {
            let unknowns = self.view.unknowns();
            if unknowns.is_empty() != unknown {
                return unknowns.into_values().map(|unknown| unknown.reason).collect();
            }
            assert!(Instant::now() < until, "unknown is not {unknown}: {unknowns:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops it; no connection is left then.
    pub async fn end(self) {
        self.stop.cancel();
        timeout(END_LIMIT, self.task).await.expect("the watch ends when asked to").unwrap();
        let until = Instant::now() + END_LIMIT;
        while self.proxies.iter().map(Proxy::open).sum::<usize>() > 0 {
            assert!(Instant::now() < until, "a stopped source still has connections");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Notes what each service shows when it is first told of.
fn witness(view: &Arc<View>) -> Arc<Mutex<BTreeMap<ServiceKey, Arc<Snapshot>>>> {
    let firsts = Arc::new(Mutex::new(BTreeMap::new()));
    let (into, view, mut events) = (Arc::clone(&firsts), Arc::downgrade(view), view.subscribe());
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            let (ViewEvent::Service(key), Some(view)) = (event, view.upgrade()) else { continue };
            if let Some(reading) = view.reading(&key) {
                into.lock().unwrap().entry(key).or_insert(reading.snapshot);
            }
        }
    });
    firsts
}

fn compared(harness: &dyn Harness, snapshot: &Snapshot) -> BTreeMap<Address, Shown> {
    let pairs = |instance: &Instance| {
        let metadata = instance.metadata.clone().into_iter();
        let metadata = metadata.filter(|(key, value)| !harness.is_own_pair(key, value));
        let (weight, healthy, wanted) = (instance.weight, instance.healthy, instance.wanted());
        Shown { weight, healthy, wanted, metadata: metadata.collect() }
    };
    let instances = snapshot.instances.iter();
    instances.map(|(address, instance)| (address.clone(), pairs(instance))).collect()
}

fn expected(can: &Capabilities, instances: &[Inst]) -> BTreeMap<Address, Shown> {
    let shown = |i: &Inst| Some((Address::new(i.host.clone(), i.port), i.shown(can)?));
    instances.iter().filter_map(shown).collect()
}

/// Plays one scenario from its beginning to a clean stop.
pub async fn play(harness: &dyn Harness, scenario: &Scenario) {
    let namespace = harness.namespace().await;
    for instance in &scenario.before {
        harness.put(&namespace, instance).await;
    }
    harness.settled().await;
    let running =
        Running::start(harness.route().await, Patterns::of(&namespace, scenario.wanted), &namespace);
    running.complete(harness.limit()).await;
    let named: Vec<&str> = scenario.before.iter().map(|instance| instance.service.as_str()).collect();
    for service in named {
        let all: Vec<Inst> = scenario.before.iter().filter(|i| i.service == service).cloned().collect();
        let (shown, key) = (running.shown(harness, service), running.key(service));
        if Patterns::of(&namespace, scenario.wanted).wants(&key) {
            assert_eq!(shown, Some(expected(running.can, &all)), "the first complete view of {service}");
            running.was_first_told_with(harness, service, &all).await;
        }
    }
    for step in &scenario.steps {
        take(harness, &running, step).await;
    }
    running.end().await;
}

async fn take(harness: &dyn Harness, running: &Running, step: &Step) {
    use causeway_test_support::proxy::Mode;
    let namespace = &running.namespace;
    match step {
        Step::Put(instance) => harness.put(namespace, instance).await,
        Step::Remove(instance) => harness.remove(namespace, instance).await,
        Step::Cut => running.proxies.iter().for_each(Proxy::cut),
        Step::Close => running.proxies.iter().for_each(|proxy| {
            proxy.set(Mode::Refuse);
            proxy.cut();
        }),
        Step::Open => running.proxies.iter().for_each(|proxy| proxy.set(Mode::Pass)),
        Step::Shows(service, instances) => running.shows(harness, service, instances).await,
        Step::NeverRead(service) => {
            let reading = running.view.reading(&running.key(service));
            assert!(
                reading.is_none_or(|reading| reading.snapshot.instances.is_empty()),
                "{service} was read"
            );
        }
        Step::PutOff(time) => running.view.put_off().set(Some(Instant::now() + *time)),
        Step::Unknown => drop(running.is_unknown(harness.limit(), true).await),
        Step::Known => drop(running.is_unknown(harness.limit(), false).await),
    }
}
