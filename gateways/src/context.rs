//! What a diff needs to know besides what is wanted and what stands there.

use std::collections::BTreeSet;

use crate::tags::{self, Mark};
use crate::{ObjectKey, Tags};

/// For whom a plan is made, and what it may do.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// Our deployment and task. What lacks their tags is never changed or deleted.
    pub mark: Mark,
    /// The tags of registry, namespace and service: what bears them and is no longer wanted is retired.
    pub selector: Tags,
    /// How far the plan may go.
    pub policy: Policy,
    /// What may be removed now: routes and services after a fresh reading with [`crate::ReadScope::Uses`]
    /// still showed them in [`crate::Plan::retiring`], upstreams when besides that `retire_after` has passed
    /// since they were first listed there.
    pub retire: BTreeSet<ObjectKey>,
}

/// How far a task may go at a gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// Create, change and remove what bears our marks.
    #[default]
    Own,
}

impl Context {
    /// For one registered service; nothing may be retired yet.
    pub fn new(mark: Mark, registry: &str, namespace: &str, service: &str) -> Self {
        let selector = tags::selector(registry, namespace, service);
        Self { mark, selector, policy: Policy::default(), retire: BTreeSet::new() }
    }
}
