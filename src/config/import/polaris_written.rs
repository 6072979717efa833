//! polaris-sync's document: the messages of its `registry.proto` and `model.proto` in protobuf's JSON. Every
//! field may be left out there, which means its zero; unknown keys are refused.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::secret::Secret;

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) tasks: Vec<Task>,
    pub(super) methods: Vec<Method>,
    pub(super) health_check: HealthCheck,
    pub(super) report: Report,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct Task {
    pub(super) name: String,
    pub(super) enable: bool,
    pub(super) source: Endpoint,
    pub(super) destination: Endpoint,
    pub(super) r#match: Vec<Match>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct Endpoint {
    pub(super) name: String,
    pub(super) r#type: EndpointType,
    pub(super) addresses: Vec<String>,
    pub(super) token: Option<Secret>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    /// A label of polaris-sync's own health reports.
    #[serde(rename = "product_name")]
    pub(super) _product_name: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum EndpointType {
    #[default]
    Unknown,
    Nacos,
    Consul,
    Polaris,
    Kong,
    Kubernetes,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct Match {
    pub(super) namespace: String,
    pub(super) service: String,
    pub(super) groups: Vec<Group>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) metadata: BTreeMap<String, String>,
    #[serde(rename = "upstreamName")]
    pub(super) upstream_name: String,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct Method {
    pub(super) r#type: MethodType,
    pub(super) enable: bool,
    pub(super) interval: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum MethodType {
    #[default]
    Unknown,
    Watch,
    Pull,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct HealthCheck {
    pub(super) enable: bool,
    pub(super) interval: String,
    pub(super) timeout: String,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct Report {
    pub(super) interval: String,
    pub(super) targets: Vec<ReportTarget>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct ReportTarget {
    pub(super) enable: bool,
    pub(super) r#type: ReportType,
    /// Settings of the kinds that Causeway doesn't have.
    #[serde(rename = "options")]
    pub(super) _options: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ReportType {
    #[default]
    Unknown,
    File,
    Prometheus,
    Balad,
}
