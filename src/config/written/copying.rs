//! What only a task between two registries has.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::formats::{NacosGroup, RenamePattern, Text};

/// How services are carried from registry to registry. A gateway's task has none of these keys.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Copying {
    /// The Nacos group of services that come without one. Default: Nacos' own, DEFAULT_GROUP.
    pub(crate) group: Option<Text<NacosGroup>>,
    /// Namespaces of the source, each with that of the destination which its services are carried into, one to one. All
    /// others keep their names.
    #[serde(default)]
    pub(crate) namespace_map: BTreeMap<String, String>,
    /// Services that are called otherwise at the destination: the first entry that fits is taken.
    #[serde(default)]
    pub(crate) rename: Vec<Rename>,
    /// What becomes of the copies when Causeway ends. Default: keep.
    pub(crate) on_stop: Option<OnStop>,
    /// Of `mode: bidirectional`: which directions run. Default: both.
    pub(crate) directions: Option<Directions>,
}

/// Another name for services. On the way back of a bidirectional task it is taken back.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Rename {
    /// The whole name at the source, in which one `*` may stand for any run of characters.
    pub(crate) from: Text<RenamePattern>,
    /// The name at the destination, with a `*` for the same characters where `from` has one.
    pub(crate) to: Text<RenamePattern>,
}

/// What becomes of copies when Causeway ends.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnStop {
    /// They stay for as long as their registry keeps them, so that another start goes on with them.
    Keep,
    /// They are removed.
    Withdraw,
}

/// Which directions of a bidirectional task run. Copies of one that is off are neither renewed nor removed.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Directions {
    /// From source to destination. Default: true.
    pub(crate) there: Option<bool>,
    /// From destination to source. Default: true.
    pub(crate) back: Option<bool>,
}
