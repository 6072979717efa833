//! A checked native document becomes the compiled configuration.

mod copying;
mod endpoint;
mod kong;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use self::{
    endpoint::{gateway, registry},
    kong::{layered, route},
};
use super::{
    model::{
        Admin, Config, Destination, Dialect, Gateway, Group, GroupBy, HealthCheck, MatchEntry, Mode, Policy,
        Registry, RegistryKind, Report, ReportKind, ReportTarget, Selector, Task, Upkeep,
    },
    pattern::Pattern,
    written::{self, Document, MethodKind},
};

/// Where the admin server listens when nothing else is said.
pub(crate) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8690);
/// Time between two audits of a native document.
pub(crate) const AUDIT_INTERVAL: Duration = Duration::from_secs(60);
pub(crate) const PROBE_INTERVAL: Duration = Duration::from_secs(10);
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// How many groups a service has at most, when there is a `group_by`.
const MAX_GROUPS: usize = 16;
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// Registries and gateways by name, as they are gathered.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    pub(crate) registries: BTreeMap<String, Registry>,
    pub(crate) gateways: BTreeMap<String, Gateway>,
}

/// A name that is there already stands for the same thing, or for something that isn't used.
impl Ends {
    pub(crate) fn add_registry(&mut self, registry: Registry) -> String {
        let name = registry.name.clone();
        self.registries.entry(name.clone()).or_insert(registry);
        name
    }

    pub(crate) fn add_gateway(&mut self, gateway: Gateway) -> String {
        let name = gateway.name.clone();
        self.gateways.entry(name.clone()).or_insert(gateway);
        name
    }

    fn destination(&self, name: String) -> Destination {
        if self.gateways.contains_key(&name) {
            Destination::Gateway(name)
        } else {
            Destination::Registry(name)
        }
    }

    /// How long what vanishes from this registry is held, when no task says otherwise.
    pub(crate) fn hold_of(&self, source: &str) -> Duration {
        self.registries.get(source).map_or(Duration::ZERO, |registry| registry.protect.hold)
    }
}

/// Compiles a native document in which every name is known to resolve.
pub(crate) fn compile(document: Document) -> Config {
    let defaults = document.defaults;
    let mut ends = Ends::default();
    for written in document.registries {
        ends.add_registry(registry(written, hold(&defaults)));
    }
    for written in document.gateways {
        ends.add_gateway(gateway(written));
    }
    let tasks = document.tasks.into_iter().map(|written| task(written, &defaults, &mut ends)).collect();
    let (watch, audit_interval) = methods(document.methods);
    Config {
        owner: document.owner,
        admin: Admin {
            listen: document.admin.listen.map_or(DEFAULT_LISTEN, |listen| listen.0),
            token: document.admin.token,
        },
        registries: ends.registries,
        gateways: ends.gateways,
        tasks,
        watch,
        audit_interval,
        health_check: health_check(document.health_check),
        report: report(document.report),
    }
}

fn task(written: written::Task, defaults: &written::Shared, ends: &mut Ends) -> Task {
    let source = match written.source {
        written::Source::Name(name) => name,
        written::Source::Inline(inline) => ends.add_registry(registry(*inline, hold(defaults))),
    };
    let destination = match written.destination {
        written::Destination::Name(name) => ends.destination(name),
        written::Destination::Registry(inline) => {
            Destination::Registry(ends.add_registry(registry(*inline, hold(defaults))))
        }
        written::Destination::Gateway(inline) => Destination::Gateway(ends.add_gateway(gateway(*inline))),
    };
    let hold = hold(&written.shared).unwrap_or_else(|| ends.hold_of(&source));
    let kind_of = |name: &str| ends.registries.get(name).map(|registry| registry.kind);
    let kind = kind_of(&source);
    let copying = copying::copying(written.copying, kind, kind_of(destination.name()));
    let farther = [defaults, &written.shared];
    let excludes = defaults.exclude.iter().chain(&written.shared.exclude).cloned().map(selector).collect();
    let compiled = Task {
        name: written.name,
        enable: written.enable.unwrap_or(true),
        policy: policy(written.policy),
        delete: written.delete.unwrap_or(true),
        weight: written.fields.weight.map_or_else(Upkeep::default, upkeep),
        source,
        destination,
        mode: mode(written.mode),
        matches: written.r#match.into_iter().map(|entry| match_entry(entry, farther, hold)).collect(),
        excludes,
        hold,
        dialect: Dialect::Native,
        copying,
    };
    kind.into_iter().fold(compiled, in_words_of)
}

