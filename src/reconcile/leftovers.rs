//! Copies that are left in a registry that keeps them: of tasks that carry their service there no more, and of tasks that are not
//! configured any more. No flow reads these services, so at each audit a part of all others is read and looked through.
//!
//! What a running task carries no more goes after its hold. The rest is told, and `causeway prune` removes it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::copies::{DestinationHandle, lock};
use super::leaving::Leaves;
use super::leaving::copies::{Search, ways};
use super::source::SourceHandle;
use super::status::{HeldStatus, TaskStatus};
use crate::config::{Config, Policy};
use crate::guard::Scope;
use crate::model::{Address, ServiceKey};
use crate::registries::whole::read_once;
use crate::registries::{Change, InstanceCopy, Interest, Source, View, WriteError, Written};
use crate::sync::Way;

/// The services that no task reads are read in so many parts, one at an audit.
const PARTS: u64 = 16;
/// How long a part may take to be read.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is left in one registry, as far as it was seen.
pub(super) struct Leftovers {
    destination: Arc<DestinationHandle>,
    source: Arc<dyn Source>,
    /// What the running tasks read of it anyway.
    read: Arc<dyn Interest>,
    config: Config,
    ways: Vec<Way>,
    /// Where copies are native, by name.
    origins: BTreeMap<String, Arc<SourceHandle>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Copies that their running task carries no more.
    strays: BTreeMap<(ServiceKey, Address, String), Stray>,
    /// Tasks that are not configured any more, by the services in which they have left copies.
    unconfigured: BTreeMap<ServiceKey, BTreeSet<String>>,
}

#[derive(Clone)]
struct Stray {
    copy: InstanceCopy,
    since: Instant,
}

/// A part of the services that no task reads.
struct Part {
    number: u64,
    read: Arc<dyn Interest>,
}

impl Interest for Part {
    fn namespaces(&self) -> Option<BTreeSet<String>> {
        None
    }

    fn wants(&self, key: &ServiceKey) -> bool {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        hasher.finish() % PARTS == self.number && !self.read.wants(key)
    }
}

impl Leftovers {
    pub(super) fn new(
        config: &Config,
        destination: Arc<DestinationHandle>,
        source: Arc<dyn Source>,
        read: Arc<dyn Interest>,
        origins: BTreeMap<String, Arc<SourceHandle>>,
    ) -> Arc<Self> {
        let (config, ways) = (config.clone(), ways(config));
        Arc::new(Self { destination, source, read, config, ways, origins, seen: Mutex::default() })
    }

    /// Looks at one part after the other until `stop`.
    pub(super) async fn run(self: Arc<Self>, interval: Duration, stop: CancellationToken) {
        for number in (0..PARTS).cycle() {
            let look = async {
                sleep(interval).await;
                self.look(Part { number, read: Arc::clone(&self.read) }).await;
            };
            if stop.run_until_cancelled(look).await.is_none() {
                return;
            }
        }
    }

    async fn look(&self, part: Part) {
        let part = Arc::new(part);
        let wanted: Arc<dyn Interest> = Arc::clone(&part) as _;
        let name = self.destination.name();
        let read = read_once(name, Arc::clone(&self.source), wanted, PATIENCE).await;
        self.note(&read.view, |key| part.wants(key));
        self.note(self.destination.shown().view(), |key| self.read.wants(key));
        self.retire().await;
    }

    /// Takes in what a view shows of the services that it is about. What could not be read stays as it was.
    fn note(&self, view: &View, is_about: impl Fn(&ServiceKey) -> bool) {
        let leaves = Leaves::Unconfigured(&self.config);
        let search = Search {
            owner: &self.config.owner,
            leaves: &leaves,
            ways: &self.ways,
            registry: self.destination.name(),
        };
        let found = search.found(view);
        let is_read = |key: &ServiceKey| {
            is_about(key) && (view.reading(key).is_some() || view.lacks_namespace(&key.namespace))
        };
        let mut seen = lock(&self.seen);
        seen.unconfigured.retain(|key, _| !is_read(key));
        let mut before = std::mem::take(&mut seen.strays);
        seen.strays = before.extract_if(.., |(key, ..), _| !is_read(key)).collect();
        for ((mark, _), services) in found {
            let is_configured = self.config.task(&mark.task).is_some();
            for copy in services.into_values().flatten() {
                if !is_configured {
                    seen.unconfigured.entry(copy.key).or_default().insert(mark.task.clone());
                    continue;
                }
                let id = (copy.key.clone(), copy.instance.address.clone(), mark.task.clone());
                let since = before.get(&id).map_or_else(Instant::now, |stray| stray.since);
                seen.strays.insert(id, Stray { copy, since });
            }
        }
    }

