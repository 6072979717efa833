//! Keeps the list of a namespace's services: read every few seconds, which decides, and at once when a new one is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep};

use super::hidden::Hidden;
use super::names::{DEFAULT_GROUP, Namespace, ServiceName, group_of_prefix};
use super::pages::Listing;
use super::{Health, Leg, NacosError, Shared};
use crate::model::ServiceKey;
use crate::registries::{Beginning, Interest, View};

/// Between two readings of the list, where it is quick to read.
const INTERVAL: Duration = Duration::from_secs(3);
/// A list that takes long is read less often: a fifth of the time at most,
const PAUSE_FACTOR: u32 = 4;
/// but never less often than this.
const LONGEST_INTERVAL: Duration = Duration::from_secs(15);
/// Between two readings when new services are told one after the other.
const WAKE_GAP: Duration = Duration::from_millis(100);
const RETRY: Duration = Duration::from_secs(1);
/// One failed reading among good ones says little while the connection stands.
const GRACE: Duration = Duration::from_secs(10);

/// The wanted services of a namespace by their names in our keys.
pub(super) type Names = BTreeMap<String, ServiceName>;

/// Reads the list of one namespace for as long as it is polled.
pub(super) struct NamesLoop {
    pub(super) shared: Arc<Shared>,
    pub(super) namespace: Namespace,
    pub(super) interest: Arc<dyn Interest>,
    pub(super) view: Arc<View>,
    pub(super) health: Arc<Health>,
    pub(super) wake: Arc<Notify>,
    pub(super) names: watch::Sender<Arc<Names>>,
    /// Is told the services whose full listing shows more than pushes do.
    pub(super) hidden: mpsc::UnboundedSender<String>,
}

impl NamesLoop {
    /// Never returns; dropping it is the end.
    pub(super) async fn run(self) {
        let groups = groups(&self.interest.beginnings());
        let mut last_good: Option<Instant> = None;
        let mut doubled = BTreeSet::new();
        let mut hidden = Hidden::default();
        loop {
            let begun = Instant::now();
            let pause = match self.shared.api.services(&self.namespace, groups.as_ref()).await {
                Ok(services) => {
                    self.tell(services, &mut doubled, &mut hidden);
                    last_good = Some(Instant::now());
                    INTERVAL.max(begun.elapsed() * PAUSE_FACTOR).min(LONGEST_INTERVAL)
                }
                Err(error) => {
                    self.on_failure(&error, last_good);
                    RETRY
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = async { sleep(WAKE_GAP.max(begun.elapsed())).await; self.wake.notified().await } => {}
            }
        }
    }

    fn tell(&self, services: Listing, doubled: &mut BTreeSet<String>, hidden: &mut Hidden) {
        let mut names = Names::new();
        for (service, count) in services {
            let key = service.to_key();
            if !self.interest.wants(&ServiceKey::new(&self.namespace.key, &key)) {
                continue;
            }
            if hidden.should_be_listed(&key, count, self.shown(&key)) {
                // The other end goes with the watch of this namespace, as this one does.
                let _ = self.hidden.send(key.clone());
            }
            match names.get(&key) {
                None => {
                    names.insert(key, service);
                }
                Some(first) => self.warn_of_double(key, first, &service, doubled),
            }
        }
        hidden.keep(|service| names.contains_key(service));
        self.view.set_names(&self.namespace.key, names.keys().cloned().collect());
        self.names.send_if_modified(|old| {
            let changed = **old != names;
            *old = Arc::new(names);
            changed
        });
        self.health.sound(Leg::Names);
    }

    /// How many entries a service is shown with.
    fn shown(&self, service: &str) -> Option<usize> {
        let reading = self.view.reading(&ServiceKey::new(&self.namespace.key, service))?;
        let natives = reading.snapshot.instances.values().filter(|instance| !instance.is_copy()).count();
        Some(natives + reading.snapshot.copies.values().map(Vec::len).sum::<usize>())
    }

    fn warn_of_double(
        &self,
        key: String,
        kept: &ServiceName,
        left: &ServiceName,
        doubled: &mut BTreeSet<String>,
    ) {
        if doubled.insert(key.clone()) {
            let (registry, namespace) = (self.view.registry(), &self.namespace.key);
            tracing::warn!(
                "registry {registry}: in namespace {namespace} both {kept} and {left} are written `{key}`; only the first is read"
            );
        }
    }

    fn on_failure(&self, error: &NacosError, last_good: Option<Instant>) {
        if error.is_passing() && last_good.is_some_and(|at| at.elapsed() < GRACE) {
            tracing::debug!(registry = self.view.registry(), namespace = self.namespace.key, %error, "one listing failed");
        } else {
            self.health.failed(Leg::Names, error);
        }
    }
}

/// All groups that wanted services can be in, when their names say so.
fn groups(beginnings: &BTreeSet<Beginning>) -> Option<BTreeSet<String>> {
    let group = |beginning: &Beginning| match beginning {
        Beginning::Whole(name) => Some(group_of_prefix(name).unwrap_or(DEFAULT_GROUP).to_owned()),
        Beginning::Part(prefix) => group_of_prefix(prefix).map(str::to_owned),
    };
    beginnings.iter().map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_known_only_when_every_name_says_its_own() {
        let whole = |name: &str| Beginning::Whole(name.to_owned());
        let part = |prefix: &str| Beginning::Part(prefix.to_owned());
        let of = |beginnings: &[Beginning]| groups(&beginnings.iter().cloned().collect());
        let wanted = BTreeSet::from(["DEFAULT_GROUP".to_owned(), "TRADE".to_owned()]);
        assert_eq!(of(&[whole("orders"), part("TRADE__or")]), Some(wanted));
        assert_eq!(of(&[whole("orders"), part("or")]), None);
        assert_eq!(of(&[part("")]), None);
    }
}
