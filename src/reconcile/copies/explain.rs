//! How each address of a service stands between two registries, and why, for people and as data. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::turns::Look;
use crate::config::{Policy, Task};
use crate::guard::{Held, Time};
use crate::model::{Address, Instance, ServiceKey, Snapshot, marks};
use crate::registries::{Change, Destination};
use crate::sync::{Holder, Mark, Outcome};

/// One service of one direction of a task, as a turn would find it now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceView {
    /// What it is called in the registry that is read, as `namespace/service`; none where it has no name there.
    pub source: Option<String>,
    /// One of the two registries has not shown it completely yet: nothing can be said.
    pub unread: bool,
    /// Why nothing of it can be written at present.
    pub waiting: Option<String>,
    /// Every address that either registry shows.
    pub copies: Vec<CopyView>,
}

/// How an address stands at the destination against what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyState {
    /// The copy stands as it should.
    Present,
    /// A copy is wanted, and none stands.
    Missing,
    /// The copy stands, and some of its fields are not as they should be.
    Differs,
    /// As [`CopyState::Differs`], though it was written as it should be a moment ago.
    Disputed,
    /// The copy is to go.
    Unwanted,
    /// The copy is to go, and the guard keeps it.
    Held,
    /// The copy is to go as soon as that of another task stands, which carries the instance.
    HandedOver,
    /// Somebody else's entry stands where the copy would.
    Conflict,
    /// Native at both ends.
    Native,
    /// Native at the destination alone.
    NativeThere,
    /// Only somebody else's copy, of what the source doesn't show.
    Foreign,
    /// The source holds a copy only.
    NoTransit,
    /// No instance that the task carries.
    LeftOut,
}

/// One address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CopyView {
    /// Host and port.
    pub address: String,
    /// What the rule says.
    pub outcome: Outcome,
    /// How it stands.
    pub state: CopyState,
    /// Why, for people.
    pub reason: String,
    /// What the copy shows of what it is to show otherwise.
    pub stands: BTreeMap<String, Value>,
    /// What it is to show: the fields that differ, and all of a missing one.
    pub wanted: BTreeMap<String, Value>,
    /// The task's setting that keeps it so: `policy: observe`.
    pub withheld_by: Option<String>,
    /// For how long the instance has been missing, in seconds, where its copy is held.
    pub for_seconds: Option<u64>,
    /// In how many seconds the copy goes, unless the instance comes back.
    pub until_seconds: Option<u64>,
}

/// What would be done about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// A copy is made.
    Create,
    /// It is changed in place.
    Patch,
    /// It is removed.
    Delete,
}

impl CopyView {
    /// What is to be done about it, may it be done or not.
    pub fn operation(&self) -> Option<Operation> {
        match self.state {
            CopyState::Missing => Some(Operation::Create),
            CopyState::Differs => Some(Operation::Patch),
            CopyState::Unwanted => Some(Operation::Delete),
            _ => None,
        }
    }
}

impl ServiceView {
    /// What would be done now: each address with its operation.
    pub fn changes(&self) -> impl Iterator<Item = (Operation, &CopyView)> {
        let may = self.waiting.is_none() && !self.unread;
        let due = self.copies.iter().filter(move |copy| may && copy.withheld_by.is_none());
        due.filter_map(|copy| Some((copy.operation()?, copy)))
    }

    /// The addresses that stand so.
    pub fn those(&self, state: CopyState) -> impl Iterator<Item = &CopyView> {
        self.copies.iter().filter(move |copy| copy.state == state)
    }
}

/// What the addresses of a service are told from.
pub(super) struct Scene<'a> {
    pub(super) task: &'a Task,
    /// The registry that is read.
    pub(super) from: &'a str,
    /// The registry that is written.
    pub(super) to: &'a str,
    /// The task's mark.
    pub(super) mark: &'a Mark,
    pub(super) form: &'a dyn Destination,
    /// The service's name at the destination.
    pub(super) key: &'a ServiceKey,
    pub(super) look: &'a Look,
    /// An entry of the task fits the service.
    pub(super) matched: bool,
    pub(super) source: Option<&'a Snapshot>,
    pub(super) standing: Option<&'a Snapshot>,
    /// Where somebody else's entry was met by a write.
    pub(super) taken: &'a [Address],
    /// Now, for the source's guard.
    pub(super) now: Time,
}

