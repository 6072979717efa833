//! What the other tasks of a deployment want of a service to which they write copies too.

use std::collections::{BTreeMap, BTreeSet};

use super::mark::Mark;
use crate::model::{Address, Instance, ServiceKey};

/// The running tasks that may write to a service of a registry beside one, each with the addresses at which it wants copies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Siblings {
    /// `None` while the task's source has not told yet.
    wants: BTreeMap<String, Option<BTreeSet<Address>>>,
}

impl Siblings {
    /// What one of them wants; `None` while that is not known.
    pub fn note(&mut self, task: &str, wants: Option<BTreeSet<Address>>) {
        self.wants.insert(task.to_owned(), wants);
    }

    /// Whether one of them wants a copy at an address, or may.
    pub(super) fn anyone_wants(&self, address: &Address) -> bool {
        self.wants.values().any(|wants| wants.as_ref().is_none_or(|wants| wants.contains(address)))
    }

    /// Which of them an entry of the service is a copy of. Where its metadata was lost, its id tells.
    pub(super) fn holder<'s>(&'s self, mark: &Mark, key: &ServiceKey, entry: &Instance) -> Option<&'s str> {
        let is_its = |task: &&String| Mark { task: (*task).clone(), ..mark.clone() }.owns(key, entry);
        self.wants.keys().find(is_its).map(String::as_str)
    }

    /// Whether a task wants a copy at an address; `None` while that is not known, or the task is none of these.
    pub(super) fn wants(&self, task: &str, address: &Address) -> Option<bool> {
        self.wants.get(task)?.as_ref().map(|wants| wants.contains(address))
    }
}
