//! What lives with our sessions, so that it can be made again when one has ended. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Address, ServiceKey};
use crate::registries::{Change, InstanceCopy};
use crate::sync::Mark;

/// Copies by what they are copies of, each with the session that it lives with.
#[derive(Debug, Default)]
pub(super) struct SessionCopies {
    copies: BTreeMap<(ServiceKey, Address, Mark), (Arc<InstanceCopy>, i64)>,
}

impl SessionCopies {
    /// It lives with this session.
    pub(super) fn keep(&mut self, copy: impl Into<Arc<InstanceCopy>>, session: i64) {
        let copy = copy.into();
        self.copies.insert(identity(&copy), (copy, session));
    }

    /// It isn't to live any more, or with no session of ours.
    pub(super) fn forget(&mut self, copy: &InstanceCopy) {
        self.copies.remove(&identity(copy));
    }

    /// What has to be put again by a service, since it doesn't live with this session.
    pub(super) fn left_behind(&self, session: i64) -> BTreeMap<ServiceKey, Vec<Change>> {
        let mut puts: BTreeMap<ServiceKey, Vec<Change>> = BTreeMap::new();
        for (copy, _) in self.copies.values().filter(|(_, lives_with)| *lives_with != session) {
            puts.entry(copy.key.clone()).or_default().push(Change::put(copy.clone()));
        }
        puts
    }
}

fn identity(copy: &InstanceCopy) -> (ServiceKey, Address, Mark) {
    (copy.key.clone(), copy.instance.address.clone(), copy.mark.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(service: &str, host: &str) -> InstanceCopy {
        InstanceCopy::example("default", service).with(|instance| instance.address.host = host.to_owned())
    }

    #[test]
    fn what_an_older_session_held_is_left_behind() {
        let mut copies = SessionCopies::default();
        let mut changed = copy("orders", "10.0.0.1");
        copies.keep(changed.clone(), 1);
        changed.instance.enabled = false;
        copies.keep(changed.clone(), 1);
        copies.keep(copy("orders", "10.0.0.2"), 1);
        copies.keep(copy("books", "10.0.0.1"), 2);
        assert!(copies.left_behind(1).keys().map(|key| key.service.as_str()).eq(["books"]));
        copies.forget(&copy("orders", "10.0.0.2"));
        let left: Vec<_> = copies.left_behind(2).into_values().flatten().collect();
        assert_eq!(left, [Change::put(changed)], "as it was put last");
    }
}
