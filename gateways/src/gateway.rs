//! What every gateway can do.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;

use crate::{Change, NodeHealth, Plan, RequestCount, World};

/// Plans at the same time that keep a gateway busy which makes changes one by one, whatever its own limit is.
pub(crate) const WIDTH: usize = 64;

/// A destination that holds upstreams, targets, services and routes.
#[async_trait]
pub trait Gateway: Send + Sync + 'static {
    /// Reads what stands there: the whole scope or an error, never a part.
    async fn read(&self, scope: &ReadScope) -> Result<World, GatewayError>;

    /// Carries out a plan in its order. A change that fails stops only those that need it; all others are
    /// tried. Answers that ask to be repeated are repeated here, with backoff, before they count as failed.
    async fn apply(&self, plan: &Plan) -> Applied;

    /// Whether the gateway answers and accepts our credentials; its version.
    async fn check(&self) -> Result<String, GatewayError>;

    /// How many plans are best applied at the same time.
    fn width(&self) -> usize {
        WIDTH
    }

    /// Looks after what was applied, and puts right what a part of the gateway has lost: a node that came back
    /// empty. Answers when somebody else has changed what stands there. A gateway that finds that out by being read
    /// only never answers.
    async fn tend(&self) {
        std::future::pending().await
    }

    /// The servers that hold what is applied, each on its own; none where any one speaks for all.
    fn nodes(&self) -> Vec<NodeState> {
        Vec::new()
    }

    /// What each of its nodes makes of these upstreams, one after the other as configured; a node that cannot
    /// be asked says so in its place. None where the gateway has no nodes to ask.
    async fn health(&self, _upstreams: &BTreeSet<String>) -> Vec<NodeHealth> {
        Vec::new()
    }

    /// How often each kind of request was answered in each way since start; none where nothing goes over a
    /// network.
    fn requests(&self) -> Vec<RequestCount> {
        Vec::new()
    }
}

/// How one of several servers that each hold everything stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeState {
    /// Its address.
    pub address: String,
    /// Why it does not hold what it should, in its own or the network's words; none when it does.
    pub trouble: Option<String>,
}

/// What is to be read. [`World::merge`] brings the answer together with what was known before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadScope {
    /// Every service, upstream, route and plugin, and the targets of the upstreams that are [`Listed`].
    All(Listed),
    /// As `All`, but the targets of an upstream are listed only where the ids under the owner's tag disagree
    /// with what is known. A changed weight, and a target that was added, are not seen by this.
    Audit {
        /// The upstreams whose targets are wanted.
        listed: Listed,
        /// The tag under which ids are compared, as [`crate::tags::owner_tag`] gives it.
        owner: String,
        /// The ids known under it before the reading began, by [`crate::World::targets_with`].
        known: crate::KnownTargets,
    },
    /// These services, upstreams (with targets) and routes by name. What is absent in the answer is absent
    /// there.
    Names {
        /// Names of upstreams.
        upstreams: BTreeSet<String>,
        /// Names of services.
        services: BTreeSet<String>,
        /// Names of routes.
        routes: BTreeSet<String>,
    },
    /// What must be known before something is retired: these upstreams with their targets, and all services,
    /// routes and plugins, since those of any name may use what is to go.
    Uses {
        /// Names of upstreams.
        upstreams: BTreeSet<String>,
    },
}

/// Upstreams whose targets are wanted: those with one of the tags, those of the names, and those whose names begin so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Any of these is enough.
    pub tags: crate::Tags,
    /// Names of further ones: those that are only filled.
    pub names: BTreeSet<String>,
    /// What the names of further ones begin with.
    pub prefixes: BTreeSet<String>,
}

impl Listed {
    /// Whether the targets of this upstream are wanted.
    pub fn wants(&self, name: &str, tags: &crate::Tags) -> bool {
        let begins = |prefix: &String| name.starts_with(prefix.as_str());
        self.names.contains(name) || !self.tags.is_disjoint(tags) || self.prefixes.iter().any(begins)
    }
}

/// What came of a plan.
#[derive(Debug, Default)]
pub struct Applied {
    /// Each change that was made, and what the gateway answered.
    pub done: Vec<(Change, Effect)>,
    /// Each change that was not.
    pub failed: Vec<Failure>,
}

/// What the gateway made of a change.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// The object as it stands now.
    Written(Box<crate::LiveObject>),
    /// It is gone.
    Deleted,
}

/// A change that was not made.
#[derive(Debug)]
pub struct Failure {
    /// The change.
    pub change: Change,
    /// Why.
    pub error: ApplyError,
}

/// Why a change was not made, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ApplyError {
    /// For people, with the request and the gateway's own words.
    pub message: String,
    /// When to try again.
    pub retry: Retry,
}

/// When a failed reading or write is to be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// With backoff, not before the given time has passed (`Retry-After`).
    Backoff(Option<Duration>),
    /// What stands there is not what we thought: read this key again, plan again.
    ReadAgain,
    /// The user's error: at the next audit, or when something changes.
    Never,
}

/// A reading failed.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct GatewayError {
    /// For people, with the request and the gateway's own words.
    pub message: String,
    /// When to try again.
    pub retry: Retry,
}
