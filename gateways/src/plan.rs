//! The diff, as data.

use std::collections::BTreeSet;

use crate::{Desired, Fields, ObjectKey, order};

/// What has to change, in the order of the table in `order`, and what cannot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// In the order in which they are applied.
    pub changes: Vec<Change>,
    /// What the task's settings keep back, in the same order. Told, never applied.
    pub withheld: Vec<Withheld>,
    /// Upstreams whose targets are written one at a time, in the order in which `changes` lists them: those
    /// wanted with a [`crate::Upstream::sequence`].
    pub one_at_a_time: BTreeSet<String>,
    /// Names or addresses that somebody else holds. Reported, not taken over.
    pub conflicts: Vec<Conflict>,
    /// Upstreams to be filled that do not exist yet, and services that would lead to a foreign upstream.
    pub waiting: Vec<Waiting>,
    /// What is no longer wanted and, as far as is known, used by nobody. It goes when
    /// [`crate::Context::retire`] names it.
    pub retiring: Vec<Retiring>,
    /// What stands otherwise than wanted because somebody else made it or uses it. Reported.
    pub kept: Vec<Kept>,
    /// Upstreams whose targets have not been listed. They must be read, and the plan made again, before it is
    /// complete.
    pub unread: BTreeSet<String>,
}

/// One write, with its reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What is written.
    pub key: ObjectKey,
    /// How.
    pub write: Write,
    /// Why, for people: a clause such as `registered with weight 50`.
    pub reason: String,
}

/// What a change does.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Create it with these fields (tags, weight, a service's `host` and the name of a route's `service`
    /// among them).
    Create(Fields),
    /// Change these fields of the object with this id, and no others.
    Patch {
        /// The id that Kong reads back.
        id: String,
        /// The new values, each beside the old one.
        fields: Fields,
        /// The values that stand there now, for `plan`.
        before: Fields,
    },
    /// Remove the object with this id; an upstream with its targets.
    Delete {
        /// The id that Kong reads back.
        id: String,
    },
}

/// A change that would be made if the task's settings let it.
#[derive(Clone, Debug, PartialEq)]
pub struct Withheld {
    /// The change.
    pub change: Change,
    /// The setting, as a task has it: `policy: observe`.
    pub by: &'static str,
}

/// Something cannot be as wanted: somebody else's stands where ours should, or two things contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// What is not, or not wholly, as wanted.
    pub key: ObjectKey,
    /// Whose it is and what to do, for people.
    pub reason: String,
}

/// What cannot be written before somebody else has done something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// What waits.
    pub key: ObjectKey,
    /// What would make it go on, for people.
    pub reason: String,
}

/// Something of ours that may go, but not yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Retiring {
    /// An upstream (of ours, or of somebody else's with our targets in it), a service or a route.
    pub key: ObjectKey,
    /// Why it goes, for people.
    pub reason: String,
    /// Nothing that is known leads to it. `retire_after` counts from the first plan that says so.
    pub unused: bool,
}

/// Something that stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    /// What stays.
    pub key: ObjectKey,
    /// Who uses or made it, and what would make it go, for people.
    pub reason: String,
}

impl Plan {
    /// The upstream among whose targets this change has its place, when they are written one at a time.
    pub fn sequence_of<'a>(&self, change: &'a Change) -> Option<&'a str> {
        match &change.key {
            ObjectKey::Target(upstream, _) if self.one_at_a_time.contains(upstream) => Some(upstream),
            _ => None,
        }
    }

    /// The changes of several plans as one, in their common order. It is for what takes all of them at once, so that no
    /// sequence is kept.
    pub fn merged<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> Self {
        let changes = plans.into_iter().flat_map(|plan| plan.changes.clone()).collect();
        let mut merged = Self { changes, ..Self::default() };
        order::sort(&mut merged, &Desired::default());
        merged
    }

    /// Nothing would be written.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}
