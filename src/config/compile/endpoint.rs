//! Registries and gateways.

use std::{path::PathBuf, time::Duration};

use crate::config::{
    model::{Gateway, GatewayKind, Lease, Registry, RegistryKind, SourceProtect, Tls, ZookeeperLayout},
    written,
};

const MAX_SHRINK: f64 = 0.3;

impl Registry {
    /// A registry of which only name and type are known yet.
    pub(crate) fn bare(name: String, kind: RegistryKind) -> Self {
        let protect =
            SourceProtect { hold: kind.default_hold(), max_shrink: MAX_SHRINK, release_after: None };
        Self {
            name,
            kind,
            addresses: Vec::new(),
            user: None,
            password: None,
            token: None,
            access_key: None,
            secret_key: None,
            region: None,
            datacenter: None,
            filter: None,
            keep_case: false,
            poll_interval: None,
            domain: None,
            project: None,
            environment: None,
            namespaces: Vec::new(),
            path: None,
            layout: ZookeeperLayout::default(),
            root: None,
            lease: kind.default_lease(),
            persistent: false,
            session_timeout: None,
            tls: None,
            protect,
        }
    }
}

impl Gateway {
    /// A gateway of which only name and type are known yet.
    pub(crate) fn bare(name: String, kind: GatewayKind) -> Self {
        Self {
            name,
            kind,
            addresses: Vec::new(),
            token: None,
            workspace: None,
            ca_file: None,
            insecure_skip_verify: false,
            path: None,
            base: None,
            concurrency: 16,
            retire_after: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
        }
    }
}

/// Compiles a registry; `hold` is what the document's defaults say.
pub(super) fn registry(written: written::Registry, hold: Option<Duration>) -> Registry {
    match written {
        written::Registry::Polaris(polaris) => {
            Registry { token: polaris.token, ..server(polaris.server, RegistryKind::Polaris, hold) }
        }
        written::Registry::Nacos(nacos) => Registry {
            user: nacos.user,
            password: nacos.password,
            access_key: nacos.access_key,
            secret_key: nacos.secret_key,
            region: nacos.region,
            lease: Some(lease(nacos.lease, Lease::NACOS)),
            ..server(nacos.server, RegistryKind::Nacos, hold)
        },
        written::Registry::Consul(consul) => Registry {
            token: consul.token,
            datacenter: consul.datacenter,
            filter: consul.filter,
            ..server(consul.server, RegistryKind::Consul, hold)
        },
        written::Registry::Zookeeper(zookeeper) => self::zookeeper(zookeeper, hold),
        written::Registry::Eureka(eureka) => Registry {
            user: eureka.user,
            password: eureka.password,
            keep_case: eureka.keep_case.unwrap_or(false),
            poll_interval: eureka.poll_interval.map(|text| text.0),
            lease: Some(lease(eureka.lease, Lease::EUREKA)),
            ..server(eureka.server, RegistryKind::Eureka, hold)
        },
        written::Registry::ServiceCenter(center) => service_center(center, hold),
        written::Registry::File(file) => Registry {
            path: Some(PathBuf::from(file.path)),
            namespaces: file.namespaces,
            // What a file no longer says is intent, so general defaults don't reach it.
            protect: protect(file.protect, RegistryKind::File.default_hold()),
            ..Registry::bare(file.name, RegistryKind::File)
        },
    }
}

fn zookeeper(written: written::Zookeeper, hold: Option<Duration>) -> Registry {
    Registry {
        user: written.user,
        password: written.password,
        layout: written.layout.map(layout).unwrap_or_default(),
        root: written.root.map(|text| text.0),
        persistent: written.persistent.unwrap_or(false),
        session_timeout: written.session_timeout.map(|text| text.0),
        ..server(written.server, RegistryKind::Zookeeper, hold)
    }
}

fn service_center(written: written::ServiceCenter, hold: Option<Duration>) -> Registry {
    Registry {
        user: written.user,
        password: written.password,
        domain: written.domain,
        project: written.project,
        environment: written.environment,
        poll_interval: written.poll_interval.map(|text| text.0),
        lease: Some(lease(written.lease, Lease::SERVICE_CENTER)),
        ..server(written.server, RegistryKind::ServiceCenter, hold)
    }
}

fn server(written: written::Server, kind: RegistryKind, hold: Option<Duration>) -> Registry {
    Registry {
        addresses: written.addresses.into_iter().map(|text| text.0).collect(),
        namespaces: written.namespaces,
        tls: written.tls.map(tls),
        protect: protect(written.protect, hold.unwrap_or_else(|| kind.default_hold())),
        ..Registry::bare(written.name, kind)
    }
}

fn lease(written: written::Lease, standard: Lease) -> Lease {
    Lease {
        renew_every: written.renew_every.map_or(standard.renew_every, |text| text.0),
        expires_after: written.lease.map_or(standard.expires_after, |text| text.0),
    }
}

fn layout(written: written::ZookeeperLayout) -> ZookeeperLayout {
    match written {
        written::ZookeeperLayout::Auto => ZookeeperLayout::Auto,
        written::ZookeeperLayout::Dubbo => ZookeeperLayout::Dubbo,
        written::ZookeeperLayout::DubboApp => ZookeeperLayout::DubboApp,
        written::ZookeeperLayout::Curator => ZookeeperLayout::Curator,
        written::ZookeeperLayout::SpringCloud => ZookeeperLayout::SpringCloud,
    }
}

fn tls(written: written::Tls) -> Tls {
    Tls {
        ca_file: written.ca_file.map(PathBuf::from),
        insecure_skip_verify: written.insecure_skip_verify.unwrap_or(false),
    }
}

fn protect(written: Option<written::SourceProtect>, hold: Duration) -> SourceProtect {
    let Some(written) = written else {
        return SourceProtect { hold, max_shrink: MAX_SHRINK, release_after: None };
    };
    SourceProtect {
        hold: written.hold.map_or(hold, |text| text.0),
        max_shrink: written.max_shrink.unwrap_or(MAX_SHRINK),
        release_after: written.release_after.map(|text| text.0),
    }
}

pub(super) fn gateway(written: written::Gateway) -> Gateway {
    match written {
        written::Gateway::Kong(kong) => kong_api(kong),
        written::Gateway::KongFile(file) => {
            let bare = Gateway::bare(file.name, GatewayKind::KongFile);
            Gateway {
                path: Some(PathBuf::from(file.path)),
                base: file.base.map(PathBuf::from),
                retire_after: file.retire_after.map_or(bare.retire_after, |text| text.0),
                ..bare
            }
        }
    }
}

fn kong_api(written: written::KongApi) -> Gateway {
    let bare = Gateway::bare(written.name, GatewayKind::Kong);
    Gateway {
        addresses: written.addresses.into_iter().map(|text| text.0).collect(),
        token: written.token,
        workspace: written.workspace,
        ca_file: written.ca_file.map(PathBuf::from),
        insecure_skip_verify: written.insecure_skip_verify.unwrap_or(false),
        base: written.base.map(PathBuf::from),
        concurrency: written.concurrency.map_or(bare.concurrency, usize::from),
        retire_after: written.retire_after.map_or(bare.retire_after, |text| text.0),
        connect_timeout: written.connect_timeout.map_or(bare.connect_timeout, |text| text.0),
        timeout: written.timeout.map_or(bare.timeout, |text| text.0),
        ..bare
    }
}
