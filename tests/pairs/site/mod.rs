//! A registry as those see it who aren't Causeway: applications that register, consumers that read, operators who meddle.

mod consul;
mod eureka;
mod nacos;
mod polaris;
mod servicecenter;
mod zookeeper;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use causeway::model::Address;
use causeway::registries::Capabilities;
use causeway_test_support::process::Failure;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::conformance::Inst;
use crate::conformance::stories::Restarts;

/// The deployment that every document names.
pub const OWNER: &str = "pairs";
/// Of an entry's metadata: whose copy it is.
const OWNED_BY: &str = "causeway-owner";

/// How long copies live where registries have leases: longer than a restart of Causeway on a busy machine takes.
const LEASE: &str = "renew_every: 4s, lease: 20s";

/// Between two looks at what is waited for.
const STEP: Duration = Duration::from_millis(50);
/// A server that doesn't answer in this time is taken for one that is away.
const ANSWER: Duration = Duration::from_secs(5);

/// One entry of a service, as the registry itself tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub address: Address,
    /// The ratio to the registry's default weight; 1 where it has no weights.
    pub weight: f64,
    /// As healthy, or as switched on, as consumers take it to be.
    pub healthy: bool,
    pub metadata: BTreeMap<String, String>,
    /// What tells it from others at its address.
    pub place: String,
}

impl Entry {
    pub fn is_copy(&self) -> bool {
        self.metadata.contains_key(OWNED_BY)
    }

    /// Of a copy: where the instance is native, who owns the copy, and which task wrote it.
    pub fn mark(&self) -> Option<[&str; 3]> {
        let value = |key: &str| self.metadata.get(key).map(String::as_str);
        Some([value("causeway-origin")?, value(OWNED_BY)?, value("causeway-task")?])
    }
}

/// A type of registry with a server of its own.
#[async_trait]
pub trait Registry: Restarts {
    /// The registry as a document writes it, but for its name and what protects it.
    fn written(&self) -> String;

    /// Its default namespace, as it stands in service keys.
    fn usual_namespace(&self) -> &'static str {
        "default"
    }

    /// The longest that a copy stands without being renewed, as it is written; none where nothing renews copies.
    fn lease(&self) -> Duration {
        Duration::ZERO
    }

    /// All entries of a service, of one moment.
    async fn entries(&self, service: &str) -> Result<Vec<Entry>, Failure>;

    /// Somebody sets one pair of an entry's metadata by hand.
    async fn meddle(&self, service: &str, entry: &Entry, key: &str, value: &str);
}

/// A server with a name in documents.
pub struct Site {
    /// Its name in documents and in the origin of copies.
    pub name: String,
    pub registry: Box<dyn Registry>,
    /// What its type can hold.
    pub can: &'static Capabilities,
}

impl Site {
    async fn of(name: &str, registry: Box<dyn Registry>) -> Self {
        let can = registry.route().await.source.capabilities();
        Self { name: name.to_owned(), registry, can }
    }

    /// The registry as a document writes it. `hold` is how long what vanishes is held, and `max_shrink` the share whose loss opens
    /// the breaker.
    pub fn written(&self, hold: Duration, max_shrink: f64) -> String {
        let (name, written, hold) = (&self.name, self.registry.written(), hold.as_secs());
        format!("{{ name: {name}, {written}, protect: {{ hold: {hold}s, max_shrink: {max_shrink} }} }}")
    }

    /// An application registers, or changes what it registered.
    pub async fn register(&self, instance: &Inst) {
        self.registry.put(self.registry.usual_namespace(), instance).await;
    }

    /// An application deregisters.
    pub async fn deregister(&self, instance: &Inst) {
        self.registry.remove(self.registry.usual_namespace(), instance).await;
    }

    /// All entries of a service in the order of their addresses.
    ///
    /// # Errors
    /// What the server answered, or that it didn't.
    pub async fn entries(&self, service: &str) -> Result<Vec<Entry>, Failure> {
        let mut entries = timeout(ANSWER, self.registry.entries(service)).await??;
        entries.sort_by(|a, b| (&a.address, &a.place).cmp(&(&b.address, &b.place)));
        Ok(entries)
    }

    /// What stands at an address of a service now.
    pub async fn at(&self, service: &str, address: &Address) -> Vec<Entry> {
        let entries = self.entries(service).await.unwrap();
        entries.into_iter().filter(|entry| entry.address == *address).collect()
    }

    /// Waits until a service's entries are as they should be, and gives them.
    pub async fn until(
        &self,
        service: &str,
        what: &str,
        limit: Duration,
        holds: impl Fn(&[Entry]) -> bool,
    ) -> Vec<Entry> {
        let until = Instant::now() + limit;
        loop {
            let last = self.entries(service).await;
            match last {
                Ok(entries) if holds(&entries) => return entries,
                last if Instant::now() > until => {
                    panic!("{service} in {} never came to this: {what}. It has {last:#?}", self.name)
                }
                _ => sleep(STEP).await,
            }
        }
    }

    /// What consumers of this registry should take an instance for that another one shows them so.
    pub fn weight_of(&self, instance: &Inst, source: &Self) -> f64 {
        self.can.weight.nearest(source.can.weight.nearest(instance.weight))
    }
}

pub use consul::consul;
pub use eureka::eureka;
pub use nacos::{nacos, nacos_of};
pub use polaris::{polaris, polaris_of};
pub use servicecenter::servicecenter;
pub use zookeeper::{curator, dubbo};

/// Text pairs of a JSON object.
fn pairs(object: &Value) -> BTreeMap<String, String> {
    let all = object.as_object().into_iter().flatten();
    all.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn address(host: &Value, port: &Value) -> Address {
    Address::new(text(host), port.as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or_default())
}
