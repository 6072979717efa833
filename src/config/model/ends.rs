//! Registries and gateways.

use std::{path::PathBuf, time::Duration};

use crate::config::secret::Secret;

/// The types of registry that a configuration may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegistryKind {
    /// Polaris (PolarisMesh, Tencent TSE).
    Polaris,
    /// Nacos 2.x and 3.x, Aliyun MSE.
    Nacos,
    /// Netflix Eureka.
    Eureka,
    /// HashiCorp Consul.
    Consul,
    /// Apache ZooKeeper in one of the layouts that frameworks write.
    Zookeeper,
    /// Apache ServiceComb service-center.
    ServiceCenter,
    /// Services and instances in a YAML or JSON file or folder.
    File,
}

impl RegistryKind {
    /// Every type.
    pub const ALL: [Self; 7] = [
        Self::Polaris,
        Self::Nacos,
        Self::Eureka,
        Self::Consul,
        Self::Zookeeper,
        Self::ServiceCenter,
        Self::File,
    ];

    /// The word of the configuration, of status and of tags.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Polaris => "polaris",
            Self::Nacos => "nacos",
            Self::Eureka => "eureka",
            Self::Consul => "consul",
            Self::Zookeeper => "zookeeper",
            Self::ServiceCenter => "servicecenter",
            Self::File => "file",
        }
    }

    /// A namespace as it stands in this registry's service keys. Other tools write default namespaces in words of their own:
    /// `empty_ns` is Polaris' `default`, and `public` is Nacos' `empty_ns`.
    #[must_use]
    pub fn namespace(self, written: &str) -> &str {
        match (self, written) {
            (Self::Polaris, "empty_ns") => "default",
            (Self::Nacos, "public") => "empty_ns",
            _ => written,
        }
    }

    /// Free Consul, Eureka and ZooKeeper have no namespaces: a label stands for the one that all their services are in.
    #[must_use]
    pub fn has_one_namespace(self) -> bool {
        matches!(self, Self::Consul | Self::Eureka | Self::Zookeeper)
    }

    /// The default namespace of one that has no other label for it.
    #[must_use]
    pub fn default_namespace(self) -> &'static str {
        if self == Self::Nacos { "empty_ns" } else { "default" }
    }

    /// How copies that are written to it live when nothing else is configured; none where they don't live on leases of their own.
    #[must_use]
    pub fn default_lease(self) -> Option<Lease> {
        match self {
            Self::Nacos => Some(Lease::NACOS),
            Self::Eureka => Some(Lease::EUREKA),
            Self::ServiceCenter => Some(Lease::SERVICE_CENTER),
            Self::Polaris | Self::Consul | Self::Zookeeper | Self::File => None,
        }
    }

    /// How long a vanished instance is held when nothing else is configured: as long as the registry's
    /// own recovery takes. What a file no longer says is intent, so there it is zero.
    #[must_use]
    pub fn default_hold(self) -> Duration {
        Duration::from_secs(match self {
            Self::Polaris | Self::Nacos | Self::Zookeeper => 60,
            Self::Consul => 90,
            Self::Eureka | Self::ServiceCenter => 150,
            Self::File => 0,
        })
    }
}

/// How a copy that is written to a registry is kept alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Time between two renewals.
    pub renew_every: Duration,
    /// After so long without one the registry takes the copy for dead; more than one renewal may be late or lost.
    pub expires_after: Duration,
}

impl Lease {
    /// Long enough that a copy outlives a restart of Causeway, or a minute without it.
    pub const NACOS: Self = Self::of(20, 60);
    /// What servers reckon with when they judge how many renewals are missing.
    pub const EUREKA: Self = Self::of(30, 90);
    /// What applications' own clients keep.
    pub const SERVICE_CENTER: Self = Self::of(30, 120);

    const fn of(renew_every: u64, expires_after: u64) -> Self {
        Self {
            renew_every: Duration::from_secs(renew_every),
            expires_after: Duration::from_secs(expires_after),
        }
    }
}

/// How services are laid out in a ZooKeeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ZookeeperLayout {
    /// By what is found: Dubbo's interfaces, and Curator's entries by whichever framework wrote each.
    #[default]
    Auto,
    /// Dubbo's interface level.
    Dubbo,
    /// Dubbo's application level.
    DubboApp,
    /// Curator's service discovery, whoever uses it.
    Curator,
    /// Spring Cloud Zookeeper.
    SpringCloud,
}

