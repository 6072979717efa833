//! What a gateway holds, in Kong's terms, as wanted and as found.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::TargetAddress;

/// The fields of an object as Kong's Admin API writes them.
pub type Fields = Map<String, Value>;

/// An object's tags. Absent and empty are the same.
pub type Tags = BTreeSet<String>;

/// The kinds of objects Causeway writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A load-balanced virtual host.
    Upstream,
    /// One address of an upstream.
    Target,
    /// A backend that routes lead to; its `host` names an upstream.
    Service,
    /// A rule that leads requests to a service.
    Route,
}

impl Kind {
    /// The word of plans, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Target => "target",
            Self::Service => "service",
            Self::Route => "route",
        }
    }
}

/// The names of one object: its own, and its upstream's for a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectKey {
    /// An upstream by name.
    Upstream(String),
    /// A target by its upstream's name and its address.
    Target(String, TargetAddress),
    /// A service by name.
    Service(String),
    /// A route by name.
    Route(String),
}

impl ObjectKey {
    /// What kind of object the key names.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Upstream(_) => Kind::Upstream,
            Self::Target(..) => Kind::Target,
            Self::Service(_) => Kind::Service,
            Self::Route(_) => Kind::Route,
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream(name) => write!(f, "upstream {name}"),
            Self::Target(upstream, address) => write!(f, "target {address} of upstream {upstream}"),
            Self::Service(name) => write!(f, "service {name}"),
            Self::Route(name) => write!(f, "route {name}"),
        }
    }
}

/// What one registered service should be in the gateway: the unit of planning.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desired {
    /// By name.
    pub upstreams: BTreeMap<String, Upstream>,
    /// By name.
    pub services: BTreeMap<String, Service>,
    /// By name.
    pub routes: BTreeMap<String, Route>,
}

/// An upstream as wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Upstream {
    /// Whether it may be created, or only filled.
    pub existence: Existence,
    /// The tags that ours must carry; further ones of other people stay.
    pub tags: Tags,
    /// Set at creation and kept: only what a template names.
    pub fields: Fields,
    /// Its targets by normalised address.
    pub targets: BTreeMap<TargetAddress, Target>,
    /// When given, what changes in its targets is written one at a time in this order, deletions among it; what
    /// is not named here comes last. Without it the order of targets does not matter.
    pub sequence: Option<Vec<TargetAddress>>,
}

/// Who makes an upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Existence {
    /// We create it when its name is free, and own it. One that stands there with a tag of `fillable` and
    /// without our tags is filled with our targets and otherwise left alone (what polaris-sync's users have).
    Owned {
        /// Tags by which a foreign upstream of this name may be filled.
        fillable: Tags,
    },
    /// Its user creates it, under this name; we put our targets into it and touch nothing else. While it is
    /// absent it is waiting.
    #[default]
    Filled,
}

/// A target as wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// 0 to 65535; 100 is the default.
    pub weight: u32,
    /// The tags it must carry, one copy for all targets of an upstream.
    pub tags: Arc<Tags>,
}

/// A service as wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    /// The name of the upstream it leads to. Ours: patched whenever it differs.
    pub host: String,
    /// The tags that ours must carry.
    pub tags: Tags,
    /// Set at creation and kept: only what a template names.
    pub fields: Fields,
}

/// A route as wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// The name of the service it leads to.
    pub service: String,
    /// The tags that ours must carry.
    pub tags: Tags,
    /// Set at creation and kept.
    pub fields: Fields,
}
