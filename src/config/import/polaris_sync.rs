//! polaris-sync's documents by polaris-sync's rules, read in its sources of October 2023:
//!
//! - what is absent is zero: without `enable` a task, method or target is off;
//! - only enabled tasks are looked at (`ConfigUtils.verifyTasks`);
//! - names are exact; an entry with nothing in it is skipped;
//! - a duration of digits only is in milliseconds, and one that isn't understood is the default
//!   (`DurationUtils`), for `pull` five minutes.

mod verify;

use std::time::Duration;

use super::{
    polaris_written::{self as written, Endpoint, EndpointType, MethodType, ReportType},
    read_as,
};
use crate::config::{
    compile::{DEFAULT_LISTEN, Ends, PROBE_INTERVAL, PROBE_TIMEOUT, REPORT_INTERVAL},
    duration,
    formats::{Address, Form, KongUrl},
    mistakes::Findings,
    model::{
        Admin, Config, Destination, Dialect, Gateway, GatewayKind, Group, HealthCheck, MatchEntry, Registry,
        RegistryKind, Report, ReportKind, ReportTarget, Selector, Task,
    },
    pattern::Pattern,
    tree::{Node, Source},
};

const PULL_INTERVAL: Duration = Duration::from_secs(300);
const DEFAULT_GROUP: &str = "default";

/// Reads a document of polaris-sync's; what comes back counts only when no mistake was added.
pub(crate) fn read(root: &mut Node, source: &Source<'_>, findings: &mut Findings) -> Option<Config> {
    let document: written::Document = read_as(root, findings)?;
    verify::verify(root, source, findings);
    let mut ends = Ends::default();
    // Endpoints of disabled tasks were never looked at: they must not take the place of enabled ones.
    for written in document.tasks.iter().filter(|task| task.enable) {
        compile_task(written.clone(), &mut ends);
    }
    let tasks = document.tasks.into_iter().filter_map(|written| compile_task(written, &mut ends)).collect();
    let on = |kind: MethodType| document.methods.iter().find(|method| method.r#type == kind && method.enable);
    Some(Config {
        owner: "causeway".to_owned(),
        admin: Admin { listen: DEFAULT_LISTEN, token: None },
        registries: ends.registries,
        gateways: ends.gateways,
        tasks,
        watch: on(MethodType::Watch).is_some(),
        audit_interval: on(MethodType::Pull).map(|pull| length(&pull.interval).unwrap_or(PULL_INTERVAL)),
        health_check: HealthCheck {
            enable: document.health_check.enable,
            interval: length(&document.health_check.interval).unwrap_or(PROBE_INTERVAL),
            timeout: length(&document.health_check.timeout).unwrap_or(PROBE_TIMEOUT),
        },
        report: Report {
            interval: length(&document.report.interval).unwrap_or(REPORT_INTERVAL),
            targets: document.report.targets.iter().filter_map(report_target).collect(),
        },
    })
}

/// A duration in polaris-sync's way: one number with one unit, or milliseconds.
fn length(text: &str) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().filter(|millis| *millis > 0).map(Duration::from_millis);
    }
    let one_unit =
        text.matches(|c: char| c.is_ascii_digit()).count() == text.find(|c: char| !c.is_ascii_digit())?;
    duration::parse_positive(&text.to_ascii_lowercase())
        .ok()
        .filter(|_| one_unit && !text.ends_with(['d', 'D']))
}

fn report_target(written: &written::ReportTarget) -> Option<ReportTarget> {
    let file = written.r#type == ReportType::File;
    file.then_some(ReportTarget { kind: ReportKind::File, enable: written.enable })
}

fn compile_task(written: written::Task, ends: &mut Ends) -> Option<Task> {
    let source = registry(written.source)?;
    let kind = source.kind;
    let source = ends.add_registry(source);
    let destination = match written.destination.r#type {
        EndpointType::Kong => Destination::Gateway(ends.add_gateway(gateway(written.destination))),
        _ => Destination::Registry(ends.add_registry(registry(written.destination)?)),
    };
    let hold = ends.hold_of(&source);
    let matches = written.r#match.into_iter().filter(|entry| !is_empty(entry));
    let matches = matches.map(|entry| match_entry(entry, kind, hold)).collect();
    Some(Task {
        enable: written.enable,
        matches,
        ..Task::bare(written.name, source, destination, hold, Dialect::PolarisSync)
    })
}

fn registry(written: Endpoint) -> Option<Registry> {
    let kind = match written.r#type {
        EndpointType::Nacos => RegistryKind::Nacos,
        EndpointType::Consul => RegistryKind::Consul,
        EndpointType::Polaris => RegistryKind::Polaris,
        EndpointType::Unknown | EndpointType::Kong | EndpointType::Kubernetes => return None,
    };
    Some(Registry {
        addresses: written.addresses.iter().filter_map(|text| Address::parse(text).ok()).collect(),
        user: written.user.filter(|user| !user.is_empty()),
        password: written.password.filter(|password| !password.expose().is_empty()),
        token: written.token.filter(|token| !token.expose().is_empty()),
        ..Registry::bare(written.name, kind)
    })
}

fn gateway(written: Endpoint) -> Gateway {
    Gateway {
        addresses: written.addresses.iter().filter_map(|text| KongUrl::parse(text).ok()).collect(),
        token: written.token.filter(|token| !token.expose().is_empty()),
        ..Gateway::bare(written.name, GatewayKind::Kong)
    }
}

fn is_empty(written: &written::Match) -> bool {
    written.namespace.trim().is_empty() && written.service.trim().is_empty() && written.groups.is_empty()
}

fn match_entry(written: written::Match, kind: RegistryKind, hold: Duration) -> MatchEntry {
    let namespace = Pattern::literal(kind.namespace(&written.namespace));
    let select = Selector { namespace, service: Pattern::literal(written.service) };
    let groups = written.groups.into_iter().map(group).filter(|group| !is_implied(group)).collect();
    MatchEntry { groups, ..MatchEntry::of(select, hold) }
}

fn group(written: written::Group) -> Group {
    let upstream_name = Some(written.upstream_name).filter(|name| !name.is_empty());
    Group { name: written.name, metadata: written.metadata, upstream_name }
}

/// The `default` group that is there anyway.
fn is_implied(group: &Group) -> bool {
    group.name == DEFAULT_GROUP && group.metadata.is_empty() && group.upstream_name.is_none()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::length;

    #[test]
    fn durations_are_read_as_polaris_sync_reads_them() {
        for (text, millis) in
            [("60s", 60_000), ("1m", 60_000), ("2H", 7_200_000), ("500ms", 500), ("1500", 1_500)]
        {
            assert_eq!(length(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "1m30s", "1d", "0", "0s", "s", "soon", "1.5s"] {
            assert_eq!(length(text), None, "{text}");
        }
    }
}