/// A registry and how to reach it.
#[derive(Debug, Clone, PartialEq)]
pub struct Registry {
    /// Its name, unique among registries and gateways.
    pub name: String,
    /// Its type.
    pub kind: RegistryKind,
    /// Its servers as written (`host:port`, `http://…`, `https://…`, `grpc://…`), at least one but for a
    /// file. They carry no user or password.
    pub addresses: Vec<String>,
    /// The user's name.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// A token in place of user and password.
    pub token: Option<Secret>,
    /// The id of an access key (Aliyun MSE).
    pub access_key: Option<Secret>,
    /// The secret half of that key.
    pub secret_key: Option<Secret>,
    /// The region that newer signatures of an access key need.
    pub region: Option<String>,
    /// The datacenter to read (Consul); none means that of the server.
    pub datacenter: Option<String>,
    /// An expression in the registry's own language that instances must fit (Consul).
    pub filter: Option<String>,
    /// Services keep the capitals that the server gives their names (Eureka).
    pub keep_case: bool,
    /// Time between two readings of what has to be polled (Eureka); none means the type's own.
    pub poll_interval: Option<Duration>,
    /// The domain to read (service-center); none means the server's default one.
    pub domain: Option<String>,
    /// The domain's project to read (service-center); none means the server's default one.
    pub project: Option<String>,
    /// The environment to read (service-center); none means the one without a name.
    pub environment: Option<String>,
    /// The namespaces to read; empty means all that the registry lists.
    pub namespaces: Vec<String>,
    /// The file or folder of a `file` registry, relative to the working directory.
    pub path: Option<PathBuf>,
    /// How a ZooKeeper's nodes are read.
    pub layout: ZookeeperLayout,
    /// The node under which a ZooKeeper's services stand, without a slash at the end; none means the layout's own.
    pub root: Option<String>,
    /// How copies that are written here live; none where they don't live on leases of their own.
    pub lease: Option<Lease>,
    /// Copies that are written to a ZooKeeper stay until they are removed, whoever wrote them.
    pub persistent: bool,
    /// How long copies that are written to a ZooKeeper outlive the connection, where they aren't persistent; none means the type's own.
    pub session_timeout: Option<Duration>,
    /// Set when the connection is to be encrypted whatever the scheme of the addresses.
    pub tls: Option<Tls>,
    /// What bounds removals that this source causes.
    pub protect: SourceProtect,
}

impl Registry {
    /// Whether copies can never be written to it: a file, or services that are more than their instances.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        match self.kind {
            RegistryKind::File => true,
            RegistryKind::Zookeeper => self.layout == ZookeeperLayout::DubboApp,
            _ => false,
        }
    }
}

/// How the server's certificate is judged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// PEM file of the authorities to trust in place of the public ones.
    pub ca_file: Option<PathBuf>,
    /// Accept any certificate. For trials.
    pub insecure_skip_verify: bool,
}

/// The guard's settings that belong to a source, since the breaker is the source's.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceProtect {
    /// How long what has vanished is held; a task or match may say otherwise.
    pub hold: Duration,
    /// The share of all levels whose loss opens the breaker (0 to 1).
    pub max_shrink: f64,
    /// After how long an open breaker releases by itself; none means never.
    pub release_after: Option<Duration>,
}

/// The types of gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GatewayKind {
    /// Kong's Admin API, with a database or DB-less.
    Kong,
    /// A `kong.yml` in decK's format.
    KongFile,
}

impl GatewayKind {
    /// The word of the configuration and of status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kong => "kong",
            Self::KongFile => "kong-file",
        }
    }
}

/// A gateway and how to reach it.
#[derive(Debug, Clone, PartialEq)]
pub struct Gateway {
    /// Its name, unique among registries and gateways.
    pub name: String,
    /// Its type.
    pub kind: GatewayKind,
    /// URLs of the Admin API, scheme included (`host:port` has become `http://host:port`), without a
    /// slash at the end; at least one for `kong`.
    pub addresses: Vec<String>,
    /// Sent as `Kong-Admin-Token`.
    pub token: Option<Secret>,
    /// Kong's workspace; none means the default one.
    pub workspace: Option<String>,
    /// PEM file of the authorities to trust in place of the public ones.
    pub ca_file: Option<PathBuf>,
    /// Accept any certificate. For trials.
    pub insecure_skip_verify: bool,
    /// The file that a `kong-file` writes, relative to the working directory.
    pub path: Option<PathBuf>,
    /// A declarative document with the parts that aren't Causeway's.
    pub base: Option<PathBuf>,
    /// How many requests may be under way at once.
    pub concurrency: usize,
    /// How long an upstream is kept after it was last wanted.
    pub retire_after: Duration,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long to wait for an answer, connecting included.
    pub timeout: Duration,
}
