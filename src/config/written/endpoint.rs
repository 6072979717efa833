//! Registries and gateways as they are written: each type has the keys that mean something to it.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::{
    formats::{Address, KongUrl, Length, NodePath, Period, Text},
    secret::Secret,
};

/// A discovery server, or a file in place of one.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Registry {
    Polaris(Polaris),
    Nacos(Nacos),
    Eureka(Eureka),
    Consul(Consul),
    Zookeeper(Zookeeper),
    ServiceCenter(ServiceCenter),
    File(File),
}

/// A Polaris server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Polaris {
    #[serde(flatten)]
    pub(crate) server: Server,
    /// The token of a user who may read (and, as a destination, write).
    pub(crate) token: Option<Secret>,
}

/// A Nacos server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Nacos {
    #[serde(flatten)]
    pub(crate) server: Server,
    /// The user to log in as.
    pub(crate) user: Option<String>,
    /// That user's password.
    pub(crate) password: Option<Secret>,
    /// The id of an access key (Aliyun MSE).
    pub(crate) access_key: Option<Secret>,
    /// The secret half of the access key.
    pub(crate) secret_key: Option<Secret>,
    /// The region that newer signatures of an access key need.
    pub(crate) region: Option<String>,
    #[serde(flatten)]
    pub(crate) lease: Lease,
}

/// A Eureka server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Eureka {
    #[serde(flatten)]
    pub(crate) server: Server,
    /// The user of basic authentication.
    pub(crate) user: Option<String>,
    /// That user's password.
    pub(crate) password: Option<Secret>,
    /// Name services in capitals, as the server does. Default: false, in small letters.
    pub(crate) keep_case: Option<bool>,
    /// Time between two readings. Default: 5s.
    pub(crate) poll_interval: Option<Text<Period>>,
    #[serde(flatten)]
    pub(crate) lease: Lease,
}

/// An Apache ServiceComb service-center.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct ServiceCenter {
    #[serde(flatten)]
    pub(crate) server: Server,
    /// The account to log in as.
    pub(crate) user: Option<String>,
    /// That account's password.
    pub(crate) password: Option<Secret>,
    /// The domain (tenant) to read. Default: `default`.
    #[schemars(length(min = 1))]
    pub(crate) domain: Option<String>,
    /// The domain's project to read. Default: `default`.
    #[schemars(length(min = 1))]
    pub(crate) project: Option<String>,
    /// The environment to read, such as `production`. Default: the one without a name.
    pub(crate) environment: Option<String>,
    /// Time between two readings. Default: 250ms.
    pub(crate) poll_interval: Option<Text<Period>>,
    #[serde(flatten)]
    pub(crate) lease: Lease,
}

/// A Consul server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Consul {
    #[serde(flatten)]
    pub(crate) server: Server,
    /// An ACL token.
    pub(crate) token: Option<Secret>,
    /// The datacenter to read. Default: that of the server.
    #[schemars(length(min = 1))]
    pub(crate) datacenter: Option<String>,
    /// An expression of Consul's filter language that instances must fit, such as `Service.Meta.tier == "web"`.
    #[schemars(length(min = 1))]
    pub(crate) filter: Option<String>,
}

/// A ZooKeeper ensemble.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Zookeeper {
    #[serde(flatten)]
    pub(crate) server: Server,
    /// The user of the `digest` scheme.
    pub(crate) user: Option<String>,
    /// That user's password.
    pub(crate) password: Option<Secret>,
    /// How services are laid out. Default: auto, by what is found.
    pub(crate) layout: Option<ZookeeperLayout>,
    /// The node under which they stand. Default: /dubbo for Dubbo's interfaces, /services for all others.
    pub(crate) root: Option<Text<NodePath>>,
    /// Copies that are written here stay until they are removed. Default: false, they go with the session that keeps them.
    pub(crate) persistent: Option<bool>,
    /// How long copies that are written here outlive a lost connection or a Causeway that was killed; servers allow 2 to 20
    /// of their ticks. Default: 30s.
    pub(crate) session_timeout: Option<Text<Period>>,
}

