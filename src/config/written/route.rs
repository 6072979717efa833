//! Routes as they are written.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::config::formats::{GroupText, HostTemplate, HttpMethod, PathTemplate, ServiceText, Text};

/// The route that Kong gets for each service. What is named here is owned, an empty list too; all else is its user's
/// once the route is made.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Route {
    /// `false`: no route here, whatever a farther `route` says. Default: true.
    pub(crate) enable: Option<bool>,
    /// Paths, any of which a request may have.
    pub(crate) paths: Option<Vec<Text<PathTemplate>>>,
    /// Hosts, any of which a request may be for.
    pub(crate) hosts: Option<Vec<Text<HostTemplate>>>,
    /// Methods, any of which a request may have.
    pub(crate) methods: Option<Vec<Text<HttpMethod>>>,
    /// Headers that a request must all have, each with one of its values.
    pub(crate) headers: Option<BTreeMap<String, Values>>,
    /// Headers by which a request chooses an instance group: each group gets a route, and a service, of its own.
    pub(crate) group_headers: Option<BTreeMap<String, Text<GroupText>>>,
    /// Whether the path that matched is taken off the request's. Kong's default: true.
    pub(crate) strip_path: Option<bool>,
    /// Whether the request's own host is passed on. Kong's default: false.
    pub(crate) preserve_host: Option<bool>,
    /// Kong's default: http and https.
    #[schemars(length(min = 1))]
    pub(crate) protocols: Option<Vec<Protocol>>,
    /// Of several regular expressions that match, the one of the highest priority counts. Kong's default: 0.
    pub(crate) regex_priority: Option<i64>,
    /// What is answered when all matches but the protocol. Kong's default: 426.
    pub(crate) https_redirect_status_code: Option<RedirectStatus>,
    /// How the paths of service, route and request are joined. Kong's default: v0.
    pub(crate) path_handling: Option<PathHandling>,
    /// Whether Kong reads a request's body before it passes it on. Kong's default: true.
    pub(crate) request_buffering: Option<bool>,
    /// Whether Kong reads an answer's body before it passes it on. Kong's default: true.
    pub(crate) response_buffering: Option<bool>,
}

impl Route {
    /// This route, with what a nearer one names in place of its own.
    pub(crate) fn under(self, nearer: &Self) -> Self {
        let nearer = nearer.clone();
        Self {
            enable: nearer.enable.or(self.enable),
            paths: nearer.paths.or(self.paths),
            hosts: nearer.hosts.or(self.hosts),
            methods: nearer.methods.or(self.methods),
            headers: nearer.headers.or(self.headers),
            group_headers: nearer.group_headers.or(self.group_headers),
            strip_path: nearer.strip_path.or(self.strip_path),
            preserve_host: nearer.preserve_host.or(self.preserve_host),
            protocols: nearer.protocols.or(self.protocols),
            regex_priority: nearer.regex_priority.or(self.regex_priority),
            https_redirect_status_code: nearer.https_redirect_status_code.or(self.https_redirect_status_code),
            path_handling: nearer.path_handling.or(self.path_handling),
            request_buffering: nearer.request_buffering.or(self.request_buffering),
            response_buffering: nearer.response_buffering.or(self.response_buffering),
        }
    }
}

/// One value, or several of which any will do.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Values {
    One(Text<ServiceText>),
    Several(Vec<Text<ServiceText>>),
}

/// Kong's protocols of routes that are matched by path, host, method or header.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    Http,
    Https,
    Grpc,
    Grpcs,
}

/// How paths are joined.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PathHandling {
    V0,
    V1,
}

/// A status that Kong takes for a redirection to https.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(transparent)]
pub(crate) struct RedirectStatus(pub(crate) u16);

impl JsonSchema for RedirectStatus {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "RedirectStatus".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "enum": [426, 301, 302, 307, 308] })
    }
}
