//! A registry in memory that is read and written: copies live on leases, what is written is shown late, and every write counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use causeway::guard::Scope;
use causeway::model::{Address, Instance, ServiceKey, Snapshot};
use causeway::registries::{
    Capabilities, Change, Destination, InstanceCopy, Interest, Life, MetadataKeys, Renewed, Source, View,
    Weights, WriteError, Written,
};
use causeway_gateways::Retry;
use tokio::time::{Instant, interval, sleep};
use tokio_util::sync::CancellationToken;

static CAPABILITIES: Capabilities = Capabilities {
    kind: "model",
    push: true,
    weight: Weights::Any,
    unhealthy: true,
    isolation: true,
    metadata: MetadataKeys::Any,
    empty_services: false,
    absence_is_intent: false,
};

pub const RENEW_EVERY: Duration = Duration::from_secs(20);
pub const LEASE: Duration = Duration::from_secs(60);
/// Between two looks of its readers.
const LOOK: Duration = Duration::from_millis(50);

type Slot = (ServiceKey, Address, String);

type Content = Arc<BTreeMap<ServiceKey, Vec<Instance>>>;

#[derive(Default)]
struct State {
    natives: BTreeMap<(ServiceKey, Address), Instance>,
    /// By service, address and the copy's id; and when its lease ends.
    copies: BTreeMap<Slot, (Instance, Instant)>,
    /// What readers are shown, and since when they are to be shown what stands now.
    late: Vec<(Instant, Content)>,
    lag: Duration,
    /// An address of a service holds one entry only.
    narrow: bool,
    /// Copies stay until they are removed.
    permanent: bool,
    /// How many services each watch was shown at first.
    read: Vec<usize>,
    /// Addresses that were left without an entry by a removal of ours.
    emptied: Vec<String>,
    down: bool,
    refusing: bool,
    log: Vec<String>,
    renewals: Vec<Instant>,
    /// Whether anything changed since it was last gathered, and when leases were last looked at.
    changed: bool,
    swept: Option<Instant>,
}

#[derive(Clone, Default)]
pub struct Server(Arc<Mutex<State>>);

pub fn orders(namespace: &str) -> ServiceKey {
    ServiceKey::new(namespace, "orders")
}

impl Server {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    fn change<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        self.with(|state| {
            state.changed = true;
            act(state)
        })
    }

    /// What is written is shown after this time.
    pub fn lags(&self, lag: Duration) {
        self.with(|state| state.lag = lag);
    }

    /// An address of a service holds one entry only from now on, as in Nacos.
    pub fn is_narrow(&self) {
        self.with(|state| state.narrow = true);
    }

    /// Copies stay from now on until they are removed, as in Polaris and Consul.
    pub fn is_permanent(&self) {
        self.with(|state| state.permanent = true);
    }

    /// How many services each watch was shown at first, since the last call.
    pub fn read(&self) -> Vec<usize> {
        self.with(|state| std::mem::take(&mut state.read))
    }

    /// The addresses that removals have left without an entry since the last call.
    pub fn emptied(&self) -> Vec<String> {
        self.with(|state| std::mem::take(&mut state.emptied))
    }

    pub fn goes_down(&self, down: bool) {
        self.with(|state| state.down = down);
    }

    /// It can be read and not written.
    pub fn refuses(&self, refusing: bool) {
        self.with(|state| state.refusing = refusing);
    }

    pub fn register(&self, key: &ServiceKey, instance: Instance) {
        self.change(|state| state.natives.insert((key.clone(), instance.address.clone()), instance));
    }

    pub fn deregister(&self, key: &ServiceKey, host: &str) {
        self.change(|state| state.natives.retain(|(it, address), _| it != key || address.host != host));
    }

    /// It starts anew without its data.
    pub fn forgets(&self) {
        self.change(|state| {
            state.copies.clear();
            state.natives.clear();
        });
    }

    /// Somebody changes the copies by hand.
    pub fn meddle(&self, act: impl Fn(&mut Instance)) {
        self.change(|state| state.copies.values_mut().for_each(|(copy, _)| act(copy)));
    }

    /// The entries of a service as they stand, natives first.
    pub fn entries(&self, key: &ServiceKey) -> Vec<Instance> {
        self.with(|state| state.entries(key))
    }

    pub fn copies(&self, key: &ServiceKey) -> Vec<Instance> {
        self.entries(key).into_iter().filter(Instance::is_copy).collect()
    }

    /// The writes since the last call.
    pub fn writes(&self) -> Vec<String> {
        self.with(|state| std::mem::take(&mut state.log))
    }

    pub fn renewals(&self) -> Vec<Instant> {
        self.with(|state| state.renewals.clone())
    }
}

impl State {
    /// Leases end within a second.
    fn sweep(&mut self) {
        let now = Instant::now();
        if self.swept.is_none_or(|at| now >= at + Duration::from_secs(1)) {
            self.swept = Some(now);
            let before = self.copies.len();
            let permanent = self.permanent;
            self.copies.retain(|_, (_, until)| permanent || now < *until);
            self.changed |= self.copies.len() != before;
        }
    }

    fn entries(&mut self, key: &ServiceKey) -> Vec<Instance> {
        self.sweep();
        let natives = self.natives.iter().filter(|((it, _), _)| it == key).map(|(_, native)| native);
        let copies = self.copies.iter().filter(|((it, ..), _)| it == key).map(|(_, (copy, _))| copy);
        natives.chain(copies).cloned().collect()
    }

    fn content(&self) -> Content {
        let mut content: BTreeMap<ServiceKey, Vec<Instance>> = BTreeMap::new();
        for ((key, _), native) in &self.natives {
            content.entry(key.clone()).or_default().push(native.clone());
        }
        for ((key, ..), (copy, _)) in &self.copies {
            content.entry(key.clone()).or_default().push(copy.clone());
        }
        Arc::new(content)
    }

