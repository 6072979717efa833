//! One service's turn: from what both registries show to what has to be written, with what the guard holds kept.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::mark::Mark;
use super::rule::{AtDestination, AtSource, Heir, Outcome};
use super::siblings::Siblings;
use crate::config::{Group, Upkeep};
use crate::guard::{Guard, Held, HoldReason, Time, Verdict};
use crate::model::{Address, Instance, ServiceKey, Snapshot, marks};
use crate::registries::{Change, Destination, InstanceCopy};

/// What a turn is decided on.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The mark of this task's copies.
    pub mark: &'a Mark,
    /// Instances of any of these groups are carried, and all where there is none; `None` where no entry fits the service any more,
    /// so that everything goes.
    pub groups: Option<&'a [Group]>,
    /// Whose a copy's weight is after it was made.
    pub weight: Upkeep,
    /// What the source last showed; `None` while it was never read.
    pub source: Option<&'a Snapshot>,
    /// The service in the source's words.
    pub source_key: &'a ServiceKey,
    /// The destination's name of the service does not lead back to the source's, so each copy tells it.
    pub name_is_lost: bool,
    /// What the destination last showed; `None` while it was never read.
    pub destination: Option<&'a Snapshot>,
    /// The service in the destination's words.
    pub key: &'a ServiceKey,
    /// What the destination makes of copies. Only its pure part is asked.
    pub form: &'a dyn Destination,
    /// What the other tasks that write to this service want of it.
    pub siblings: &'a Siblings,
    /// The source's guard.
    pub guard: &'a Guard,
    /// How long what has vanished is held.
    pub hold: Duration,
    /// Now.
    pub now: Time,
}

/// What is to be done for one service, and what waits.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// Puts, then removals.
    pub changes: Vec<Change>,
    /// Copies whose instances have vanished, and that the guard keeps.
    pub held: Vec<HeldCopy>,
    /// What is to be done about each address.
    pub outcomes: BTreeMap<Address, Outcome>,
    /// One of the two sides has not been read completely yet: nothing can be said.
    pub unread: bool,
}

impl Turn {
    /// Where our copy stays until another task's stands.
    pub fn hands_over(&self) -> impl Iterator<Item = &Address> {
        let handed_over = self.outcomes.iter().filter(|(_, outcome)| **outcome == Outcome::HandOver);
        handed_over.map(|(address, _)| address)
    }
}

/// A removal that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldCopy {
    /// Where the instance was registered.
    pub address: Address,
    /// Why, since when and until when.
    pub held: Held,
}

/// Decides one service's turn.
pub fn turn(inputs: &Inputs<'_>) -> Turn {
    let (Some(source), Some(destination)) = (inputs.source, inputs.destination) else {
        return Turn { unread: true, ..Turn::default() };
    };
    let sides = Sides { inputs, source, destination };
    let mut turn = Turn::default();
    let mut removals = Vec::new();
    for address in sides.addresses() {
        let outcome = sides.outcome(&address);
        match outcome {
            Outcome::Carry | Outcome::TakeOver => turn.changes.extend(sides.copy(&address).map(Change::put)),
            Outcome::Maintain => turn.changes.extend(sides.mended(&address).map(Change::put)),
            Outcome::GiveWay | Outcome::YieldToOther => {
                removals.extend(sides.ours(&address).map(Change::remove))
            }
            Outcome::Retire => match sides.verdict(&address) {
                Verdict::Remove => removals.extend(sides.ours(&address).map(Change::remove)),
                Verdict::Held(held) => turn.held.push(HeldCopy { address: address.clone(), held }),
            },
            Outcome::Nothing
            | Outcome::HandOver
            | Outcome::NativeAtBoth
            | Outcome::NativeAtDestination
            | Outcome::LeftToOther
            | Outcome::OfOthers
            | Outcome::NoTransit => {}
        }
        turn.outcomes.insert(address, outcome);
    }
    turn.changes.append(&mut removals);
    turn
}

/// Both registries' views of one service.
struct Sides<'a> {
    inputs: &'a Inputs<'a>,
    source: &'a Snapshot,
    destination: &'a Snapshot,
}

