//! The documents that polaris-sync and MSE Sync publish say here what they say there.

use std::{collections::BTreeMap, time::Duration};

use causeway::config::{
    self, Admin, Config, Copying, Destination, Dialect, Gateway, GatewayKind, Group, HealthCheck,
    KongTemplates, MatchEntry, Mode, Pattern, Policy, Registry, RegistryKind, Report, ReportKind,
    ReportTarget, Secret, Selector, SourceProtect, Task, Upkeep, ZookeeperLayout,
};

use crate::data;

const MINUTE: Duration = Duration::from_secs(60);

fn load(name: &str) -> config::Loaded {
    config::parse(&data(&format!("examples/{name}")), name, &|_| None).unwrap()
}

fn registry(name: &str, kind: RegistryKind, address: &str) -> Registry {
    Registry {
        name: name.to_owned(),
        kind,
        addresses: vec![address.to_owned()],
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
        namespaces: vec![],
        path: None,
        layout: ZookeeperLayout::Auto,
        root: None,
        lease: kind.default_lease(),
        persistent: false,
        session_timeout: None,
        tls: None,
        protect: SourceProtect { hold: MINUTE, max_shrink: 0.3, release_after: None },
    }
}

fn secret(text: &str) -> Option<Secret> {
    Some(Secret::new(text))
}

fn task(name: &str, source: &str, destination: Destination, matches: Vec<MatchEntry>) -> Task {
    Task {
        name: name.to_owned(),
        enable: true,
        policy: Policy::Own,
        delete: true,
        weight: Upkeep::default(),
        source: source.to_owned(),
        destination,
        mode: Mode::Unidirectional,
        matches,
        excludes: vec![],
        hold: MINUTE,
        dialect: Dialect::PolarisSync,
        copying: Copying::default(),
    }
}

fn entry(namespace: &str, service: Pattern) -> MatchEntry {
    MatchEntry {
        select: Selector { namespace: Pattern::literal(namespace), service },
        exclude: vec![],
        groups: vec![],
        kong: KongTemplates::default(),
        route: None,
        hold: MINUTE,
        group_by: None,
        split: None,
    }
}

fn group(name: &str, version: &str) -> Group {
    Group {
        name: name.to_owned(),
        metadata: BTreeMap::from([("version".to_owned(), version.to_owned())]),
        upstream_name: None,
    }
}

fn by_name<T>(things: Vec<T>, name: impl Fn(&T) -> String) -> BTreeMap<String, T> {
    things.into_iter().map(|thing| (name(&thing), thing)).collect()
}

/// What both of polaris-sync's examples end with.
fn polaris_sync(registries: Vec<Registry>, gateways: Vec<Gateway>, tasks: Vec<Task>) -> Config {
    Config {
        owner: "causeway".to_owned(),
        admin: Admin { listen: "127.0.0.1:8690".parse().unwrap(), token: None },
        registries: by_name(registries, |registry| registry.name.clone()),
        gateways: by_name(gateways, |gateway| gateway.name.clone()),
        tasks,
        watch: true,
        audit_interval: Some(MINUTE),
        health_check: HealthCheck {
            enable: true,
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
        },
        report: Report {
            interval: MINUTE,
            targets: vec![ReportTarget { kind: ReportKind::File, enable: true }],
        },
    }
}

#[test]
fn polaris_to_kong_with_two_groups() {
    let source = Registry {
        token: secret("123456"),
        ..registry("ins-3ad0f6e6", RegistryKind::Polaris, "127.0.0.1:8090")
    };
    let kong = Gateway {
        name: "kong".to_owned(),
        kind: GatewayKind::Kong,
        addresses: vec!["http://127.0.0.1:8001".to_owned()],
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
    };
    let groups = vec![group("version-1", "1.0.0"), group("version-2", "2.0.0")];
    let matches = vec![MatchEntry { groups, ..entry("default", Pattern::literal("test.service.3")) }];
    let task = task("polaris1", "ins-3ad0f6e6", Destination::Gateway("kong".to_owned()), matches);
    let loaded = load("polaris-sync-kong.json");
    assert_eq!(loaded.config, polaris_sync(vec![source], vec![kong], vec![task]));
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "polaris-sync-kong.json:16:17: tasks[0].destination.type: Causeway makes the service and upstreams that \
          Kong lacks, as polaris-sync's README says; its releases since 2023 fill existing upstreams only"
        ]
    );
}

#[test]
fn nacos_and_polaris_by_two_tasks() {
    let nacos = Registry {
        user: Some("nacos".to_owned()),
        password: secret("nacos"),
        ..registry("nacos1", RegistryKind::Nacos, "127.0.0.1:8848")
    };
    let polaris =
        Registry { token: secret("123456"), ..registry("polaris1", RegistryKind::Polaris, "127.0.0.1:8090") };
    let of = |namespace: &str| vec![entry(namespace, Pattern::literal("nacos.test.3"))];
    let to = |name: &str| Destination::Registry(name.to_owned());
    let there = task("nacos1-to-polaris1", "nacos1", to("polaris1"), of("empty_ns"));
    // What both call `empty_ns` there is `default` in Polaris' own words.
    let back = task("polaris1-to-nacos1", "polaris1", to("nacos1"), of("default"));
    let loaded = load("polaris-sync-two-way.json");
    assert_eq!(loaded.config, polaris_sync(vec![nacos, polaris], vec![], vec![there, back]));
    assert_eq!(loaded.warnings, []);
}

#[test]
fn two_nacos_clusters_both_ways() {
    let src = Registry {
        user: Some("nacos".to_owned()),
        password: secret("nacos"),
        namespaces: vec!["empty_ns".to_owned(), "test".to_owned()],
        ..registry("src", RegistryKind::Nacos, "127.0.0.1:8848")
    };
    let dst = Registry {
        access_key: secret("LTAI5xxxxxxxxxxxxxxxxx"),
        secret_key: secret("xxxxxxxxxxxxxxxxxxxxxx"),
        ..registry("dst", RegistryKind::Nacos, "127.0.0.1:8858")
    };
    let every = || Pattern::regex(".*").unwrap();
    let matches = vec![entry("empty_ns", every()), entry("test", every())];
    let task = Task {
        mode: Mode::Bidirectional,
        dialect: Dialect::MseSync,
        ..task("src-to-dst", "src", Destination::Registry("dst".to_owned()), matches)
    };
    let loaded = load("mse-sync.yaml");
    let expected = Config {
        report: Report { interval: MINUTE, targets: vec![] },
        ..polaris_sync(vec![src, dst], vec![], vec![task])
    };
    assert_eq!(loaded.config, expected);
    assert_eq!(loaded.warnings, []);
}
