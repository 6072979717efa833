//! The tasks that write to one registry: what each of them wants of a service, and whose turn it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::OwnedMutexGuard;

use super::CopyFlow;
use super::destination::lock;
use crate::config::{Group, Policy};
use crate::model::{Address, ServiceKey, Snapshot};
use crate::sync::Siblings;

/// The directions that write to one registry.
#[derive(Default)]
pub(super) struct Writers {
    flows: Mutex<Vec<Weak<CopyFlow>>>,
    turns: Mutex<BTreeMap<ServiceKey, Arc<tokio::sync::Mutex<()>>>>,
}

impl Writers {
    pub(super) fn add(&self, flow: &Arc<CopyFlow>) {
        lock(&self.flows).push(Arc::downgrade(flow));
    }

    /// Waits until no other task decides or writes anything of a service: what one has written is known to the next. Of two copies at
    /// an address each would go in favour of the other otherwise.
    pub(super) async fn turn(&self, key: &ServiceKey) -> OwnedMutexGuard<()> {
        let turn = Arc::clone(lock(&self.turns).entry(key.clone()).or_default());
        turn.lock_owned().await
    }

    /// What the tasks beside one want of a service.
    pub(super) fn beside(&self, flow: &CopyFlow, key: &ServiceKey, standing: &Snapshot) -> Siblings {
        let flows: Vec<Arc<CopyFlow>> = lock(&self.flows).iter().filter_map(Weak::upgrade).collect();
        let mut siblings = Siblings::default();
        for other in flows.iter().filter(|other| other.mark.task != flow.mark.task) {
            siblings.note(&other.mark.task, other.wants(key, standing));
        }
        siblings
    }
}

impl CopyFlow {
    /// At which addresses of a service the task wants copies now; `None` while its source has not told yet.
    fn wants(&self, key: &ServiceKey, standing: &Snapshot) -> Option<BTreeSet<Address>> {
        let task = self.way.task();
        if task.policy == Policy::Observe {
            return Some(BTreeSet::new());
        }
        let mut wanted = self.carried_addresses(key, standing)?;
        if !task.delete {
            wanted.extend(self.our_addresses(standing));
        }
        Some(wanted)
    }

    fn carried_addresses(&self, key: &ServiceKey, standing: &Snapshot) -> Option<BTreeSet<Address>> {
        let source_key = self.source_key(key, standing);
        let carried = source_key.filter(|source| self.way.there(source).as_ref() == Ok(key));
        let Some((source_key, entry)) =
            carried.and_then(|source| Some((source.clone(), self.way.entry(&source)?)))
        else {
            return Some(BTreeSet::new());
        };
        let Some(shown) = self.source.last_shown(&source_key) else {
            // What was tried and cannot be read holds nobody up.
            return self.source.view().progress().borrow().settled.then(BTreeSet::new);
        };
        let natives = shown.instances.values().filter(|instance| !instance.is_copy());
        let carried = natives.filter(|instance| Group::carry(&entry.groups, &instance.metadata));
        Some(carried.map(|instance| instance.address.clone()).collect())
    }
}
