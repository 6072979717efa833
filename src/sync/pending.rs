//! What was written and is not shown yet. Registries show a write late, some by half a minute; until they do, what was written
//! counts, so that nothing is written twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::mark::Mark;
use crate::guard::Time;
use crate::model::{Address, Instance, ServiceKey, Snapshot};
use crate::registries::{Change, Destination, InstanceCopy};

/// The writes to one registry that it may not show yet.
#[derive(Debug, Default)]
pub struct Pending {
    services: BTreeMap<ServiceKey, BTreeMap<(Address, Mark), Write>>,
    /// So long after it was carried out a write counts no more, shown or not. It gets longer with the number of services.
    within: Duration,
}

#[derive(Debug)]
struct Write {
    /// The copy that was put; `None` where it is gone.
    put: Option<Arc<InstanceCopy>>,
    /// When it was carried out.
    at: Time,
}

impl Pending {
    /// A change was carried out.
    pub fn wrote(&mut self, now: Time, change: &Change, form: &dyn Destination) {
        let copy = change.copy();
        let put = match change {
            Change::Put(copy) => Some(Arc::clone(copy)),
            Change::Remove(_) => None,
        };
        if put.is_some() && form.holds_one() {
            self.succeed(now, copy);
        }
        self.note(copy, Write { put, at: now }, form);
    }

    /// The copies in whose place this one was put are gone, shown or not.
    fn succeed(&mut self, now: Time, copy: &InstanceCopy) {
        let address = &copy.instance.address;
        let writes = self.services.entry(copy.key.clone()).or_default();
        for gone in copy.succeeded() {
            let is_its = |mark: &Mark| (&mark.owner, &mark.task) == (&gone.owner, &gone.task);
            writes.retain(|(at, mark), _| at != address || !is_its(mark));
            writes.insert((address.clone(), gone), Write { put: None, at: now });
        }
    }

    /// A copy that is still shown was found gone.
    pub fn lost(&mut self, now: Time, copy: &InstanceCopy, form: &dyn Destination) {
        self.note(copy, Write { put: None, at: now }, form);
    }

    fn note(&mut self, copy: &InstanceCopy, write: Write, form: &dyn Destination) {
        let id = (copy.instance.address.clone(), copy.mark.clone());
        self.services.entry(copy.key.clone()).or_default().insert(id, write);
        self.within = self.within.max(form.shows_within(self.services.len()));
    }

    /// What is shown as it was written pends no more, nor does what has had its time to be shown by a registry of which so many
    /// services are watched.
    pub fn settle(&mut self, now: Time, shown: &Snapshot, form: &dyn Destination, watched: usize) {
        // A service that is made by a write is watched only when it is listed.
        self.within = form.shows_within(watched + self.services.len());
        let Some(writes) = self.services.get_mut(&shown.key) else { return };
        writes.retain(|(address, mark), write| {
            let mut ours = ours(shown, mark, address).peekable();
            let is_shown = match &write.put {
                None => ours.peek().is_none(),
                Some(copy) => ours.any(|standing| !form.differs(copy, standing)),
            };
            !is_shown && now < write.at.after(self.within)
        });
        if writes.is_empty() {
            self.services.remove(&shown.key);
        }
    }

    /// The registry was seen losing what it held, so what was written to it counts no more.
    pub fn clear(&mut self) {
        self.services.clear();
    }

    /// When the last pending write to a service has had its time.
    pub fn until(&self, key: &ServiceKey) -> Option<Time> {
        self.services.get(key)?.values().map(|write| write.at.after(self.within)).max()
    }

    /// What will be shown of a service, by what is shown now; `None` where nothing pends.
    pub fn foresee(&self, now: Time, shown: &Snapshot, form: &dyn Destination) -> Option<Snapshot> {
        let writes = self.services.get(&shown.key)?;
        let writes: BTreeMap<_, _> =
            writes.iter().filter(|(_, write)| now < write.at.after(self.within)).collect();
        let is_rewritten = |entry: &Instance| {
            let mut there = writes.keys().filter(|(address, _)| *address == entry.address);
            there.any(|(_, mark)| mark.owns(&shown.key, entry))
        };
        let natives = shown.instances.values().filter(|entry| !entry.is_copy());
        let copies = shown.copies.values().flatten().filter(|copy| !is_rewritten(copy));
        let written = writes.values().filter_map(|write| write.put.as_ref()).map(|copy| form.as_shown(copy));
        let entries = natives.chain(copies).cloned().chain(written);
        Some(Snapshot { revision: shown.revision.clone(), ..Snapshot::new(shown.key.clone(), entries) })
    }
}