/// The namespaces that are written out, as the source has them.
fn in_words_of(mut task: Task, kind: RegistryKind) -> Task {
    let entries =
        task.matches.iter_mut().flat_map(|entry| entry.exclude.iter_mut().chain([&mut entry.select]));
    for selector in entries.chain(&mut task.excludes) {
        if let Some(written) = selector.namespace.exact() {
            selector.namespace = Pattern::literal(kind.namespace(written).to_owned());
        }
    }
    task
}

/// `farther` are the defaults and the task.
fn match_entry(
    written: written::MatchEntry,
    farther: [&written::Shared; 2],
    task_hold: Duration,
) -> MatchEntry {
    let [defaults, task] = farther;
    let layers = [defaults, task, &written.shared];
    let (kong, route) = (layered(layers), route(layers));
    let (group_by, split) = (group_by(layers), split(layers));
    MatchEntry {
        select: selector(written.select),
        hold: hold(&written.shared).unwrap_or(task_hold),
        kong,
        route,
        exclude: written.shared.exclude.into_iter().map(selector).collect(),
        groups: written.groups.into_iter().map(group).collect(),
        group_by,
        split,
    }
}

/// What the nearest layer says that says anything; the nearest comes last.
fn nearest<'s, T>(
    layers: [&'s written::Shared; 3],
    says: impl Fn(&'s written::Shared) -> Option<T>,
) -> Option<T> {
    layers.into_iter().rev().find_map(says)
}

fn group_by(layers: [&written::Shared; 3]) -> Option<GroupBy> {
    let key = nearest(layers, |shared| shared.group_by.clone()).filter(|key| !key.is_empty())?;
    let max_groups = nearest(layers, |shared| shared.max_groups).map_or(MAX_GROUPS, usize::from);
    Some(GroupBy { key, max_groups })
}

fn split(layers: [&written::Shared; 3]) -> Option<BTreeMap<String, f64>> {
    let shares = nearest(layers, |shared| shared.split.as_ref()).filter(|shares| !shares.is_empty())?;
    Some(shares.iter().map(|(group, share)| (group.clone(), share.0)).collect())
}

fn selector(written: written::Selection) -> Selector {
    let service =
        written.service_pattern.map(|pattern| pattern.0).or(written.service.map(|service| service.0));
    Selector {
        namespace: written.namespace.map_or_else(Pattern::any, |namespace| namespace.0),
        service: service.unwrap_or_else(Pattern::any),
    }
}

fn group(written: written::Group) -> Group {
    Group { name: written.name, metadata: written.metadata, upstream_name: written.upstream_name }
}

fn hold(shared: &written::Shared) -> Option<Duration> {
    shared.protect.as_ref()?.hold.as_ref().map(|hold| hold.0)
}

fn policy(written: written::Policy) -> Policy {
    match written {
        written::Policy::Observe => Policy::Observe,
        written::Policy::Fill => Policy::Fill,
        written::Policy::Own => Policy::Own,
    }
}

fn upkeep(written: written::Upkeep) -> Upkeep {
    match written {
        written::Upkeep::Kept => Upkeep::Kept,
        written::Upkeep::CreateOnly => Upkeep::CreateOnly,
    }
}

fn mode(written: written::Mode) -> Mode {
    match written {
        written::Mode::Unidirectional => Mode::Unidirectional,
        written::Mode::Bidirectional => Mode::Bidirectional,
    }
}

/// Whether to watch, and how often to audit: both when nothing is said, else only what is listed.
fn methods(written: Option<Vec<written::Method>>) -> (bool, Option<Duration>) {
    let Some(methods) = written else { return (true, Some(AUDIT_INTERVAL)) };
    let on = |kind: MethodKind| {
        methods.iter().find(|method| method.r#type == kind && method.enable.unwrap_or(true))
    };
    let interval = |pull: &written::Method| pull.interval.as_ref().map_or(AUDIT_INTERVAL, |text| text.0);
    (on(MethodKind::Watch).is_some(), on(MethodKind::Pull).map(interval))
}

fn health_check(written: written::HealthCheck) -> HealthCheck {
    HealthCheck {
        interval: written.interval.map_or(PROBE_INTERVAL, |text| text.0),
        timeout: written.timeout.map_or(PROBE_TIMEOUT, |text| text.0),
        enable: written.enable.unwrap_or(true),
    }
}

fn report(written: written::Report) -> Report {
    let target = |target: written::ReportTarget| match target.r#type {
        written::ReportKind::File => {
            ReportTarget { kind: ReportKind::File, enable: target.enable.unwrap_or(true) }
        }
    };
    Report {
        interval: written.interval.map_or(REPORT_INTERVAL, |text| text.0),
        targets: written.targets.into_iter().map(target).collect(),
    }
}
