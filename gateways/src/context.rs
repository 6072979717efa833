//! What a diff needs to know besides what is wanted and what stands there.

use std::collections::BTreeSet;

use crate::tags::{self, Mark};
use crate::{Change, Kind, ObjectKey, Tags, Write};

/// For whom a plan is made, and what it may do.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// Our deployment and task. What lacks their tags is never changed or deleted.
    pub mark: Mark,
    /// The tags of registry, namespace and service: what bears them and is no longer wanted is retired.
    pub selector: Tags,
    /// How far the plan may go.
    pub limits: Limits,
    /// What may be removed now: routes and services after a fresh reading with [`crate::ReadScope::Uses`]
    /// still showed them in [`crate::Plan::retiring`], upstreams when besides that `retire_after` has passed
    /// since they were first listed there.
    pub retire: BTreeSet<ObjectKey>,
}

/// What a task may do at its gateway. What it may not is planned all the same, and told in
/// [`crate::Plan::withheld`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How far it may go.
    pub policy: Policy,
    /// Whether it may take anything away.
    pub delete: bool,
    /// Whose a target's weight is.
    pub weight: Upkeep,
}

/// How far a task may go at a gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Write nothing.
    Observe,
    /// Write targets of upstreams that exist, whoever made those, and nothing else.
    Fill,
    /// Create, change and remove what bears our marks.
    #[default]
    Own,
}

/// Whether a field is kept as wanted after its object was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Upkeep {
    /// It is put right whenever it stands otherwise.
    #[default]
    Kept,
    /// It is set when the object is created, and a person's from then on.
    CreateOnly,
}

impl Default for Limits {
    fn default() -> Self {
        Self { policy: Policy::default(), delete: true, weight: Upkeep::default() }
    }
}

impl Limits {
    /// The setting that keeps a change from being made, as a task has it; none when it may be made.
    pub(crate) fn withholds(&self, change: &Change) -> Option<&'static str> {
        match self.policy {
            Policy::Observe => Some("policy: observe"),
            Policy::Fill if change.key.kind() != Kind::Target => Some("policy: fill"),
            _ if !self.delete && matches!(change.write, Write::Delete { .. }) => Some("delete: false"),
            _ => None,
        }
    }
}

impl Context {
    /// For one registered service; nothing may be retired yet.
    pub fn new(mark: Mark, registry: &str, namespace: &str, service: &str) -> Self {
        let selector = tags::selector(registry, namespace, service);
        Self { mark, selector, limits: Limits::default(), retire: BTreeSet::new() }
    }
}