/// How copies that are written to a registry are kept alive.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Lease {
    /// Time between two renewals of a copy that is written here. Default: 20s for Nacos, 30s for Eureka and service-center.
    pub(crate) renew_every: Option<Text<Period>>,
    /// After so long without a renewal the registry takes such a copy for dead. Default: 60s for Nacos (which lists it for half
    /// as long again, as unhealthy), 90s for Eureka, 120s for service-center.
    pub(crate) lease: Option<Text<Period>>,
}

/// How services are laid out in a ZooKeeper.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ZookeeperLayout {
    Auto,
    Dubbo,
    DubboApp,
    Curator,
    SpringCloud,
}

/// What every registry server has.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Server {
    /// Its name, by which tasks call it.
    #[schemars(length(min = 1))]
    pub(crate) name: String,
    /// Its servers.
    #[schemars(length(min = 1))]
    pub(crate) addresses: Vec<Text<Address>>,
    /// The namespaces to read. Default: all that the registry lists.
    #[serde(default)]
    pub(crate) namespaces: Vec<String>,
    /// Encrypt the connection.
    pub(crate) tls: Option<Tls>,
    /// The guard's settings for this source.
    pub(crate) protect: Option<SourceProtect>,
}

/// How the server's certificate is judged.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Tls {
    /// PEM file of the authorities to trust in place of the public ones.
    pub(crate) ca_file: Option<String>,
    /// Accept any certificate. For trials. Default: false.
    pub(crate) insecure_skip_verify: Option<bool>,
}

/// The guard's settings for a source.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct SourceProtect {
    /// How long what has vanished is held. Default: 60s for Nacos, Polaris and ZooKeeper, 90s for Consul,
    /// 150s for Eureka and service-center, 0s for a file.
    pub(crate) hold: Option<Text<Length>>,
    /// The share of all instances whose loss stops removals. Default: 0.3.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) max_shrink: Option<f64>,
    /// After how long such a stop ends by itself. Default: never.
    pub(crate) release_after: Option<Text<Period>>,
}

/// Services and instances in a file or folder.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct File {
    /// Its name, by which tasks call it.
    #[schemars(length(min = 1))]
    pub(crate) name: String,
    /// The file or folder, relative to the working directory.
    #[schemars(length(min = 1))]
    pub(crate) path: String,
    /// The namespaces to read. Default: all.
    #[serde(default)]
    pub(crate) namespaces: Vec<String>,
    /// The guard's settings for this source.
    pub(crate) protect: Option<SourceProtect>,
}

/// A place where projected services live.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(crate) enum Gateway {
    Kong(KongApi),
    KongFile(KongFile),
}

/// Kong by its Admin API.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct KongApi {
    /// Its name, by which tasks call it.
    #[schemars(length(min = 1))]
    pub(crate) name: String,
    /// URLs of the Admin API.
    #[schemars(length(min = 1))]
    pub(crate) addresses: Vec<Text<KongUrl>>,
    /// Sent as `Kong-Admin-Token`.
    pub(crate) token: Option<Secret>,
    /// Kong's workspace. Default: Kong's own default one.
    pub(crate) workspace: Option<String>,
    /// PEM file of the authorities to trust in place of the public ones.
    pub(crate) ca_file: Option<String>,
    /// Accept any certificate. For trials. Default: false.
    pub(crate) insecure_skip_verify: Option<bool>,
    /// Without a database: a declarative document with the parts that aren't Causeway's.
    pub(crate) base: Option<String>,
    /// How many requests may be under way at once. Default: 16.
    #[schemars(range(min = 1, max = 256))]
    pub(crate) concurrency: Option<u16>,
    /// How long an upstream is kept after it was last wanted. Default: 15s.
    pub(crate) retire_after: Option<Text<Length>>,
    /// How long to wait for a connection. Default: 5s.
    pub(crate) connect_timeout: Option<Text<Period>>,
    /// How long to wait for an answer. Default: 30s.
    pub(crate) timeout: Option<Text<Period>>,
}

/// A kong.yml in decK's format.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct KongFile {
    /// Its name, by which tasks call it.
    #[schemars(length(min = 1))]
    pub(crate) name: String,
    /// The file to write, relative to the working directory.
    #[schemars(length(min = 1))]
    pub(crate) path: String,
    /// A declarative document with the parts that aren't Causeway's.
    pub(crate) base: Option<String>,
    /// How long an upstream is kept after it was last wanted. Default: 15s.
    pub(crate) retire_after: Option<Text<Length>>,
}