impl Scene<'_> {
    pub(super) fn view(&self) -> ServiceView {
        let outcomes = self.look.turn.outcomes.iter();
        ServiceView {
            source: self.look.source.as_ref().map(ToString::to_string),
            unread: self.look.turn.unread,
            waiting: self.look.waiting.clone(),
            copies: outcomes.map(|(address, outcome)| self.copy(address, *outcome)).collect(),
        }
    }

    fn copy(&self, address: &Address, outcome: Outcome) -> CopyView {
        let state = self.state(address, outcome);
        let held = self.held(address);
        let (stands, wanted) = self.fields(address, state);
        CopyView {
            address: address.to_string(),
            outcome,
            state,
            reason: self.reason(address, outcome, state),
            stands,
            wanted,
            withheld_by: self.withheld_by(address),
            for_seconds: held.map(|held| self.now.since(held.since).as_secs()),
            until_seconds: held.and_then(|held| held.until).map(|until| until.since(self.now).as_secs()),
        }
    }

    fn state(&self, address: &Address, outcome: Outcome) -> CopyState {
        let is_changed = self.change(address).is_some();
        match outcome {
            Outcome::Carry | Outcome::TakeOver | Outcome::Maintain
                if is_changed && self.taken.contains(address) =>
            {
                CopyState::Conflict
            }
            Outcome::Carry | Outcome::TakeOver => CopyState::Missing,
            Outcome::Maintain if !is_changed => CopyState::Present,
            Outcome::Maintain if self.look.changed.contains(address) => CopyState::Disputed,
            Outcome::Maintain => CopyState::Differs,
            Outcome::Retire if self.held(address).is_some() => CopyState::Held,
            Outcome::Retire | Outcome::GiveWay | Outcome::YieldToOther => CopyState::Unwanted,
            Outcome::HandOver => CopyState::HandedOver,
            Outcome::LeftToOther => CopyState::Conflict,
            Outcome::OfOthers => CopyState::Foreign,
            Outcome::NativeAtBoth => CopyState::Native,
            Outcome::NativeAtDestination => CopyState::NativeThere,
            Outcome::NoTransit => CopyState::NoTransit,
            Outcome::Nothing => CopyState::LeftOut,
        }
    }

    fn change(&self, address: &Address) -> Option<&Change> {
        self.look.turn.changes.iter().find(|change| change.copy().instance.address == *address)
    }

    fn held(&self, address: &Address) -> Option<&Held> {
        self.look.turn.held.iter().find(|held| held.address == *address).map(|held| &held.held)
    }

    fn withheld_by(&self, address: &Address) -> Option<String> {
        let mut withheld = self.look.withheld.iter();
        withheld.find(|change| change.copy().instance.address == *address)?;
        let observes = self.task.policy == Policy::Observe;
        Some(if observes { "policy: observe" } else { "delete: false" }.to_owned())
    }

    /// What stands and what is wanted: where a copy stands, of what differs only.
    fn fields(
        &self,
        address: &Address,
        state: CopyState,
    ) -> (BTreeMap<String, Value>, BTreeMap<String, Value>) {
        let Some(Change::Put(copy)) = self.change(address) else { return Default::default() };
        let mut wanted = fields(&self.form.as_shown(copy));
        if state == CopyState::Missing {
            return (BTreeMap::new(), wanted);
        }
        let Some(standing) = self.our_copy(address) else { return Default::default() };
        let mut stands = fields(standing);
        // What the registry adds by itself is no difference.
        stands.retain(|name, _| !name.starts_with(ATTRIBUTE) || wanted.contains_key(name));
        let same: Vec<String> = stands
            .iter()
            .filter(|(name, value)| wanted.get(*name) == Some(value))
            .map(|it| it.0.clone())
            .collect();
        for name in same {
            stands.remove(&name);
            wanted.remove(&name);
        }
        (stands, wanted)
    }

    fn copies(&self, address: &Address) -> impl Iterator<Item = &Instance> {
        self.standing.and_then(|standing| standing.copies.get(address)).into_iter().flatten()
    }

    fn our_copy(&self, address: &Address) -> Option<&Instance> {
        self.copies(address).find(|copy| self.mark.owns(self.key, copy))
    }

    fn reason(&self, address: &Address, outcome: Outcome, state: CopyState) -> String {
        let Self { from, to, .. } = self;
        match (outcome, state) {
            (Outcome::Carry | Outcome::TakeOver | Outcome::Maintain, CopyState::Conflict) => {
                format!("an entry that is not ours stands where the copy would, and {to} had not shown it before")
            }
            (Outcome::Carry, _) => format!("native in {from}, and no copy stands in {to}"),
            (Outcome::Maintain, CopyState::Differs) => "its copy stands otherwise".to_owned(),
            (Outcome::Maintain, CopyState::Disputed) => {
                "its copy stands otherwise than it was written a moment ago; it is written again at the next audit"
                    .to_owned()
            }
            (Outcome::Maintain, _) => "its copy stands as it should".to_owned(),
            (Outcome::NativeAtBoth, _) => format!("native in {to} too, so nothing is written"),
            (Outcome::GiveWay, _) => format!("native in {to} now, so the copy beside it gives way"),
            (Outcome::NativeAtDestination, _) if self.is_shown(address) => {
                format!("native in {to}, and {from} holds a copy of it: nothing is written")
            }
            (Outcome::NativeAtDestination, _) => {
                format!("native in {to} and not in {from}: nothing is written, and nothing will be removed")
            }
            (Outcome::Retire, _) => self.why_it_goes(address),
            (Outcome::HandOver, _) => {
                format!("{from} does not show it any more, and another task carries it: it stays until that task's copy stands")
            }
            (Outcome::TakeOver, _) => {
                format!("native in {from}, and {}, which gives it up, stands in {to}: ours takes its place", self.other(address))
            }
            (Outcome::YieldToOther, _) => {
                format!("{} stands there too and stays, so ours goes", self.other(address))
            }
            (Outcome::LeftToOther, _) => format!("{} stands where ours would, and is left alone", self.other(address)),
            (Outcome::OfOthers, _) => format!("{} stands there; {from} doesn't show it", self.other(address)),
            (Outcome::NoTransit, _) => self.why_no_transit(address),
            (Outcome::Nothing, _) => "it is in none of the entry's groups".to_owned(),
        }
    }

    fn is_shown(&self, address: &Address) -> bool {
        self.source.is_some_and(|source| source.copies.contains_key(address))
    }

    fn why_it_goes(&self, address: &Address) -> String {
        let from = self.from;
        if let Some(held) = self.held(address) {
            return format!("{from} does not show it any more; it is held, because {}", held.reason);
        }
        if !self.matched {
            return "no entry of the task fits the service any more".to_owned();
        }
        match self.source.and_then(|source| source.instances.get(address)) {
            None => format!("{from} does not show it any more"),
            Some(shown) if shown.is_copy() => {
                format!("{from} holds only a copy of it, and copies are not carried on")
            }
            Some(_) => "it is in none of the entry's groups any more".to_owned(),
        }
    }

    fn why_no_transit(&self, address: &Address) -> String {
        let shown = self.source.and_then(|source| source.instances.get(address));
        let origin = shown.and_then(|shown| shown.metadata.get(marks::ORIGIN));
        let of = origin.map(|origin| format!(" (native in {origin})")).unwrap_or_default();
        format!("{} holds only a copy of it{of}, and copies are not carried on", self.from)
    }

    /// Whose copy stands there that is not ours.
    fn other(&self, address: &Address) -> String {
        let holders = self.copies(address).map(|copy| self.mark.holder(self.key, copy));
        match holders.into_iter().find(|holder| *holder != Holder::Ours) {
            Some(Holder::Task(task)) => format!("a copy of task {task}"),
            Some(Holder::Foreign(Some(owner))) => format!("a copy of deployment {owner}"),
            _ => "a copy of another tool".to_owned(),
        }
    }
}

/// Before the names of fields that only some registries have.
const ATTRIBUTE: &str = "attributes.";

/// An entry's fields as they are shown to people.
fn fields(instance: &Instance) -> BTreeMap<String, Value> {
    let flags =
        [("healthy", instance.healthy), ("enabled", instance.enabled), ("isolated", instance.isolated)];
    let mut fields: BTreeMap<String, Value> =
        flags.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let weight = instance.weight.ratio();
    let weight = if weight.fract() == 0.0 { Value::from(weight as u64) } else { weight.into() };
    fields.insert("weight".to_owned(), weight);
    let text = |value: &String| Value::from(value.as_str());
    fields.extend(instance.metadata.iter().map(|(name, value)| (format!("metadata.{name}"), text(value))));
    fields
        .extend(instance.attributes.iter().map(|(name, value)| (format!("{ATTRIBUTE}{name}"), text(value))));
    fields
}