    /// Removes what has been left for long enough, each copy only if it still bears its mark.
    async fn retire(&self) {
        let mut due: BTreeMap<ServiceKey, Vec<Change>> = BTreeMap::new();
        for stray in lock(&self.seen).strays.values().filter(|stray| self.may_go(stray)) {
            due.entry(stray.copy.key.clone()).or_default().push(Change::remove(stray.copy.clone()));
        }
        for (key, removals) in due {
            for (change, outcome) in removals.iter().zip(self.destination.remove_left(&key, &removals).await)
            {
                self.report(change.copy(), &outcome);
                if outcome.is_ok() {
                    let InstanceCopy { mark, instance, .. } = &**change.copy();
                    let id = (key.clone(), instance.address.clone(), mark.task.clone());
                    lock(&self.seen).strays.remove(&id);
                }
            }
        }
    }

    fn may_go(&self, stray: &Stray) -> bool {
        self.is_free(&stray.copy)
            && self.until(stray) <= Instant::now()
            && self.obstacle(&stray.copy).is_none()
    }

    /// Whether its task removes anything.
    fn is_free(&self, copy: &InstanceCopy) -> bool {
        let task = self.config.task(&copy.mark.task);
        task.is_some_and(|task| task.enable && task.delete && task.policy != Policy::Observe)
    }

    fn until(&self, stray: &Stray) -> Instant {
        let task = self.config.task(&stray.copy.mark.task);
        stray.since + task.map_or(Duration::ZERO, |task| task.hold)
    }

    /// Why a copy stays whose hold is over: nothing is removed while the registry in which it is native is in doubt.
    fn obstacle(&self, copy: &InstanceCopy) -> Option<&'static str> {
        let origin = self.origins.get(&copy.mark.origin)?;
        if origin.view().unknowns().contains_key(&Scope::Source) {
            return Some("the registry in which it is native cannot be read at present");
        }
        let open = origin.guard().breaker().open;
        open.then_some("too many instances of the registry in which it is native have vanished at once")
    }

    fn report(&self, copy: &InstanceCopy, outcome: &Result<Written, WriteError>) {
        let (task, service, address) = (&copy.mark.task, &copy.key, &copy.instance.address);
        let registry = self.destination.name();
        match outcome {
            Ok(Written::Done) => tracing::info!(
                %task, %service, %registry, %address, "a copy that the task carries no more is removed"
            ),
            Ok(Written::Taken) => {}
            Err(error) => tracing::warn!(
                %task, %service, %registry, %address, reason = %error,
                "a copy that the task carries no more can't be removed; that is tried again at the next audit"
            ),
        }
    }

    /// The tasks that are not configured any more and have left copies.
    pub(super) fn unconfigured(&self) -> Vec<String> {
        let seen = lock(&self.seen);
        seen.unconfigured.values().flatten().collect::<BTreeSet<_>>().into_iter().cloned().collect()
    }

    /// Adds what a task has left to its status.
    pub(super) fn add_to(&self, status: &mut TaskStatus) {
        let now = Instant::now();
        for stray in lock(&self.seen).strays.values().filter(|stray| stray.copy.mark.task == status.name) {
            if !self.is_free(&stray.copy) {
                status.withheld.delete += 1;
                continue;
            }
            let obstacle = self.obstacle(&stray.copy);
            let left = self.until(stray).saturating_duration_since(now).as_secs();
            status.held.push(HeldStatus {
                service: stray.copy.key.to_string(),
                upstream: None,
                address: stray.copy.instance.address.to_string(),
                reason: obstacle.unwrap_or("the task carries its service no more").to_owned(),
                for_seconds: now.saturating_duration_since(stray.since).as_secs(),
                until_seconds: obstacle.is_none().then_some(left),
            });
        }
    }
}