impl Sides<'_> {
    fn addresses(&self) -> BTreeSet<Address> {
        let (source, destination) = (self.source.instances.keys(), self.destination.instances.keys());
        source.chain(destination).cloned().collect()
    }

    fn outcome(&self, address: &Address) -> Outcome {
        Outcome::of(self.at_source(address), self.at_destination(address))
    }

    fn at_source(&self, address: &Address) -> AtSource {
        match self.source.instances.get(address) {
            None => AtSource::Nobody,
            Some(instance) if instance.is_copy() => AtSource::Copy,
            Some(instance) if self.carries(instance) => AtSource::Native,
            Some(_) => AtSource::Nobody,
        }
    }

    /// Whether the task carries this instance.
    fn carries(&self, instance: &Instance) -> bool {
        self.inputs.groups.is_some_and(|groups| Group::carry(groups, &instance.metadata))
    }

    fn at_destination(&self, address: &Address) -> AtDestination {
        let native = self.destination.is_native(address);
        let heir = if self.inputs.siblings.anyone_wants(address) { Heir::Wants } else { Heir::None };
        let mut at = AtDestination { native, heir, ..AtDestination::default() };
        for copy in self.copies(address) {
            if self.is_ours(copy) {
                at.ours = true;
                continue;
            }
            match self.sibling(copy).map(|task| self.inputs.siblings.wants(task, address)) {
                Some(Some(false)) => {
                    at.given_up = true;
                    continue;
                }
                Some(Some(true)) => at.heir = Heir::Stands,
                Some(None) | None => {}
            }
            at.others = true;
            at.comes_before_ours |= self.comes_before_ours(copy);
        }
        at
    }

    /// The other task of this deployment that made a copy.
    fn sibling(&self, copy: &Instance) -> Option<&str> {
        self.inputs.siblings.holder(self.inputs.mark, self.inputs.key, copy)
    }

    /// The tasks whose copies at an address give way to ours.
    fn given_up_by(&self, address: &Address) -> BTreeSet<String> {
        let siblings =
            self.copies(address).filter(|copy| !self.is_ours(copy)).filter_map(|it| self.sibling(it));
        let given_up = siblings.filter(|task| self.inputs.siblings.wants(task, address) == Some(false));
        given_up.map(str::to_owned).collect()
    }

    fn is_ours(&self, copy: &Instance) -> bool {
        self.inputs.mark.owns(self.inputs.key, copy)
    }

    /// Whoever wrote this copy comes to the same answer, the other way round.
    fn comes_before_ours(&self, copy: &Instance) -> bool {
        let ours = self.inputs.mark;
        let by_id = || Some(Mark { task: self.sibling(copy)?.to_owned(), ..ours.clone() });
        let theirs = Mark::read(&copy.metadata).or_else(by_id);
        theirs.is_some_and(|theirs| (&theirs.owner, &theirs.task) < (&ours.owner, &ours.task))
    }

    fn copies(&self, address: &Address) -> impl Iterator<Item = &Instance> {
        self.destination.copies.get(address).into_iter().flatten()
    }

    fn our_copies(&self, address: &Address) -> impl Iterator<Item = &Instance> {
        self.copies(address).filter(|copy| self.is_ours(copy))
    }

    /// Our copies as they stand.
    fn ours(&self, address: &Address) -> impl Iterator<Item = InstanceCopy> {
        self.our_copies(address).cloned().map(|instance| self.marked(instance))
    }

    fn marked(&self, instance: Instance) -> InstanceCopy {
        let Inputs { mark, key, .. } = self.inputs;
        InstanceCopy::new((*key).clone(), (*mark).clone(), instance)
    }

    /// The copy that is to stand.
    fn copy(&self, address: &Address) -> Option<InstanceCopy> {
        let mut instance = self.source.instances.get(address)?.clone();
        instance.attributes.remove("id");
        instance.healthy |= self.health_is_doubtful(address);
        self.inputs.mark.stamp(&mut instance.metadata);
        if self.inputs.name_is_lost {
            instance.metadata.insert(marks::SERVICE.to_owned(), self.inputs.source_key.service.clone());
        }
        Some(InstanceCopy { in_place_of: self.given_up_by(address), ..self.marked(instance) })
    }

    /// The copy that is to stand, where it stands otherwise.
    fn mended(&self, address: &Address) -> Option<InstanceCopy> {
        let mut copy = self.copy(address)?;
        let standing = self.our_copies(address).next()?;
        if self.inputs.weight == Upkeep::CreateOnly {
            copy.instance.weight = standing.weight;
        }
        self.inputs.form.differs(&copy, standing).then_some(copy)
    }

    /// A registry that lost sight of its clients shows them unhealthy. That is carried when the source is trusted.
    fn health_is_doubtful(&self, address: &Address) -> bool {
        let shown = self.source.instances.get(address);
        if shown.is_none_or(Instance::usable) {
            return false;
        }
        let stood_healthy = self.our_copies(address).any(|copy| copy.healthy);
        let doubtful = |held: &Held| {
            matches!(held.reason, HoldReason::Breaker | HoldReason::Doubtful(_) | HoldReason::Unknown(_))
        };
        stood_healthy && matches!(self.guarded(address), Verdict::Held(held) if doubtful(&held))
    }

    /// Whether our copy may go. What the source still shows, and what no entry fits any more, is meant to go.
    fn verdict(&self, address: &Address) -> Verdict {
        let meant = self.source.instances.contains_key(address) || self.inputs.groups.is_none();
        if meant { Verdict::Remove } else { self.guarded(address) }
    }

    fn guarded(&self, address: &Address) -> Verdict {
        let Inputs { guard, now, source_key, hold, .. } = *self.inputs;
        guard.verdict_with_hold(now, source_key, address, self.is_last(address), hold)
    }

    /// Whether the destination would show no usable entry without our copy at this address.
    fn is_last(&self, address: &Address) -> bool {
        let others = self.destination.instances.iter().filter(|(other, _)| *other != address);
        let mut staying =
            others.filter(|(other, entry)| entry.usable() && !matches!(self.outcome(other), Outcome::Retire));
        staying.next().is_none()
    }
}
