//! One suite for every registry that is written to: what is put stands as the adapter says, nothing of others is touched, nothing
//! is ever absent that should stand, and another process goes on where one was killed.
//!
//! Copies are put through the registry's [`Destination`] and looked at through its [`causeway::registries::Source`].

pub mod stories;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use causeway::model::{Address, Instance, ServiceKey};
use causeway::registries::{Change, Destination, InstanceCopy, Renewed, Written};
use causeway::sync::Mark;
use causeway_test_support::proxy::Proxy;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Harness, Patterns, Running};

/// A real registry that is written to.
#[async_trait]
pub trait DestinationHarness: Harness {
    /// A destination as another process has it: connections through proxies of its own, and nothing remembered. Leases are short
    /// where they can be.
    async fn way(&self) -> Way;

    /// The service of the copies, in a form that the registry knows.
    fn service(&self) -> &'static str {
        "orders"
    }
}

/// A destination, and the proxies on its way.
pub struct Way {
    pub destination: Arc<dyn Destination>,
    pub proxies: Vec<Proxy>,
}

/// A process that writes copies. Dropped, it is killed: nothing is closed or said.
pub struct Writer {
    pub destination: Arc<dyn Destination>,
    pub proxies: Vec<Proxy>,
    key: ServiceKey,
    stop: CancellationToken,
    tending: JoinHandle<()>,
    limit: Duration,
}

impl Writer {
    pub async fn start(harness: &dyn DestinationHarness, namespace: &str) -> Self {
        let Way { destination, proxies } = harness.way().await;
        let stop = CancellationToken::new();
        let (tended, until) = (Arc::clone(&destination), stop.clone());
        let tending = tokio::spawn(async move { tended.tend(until).await });
        let (key, limit) = (ServiceKey::new(namespace, harness.service()), harness.limit());
        Self { destination, proxies, key, stop, tending, limit }
    }

    /// A copy of this task's.
    pub fn copy(&self, host: &str) -> InstanceCopy {
        self.copy_of(&mark("move"), host)
    }

    pub fn copy_of(&self, mark: &Mark, host: &str) -> InstanceCopy {
        let mut instance = Instance::new(Address::new(host, 8080));
        mark.stamp(&mut instance.metadata);
        InstanceCopy::new(self.key.clone(), mark.clone(), instance)
    }

    pub async fn put(&self, copy: &InstanceCopy) -> Written {
        self.write(&[Change::put(copy.clone())]).await[0]
    }

    pub async fn remove(&self, copy: &InstanceCopy) -> Written {
        self.write(&[Change::remove(copy.clone())]).await[0]
    }

    pub async fn write(&self, changes: &[Change]) -> Vec<Written> {
        let outcomes = self.destination.write(&self.key, changes).await;
        assert_eq!(outcomes.len(), changes.len(), "an outcome for each change");
        outcomes.into_iter().map(Result::unwrap).collect()
    }

    pub async fn renew(&self, copies: &[InstanceCopy]) -> Vec<Renewed> {
        let outcomes = self.destination.renew(copies).await;
        assert_eq!(outcomes.len(), copies.len(), "an outcome for each copy");
        outcomes.into_iter().map(Result::unwrap).collect()
    }

    /// Ends it as SIGTERM does.
    pub async fn end(self) {
        self.stop.cancel();
        drop(self.destination);
        self.tending.await.unwrap();
        for proxy in &self.proxies {
            let none_open = async {
                while proxy.open() > 0 {
                    sleep(Duration::from_millis(10)).await;
                }
            };
            timeout(self.limit, none_open).await.expect("a connection is left");
        }
    }

    /// Ends it as SIGKILL does.
    pub fn kill(self) {
        self.tending.abort();
        self.proxies.iter().for_each(Proxy::cut);
    }
}

pub fn mark(task: &str) -> Mark {
    Mark { origin: "elsewhere".to_owned(), owner: "suite".to_owned(), task: task.to_owned() }
}

/// A reader beside the writer, that sees the registry as applications do.
pub struct Reader<'a> {
    harness: &'a dyn DestinationHarness,
    running: Running,
    service: &'static str,
}

impl<'a> Reader<'a> {
    pub async fn start(harness: &'a dyn DestinationHarness, namespace: &str) -> Reader<'a> {
        let running = Running::start(harness.route().await, Patterns::of(namespace, &["*"]), namespace);
        running.complete(harness.limit()).await;
        Self { harness, running, service: harness.service() }
    }

    /// The copies at an address, as the source shows them.
    pub fn copies(&self, address: &Address) -> Vec<Instance> {
        let reading = self.running.view.reading(&self.running.key(self.service));
        reading.and_then(|reading| reading.snapshot.copies.get(address).cloned()).unwrap_or_default()
    }

    /// A copy as its renewal is asked for: as the source shows it.
    pub fn standing(&self, copy: &InstanceCopy) -> InstanceCopy {
        InstanceCopy { instance: self.copies(&copy.instance.address)[0].clone(), ..copy.clone() }
    }

    pub fn native(&self, address: &Address) -> Option<Instance> {
        let reading = self.running.view.reading(&self.running.key(self.service))?;
        reading.snapshot.instances.get(address).filter(|_| reading.snapshot.is_native(address)).cloned()
    }

    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let until = Instant::now() + self.harness.limit();
        while !holds(self) {
            let shown = self.running.view.reading(&self.running.key(self.service));
            assert!(Instant::now() < until, "{what}: {shown:#?}, {:?}", self.running.view.unknowns());
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until exactly this copy stands at its address, and says what is wrong with what does.
    pub async fn shows(&self, writer: &Writer, copy: &InstanceCopy) {
        let (address, wanted) = (&copy.instance.address, writer.destination.as_shown(copy));
        let until = Instant::now() + self.harness.limit();
        loop {
            let standing = self.copies(address);
            if standing.as_slice() == [wanted.clone()] {
                return assert!(
                    !writer.destination.differs(copy, &standing[0]),
                    "it stands and differs: {copy:?}"
                );
            }
            let only = <&[Instance; 1]>::try_from(standing.as_slice()).ok();
            if only.is_some_and(|[standing]| !writer.destination.differs(copy, standing)) {
                return;
            }
            assert!(Instant::now() < until, "{address} shows {standing:#?}\nnot {wanted:#?}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn shows_none(&self, address: &Address) {
        self.until("the copy is gone", |reader| reader.copies(address).is_empty()).await;
    }

    /// Looks all the time while something is done: whether each of these was absent at any moment.
    pub async fn never_absent<T>(&self, addresses: &[Address], meanwhile: impl Future<Output = T>) -> T {
        let watch = async {
            loop {
                for address in addresses {
                    assert!(!self.copies(address).is_empty(), "{address} is absent");
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            never = watch => never,
            done = meanwhile => done,
        }
    }

    pub async fn end(self) {
        self.running.end().await;
    }
}
