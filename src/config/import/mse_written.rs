//! MSE Sync's document, as Aliyun publishes its form.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::{
    formats::{Address, JavaRegex, Text},
    secret::Secret,
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Document {
    #[serde(default)]
    pub(super) clusters: Vec<Cluster>,
    #[serde(default)]
    pub(super) tasks: Vec<Task>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(super) struct Cluster {
    #[schemars(length(min = 1))]
    pub(super) cluster_name: String,
    #[schemars(length(min = 1))]
    pub(super) connect_key_list: Vec<Text<Address>>,
    pub(super) cluster_type: ClusterType,
    /// A comma list; empty on a source: every namespace.
    pub(super) namespace: Option<String>,
    pub(super) user_name: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) ak: Option<Secret>,
    pub(super) sk: Option<Secret>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum ClusterType {
    Nacos,
    Zookeeper,
    Eureka,
    Consul,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(super) struct Task {
    pub(super) source: String,
    pub(super) destination: String,
    #[serde(default)]
    pub(super) r#type: Carried,
    #[serde(default)]
    pub(super) mode: Mode,
    /// A whole-string regular expression; default: every service.
    pub(super) service_match_pattern: Option<Text<JavaRegex>>,
    #[serde(rename = "autoScanAndAddService")]
    pub(super) _auto_scan_and_add_service: Option<bool>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub(super) enum Carried {
    #[default]
    Service,
    Config,
    All,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub(super) enum Mode {
    #[default]
    Unidirectional,
    Bidirectional,
}