    /// What readers are shown now.
    fn shown(&mut self) -> Content {
        self.sweep();
        let now = Instant::now();
        if std::mem::take(&mut self.changed) {
            self.late.push((now + self.lag, self.content()));
        }
        if let Some(current) = self.late.iter().rposition(|(from, _)| *from <= now) {
            self.late.drain(..current);
        }
        self.late.first().filter(|(from, _)| *from <= now).map(|(_, shown)| shown.clone()).unwrap_or_default()
    }

    fn write(&mut self, change: &Change) -> Written {
        let copy = change.copy();
        let address = copy.instance.address.clone();
        let slot = (copy.key.clone(), address.clone(), copy.mark.id(&copy.key, &address));
        self.log.push(match change {
            Change::Put(_) => format!("put {} {address}", copy.key),
            Change::Remove(_) => format!("remove {} {address}", copy.key),
        });
        match change {
            Change::Put(_) if self.at(copy).any(|entry| copy.is_hindered_by(entry)) => Written::Taken,
            Change::Put(_) => {
                if self.narrow {
                    self.copies.retain(|(key, at, _), _| (key, at) != (&copy.key, &address));
                }
                self.copies.insert(slot, (shown(copy), Instant::now() + LEASE));
                Written::Done
            }
            Change::Remove(_) => {
                let stood = self.copies.remove(&slot).is_some();
                if stood && self.at(copy).next().is_none() {
                    self.emptied.push(format!("{} {address}", copy.key));
                }
                Written::Done
            }
        }
    }

    /// All entries at the address of a copy.
    fn at(&self, copy: &InstanceCopy) -> impl Iterator<Item = &Instance> {
        let place = (copy.key.clone(), copy.instance.address.clone());
        let native = self.natives.get(&place);
        let slots = self.copies.range((place.0.clone(), place.1.clone(), String::new())..);
        let copies = slots.take_while(move |((key, at, _), _)| (key, at) == (&place.0, &place.1));
        native.into_iter().chain(copies.map(|(_, (standing, _))| standing))
    }
}

fn shown(copy: &InstanceCopy) -> Instance {
    let mut shown = copy.instance.clone();
    shown.attributes.insert("id".to_owned(), copy.mark.id(&copy.key, &shown.address));
    shown
}

fn refused() -> WriteError {
    WriteError { message: "connection refused".to_owned(), retry: Retry::Backoff(None) }
}

#[async_trait]
impl Source for Server {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    async fn watch(&self, interest: Arc<dyn Interest>, view: Arc<View>, stop: CancellationToken) {
        let mut looks = interval(LOOK);
        let mut last = None;
        while stop.run_until_cancelled(looks.tick()).await.is_some() {
            let (down, content) = self.with(|state| (state.down, state.shown()));
            if down {
                view.set_unknown(Scope::Source, "connection refused");
                last = None;
                continue;
            }
            if last.as_ref().is_some_and(|last| Arc::ptr_eq(last, &content)) {
                continue;
            }
            let is_first = last.replace(Arc::clone(&content)).is_none();
            view.set_known(&Scope::Source);
            let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for namespace in interest.namespaces().into_iter().flatten() {
                names.entry(namespace).or_default();
            }
            let wanted: Vec<_> = content.iter().filter(|(key, _)| interest.wants(key)).collect();
            if is_first {
                self.with(|state| state.read.push(wanted.len()));
            }
            for (key, _) in &wanted {
                names.entry(key.namespace.clone()).or_default().insert(key.service.clone());
            }
            view.set_namespaces(names.keys().cloned().collect());
            for (namespace, services) in names {
                view.set_names(&namespace, services);
            }
            for (key, entries) in wanted {
                view.publish(Snapshot::new(key.clone(), entries.iter().cloned()));
            }
        }
    }
}

#[async_trait]
impl Destination for Server {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn life(&self) -> Life {
        match self.with(|state| state.permanent) {
            true => Life::Permanent,
            false => Life::Lease { renew_every: RENEW_EVERY, expires_after: LEASE },
        }
    }

    fn as_shown(&self, copy: &InstanceCopy) -> Instance {
        shown(copy)
    }

    fn holds_one(&self) -> bool {
        self.with(|state| state.narrow)
    }

    fn width(&self) -> usize {
        8
    }

    async fn write(&self, _: &ServiceKey, changes: &[Change]) -> Vec<Result<Written, WriteError>> {
        sleep(Duration::from_millis(5)).await;
        let write = |change| {
            self.change(
                |state| if state.down || state.refusing { Err(refused()) } else { Ok(state.write(change)) },
            )
        };
        changes.iter().map(write).collect()
    }

    async fn renew(&self, copies: &[InstanceCopy]) -> Vec<Result<Renewed, WriteError>> {
        sleep(Duration::from_millis(2)).await;
        let renew = |copy: &InstanceCopy| {
            self.with(|state| {
                if state.down {
                    return Err(refused());
                }
                let now = Instant::now();
                state.renewals.push(now);
                let address = copy.instance.address.clone();
                let slot = (copy.key.clone(), address.clone(), copy.mark.id(&copy.key, &address));
                let standing = state.copies.get_mut(&slot).filter(|(_, until)| now < *until);
                Ok(match standing {
                    Some((_, until)) => {
                        *until = now + LEASE;
                        Renewed::Alive
                    }
                    None => Renewed::Lost,
                })
            })
        };
        copies.iter().map(renew).collect()
    }

    async fn tend(&self, stop: CancellationToken) {
        stop.cancelled().await;
    }
}