/// The copies with a mark at an address.
fn ours<'s>(shown: &'s Snapshot, mark: &'s Mark, address: &Address) -> impl Iterator<Item = &'s Instance> {
    let copies = shown.copies.get(address).into_iter().flatten();
    copies.filter(|copy| mark.owns(&shown.key, copy))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::form::{NARROW, WIDE};
    use super::*;
    use crate::model::Weight;

    const SECOND: Duration = Duration::from_secs(1);

    fn copy(weight: f64) -> InstanceCopy {
        let mark = Mark { origin: "a".into(), owner: "lab".into(), task: "move".into() };
        let mut instance = Instance::new(Address::new("10.0.0.1", 80));
        instance.weight = Weight::from_ratio(weight);
        mark.stamp(&mut instance.metadata);
        InstanceCopy::new(ServiceKey::new("default", "orders"), mark, instance)
    }

    fn shown(copies: &[InstanceCopy]) -> Snapshot {
        let entries = copies.iter().map(|copy| WIDE.as_shown(copy));
        Snapshot::new(ServiceKey::new("default", "orders"), entries)
    }

    #[test]
    fn what_was_written_counts_until_it_is_shown() {
        let mut pending = Pending::default();
        let now = Time::default();
        pending.wrote(now, &Change::put(copy(1.0)), &WIDE);
        assert!(pending.foresee(now, &shown(&[]), &WIDE).unwrap().same_instances(&shown(&[copy(1.0)])));
        pending.settle(now, &shown(&[]), &WIDE, 0);
        assert!(pending.foresee(now, &shown(&[]), &WIDE).is_some(), "an older view says nothing");
        pending.wrote(now, &Change::put(copy(2.0)), &WIDE);
        pending.settle(now, &shown(&[copy(1.0)]), &WIDE, 0);
        assert!(
            pending.foresee(now, &shown(&[copy(1.0)]), &WIDE).unwrap().same_instances(&shown(&[copy(2.0)]))
        );
        pending.settle(now, &shown(&[copy(2.0)]), &WIDE, 0);
        assert!(pending.foresee(now, &shown(&[copy(2.0)]), &WIDE).is_none());
    }

    #[test]
    fn what_was_removed_is_gone_at_once() {
        let mut pending = Pending::default();
        let now = Time::default();
        pending.wrote(now, &Change::remove(copy(1.0)), &WIDE);
        assert!(pending.foresee(now, &shown(&[copy(1.0)]), &WIDE).unwrap().same_instances(&shown(&[])));
        pending.settle(now, &shown(&[]), &WIDE, 0);
        assert!(pending.until(&copy(1.0).key).is_none());
    }

    #[test]
    fn what_took_another_s_place_counts_alone_where_an_address_holds_one_entry() {
        let (old, now) = (copy(1.0), Time::default());
        let mark = Mark { origin: "b".into(), task: "other".into(), ..old.mark.clone() };
        let mut new = InstanceCopy { mark, in_place_of: ["move".to_owned()].into(), ..copy(2.0) };
        new.mark.stamp(&mut new.instance.metadata);
        let put = |form: &dyn Destination| {
            let mut pending = Pending::default();
            pending.wrote(now, &Change::put(old.clone()), form);
            pending.wrote(now, &Change::put(new.clone()), form);
            pending.foresee(now, &shown(std::slice::from_ref(&old)), form).unwrap()
        };
        assert!(put(&NARROW).same_instances(&shown(std::slice::from_ref(&new))));
        assert!(put(&WIDE).same_instances(&shown(&[old.clone(), new.clone()])), "beside it elsewhere");
    }

    #[test]
    fn what_is_never_shown_counts_for_its_time_only() {
        let mut pending = Pending::default();
        pending.wrote(Time::default(), &Change::put(copy(1.0)), &WIDE);
        let later = Time::default().after(WIDE.shows_within(1)).after(SECOND);
        assert!(pending.foresee(later, &shown(&[]), &WIDE).unwrap().same_instances(&shown(&[])));
        pending.settle(later, &shown(&[]), &WIDE, 0);
        assert!(pending.foresee(later, &shown(&[]), &WIDE).is_none());
    }
}
