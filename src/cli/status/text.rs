//! The status of a running Causeway for people: a line a thing, and lines below it for what is not as it should be.

use std::fmt::{Display, Write as _};

use crate::reconcile::{GatewayStatus, Problem, RegistryStatus, Status, TaskStatus};

/// The width of a line's first word.
const MARGIN: usize = 10;
/// So many of one kind are shown; the JSON has all.
const SHOWN: usize = 5;

#[derive(Default)]
struct Page(String);

impl Page {
    // Writing to a String cannot fail.
    fn line(&mut self, margin: &str, text: impl Display) {
        let _ = writeln!(self.0, "{margin:MARGIN$}{text}");
    }

    /// The first of many, below the line that they belong to.
    fn some(&mut self, what: &str, each: impl ExactSizeIterator<Item = String>) {
        let rest = each.len().saturating_sub(SHOWN);
        each.take(SHOWN).for_each(|text| self.line("", format_args!("{what}: {text}")));
        if rest > 0 {
            self.line("", format_args!("{what}: and {rest} more"));
        }
    }
}

pub(super) fn render(status: &Status) -> String {
    let mut page = Page::default();
    let up = duration(status.uptime_seconds);
    page.line("causeway", format_args!("{} of deployment {}, up {up}", status.version, status.owner));
    status.registries.iter().for_each(|registry| render_registry(&mut page, registry));
    status.gateways.iter().for_each(|gateway| render_gateway(&mut page, gateway));
    status.tasks.iter().for_each(|task| render_task(&mut page, task));
    page.0
}

fn render_registry(page: &mut Page, registry: &RegistryStatus) {
    let RegistryStatus { name, kind, state, services, read, breaker, .. } = registry;
    page.line("registry", format_args!("{name} ({kind}): {state}, {read} of {services} services read"));
    let unknown = registry.unknown.iter();
    page.some(
        "unknown",
        unknown.map(|it| format!("{}: {}, for {}", it.scope, it.reason, duration(it.for_seconds))),
    );
    if breaker.open {
        page.line(
            "",
            format_args!(
                "breaker open for {}: {} of {} instances are lost, so nothing missing is removed; \
                 `causeway release {name}` lets them go",
                duration(breaker.for_seconds),
                breaker.loss,
                breaker.level
            ),
        );
    }
    page.some("not protected", registry.unprotected.iter().cloned());
    render_leftovers(page, &registry.leftovers);
}

fn render_leftovers(page: &mut Page, tasks: &[String]) {
    if !tasks.is_empty() {
        let tasks = tasks.join(", ");
        page.line(
            "",
            format_args!("left by tasks that are not configured any more: {tasks} (`causeway prune`)"),
        );
    }
}

fn render_gateway(page: &mut Page, gateway: &GatewayStatus) {
    let GatewayStatus { name, kind, state, ours, .. } = gateway;
    page.line(
        "gateway",
        format_args!(
            "{name} ({kind}): {state}, ours are {} services, {} upstreams, {} targets and {} routes",
            ours.services, ours.upstreams, ours.targets, ours.routes
        ),
    );
    if let Some(error) = &gateway.error {
        page.line("", format_args!("failing: {error}"));
    }
    for node in &gateway.nodes {
        let error = node.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        page.line("", format_args!("node {}: {}{error}", node.address, node.state));
    }
    render_leftovers(page, &gateway.leftovers);
}

fn render_task(page: &mut Page, task: &TaskStatus) {
    let TaskStatus { name, source, destination, policy, state, services, done, changes, .. } = task;
    page.line(
        "task",
        format_args!(
            "{name}: {source} → {destination}, {policy}, {state}, {done} of {services} services done, {changes} changes"
        ),
    );
    if let Some(error) = &task.error {
        page.line("", format_args!("error: {error}"));
    }
    for direction in &task.directions {
        let (from, to) = (&direction.from, &direction.to);
        page.line(
            "",
            format_args!(
                "{from} → {to}: {} of {} services done, {} copies stand",
                direction.done, direction.services, direction.copies
            ),
        );
        if let Some(reason) = &direction.waiting {
            page.line("", format_args!("{from} → {to} waits: {reason}"));
        }
    }
    page.some("failing", task.failing.iter().map(problem));
    page.some("conflict", task.conflicts.iter().map(problem));
    page.some("waiting", task.waiting.iter().map(problem));
    page.some(
        "held",
        task.held.iter().map(|held| format!("{}: {}, because {}", held.service, held.address, held.reason)),
    );
    if task.withheld.total() > 0 {
        let withheld = &task.withheld;
        page.line(
            "",
            format_args!(
                "withheld by the task's settings: {} to create, {} to change, {} to remove",
                withheld.create, withheld.patch, withheld.delete
            ),
        );
    }
}

fn problem(problem: &Problem) -> String {
    let words = [&problem.service, &problem.object, &problem.reason];
    words.into_iter().filter(|word| !word.is_empty()).cloned().collect::<Vec<_>>().join(": ")
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        serde_json::from_str(include_str!("../../../tests/data/copies/status.json")).unwrap()
    }

    #[test]
    fn a_status_is_told_in_a_few_lines_each() {
        let text = render(&status());
        assert_eq!(text, include_str!("../../../tests/data/copies/status.txt"));
        assert!(
            include_str!("../../../docs/registry-to-registry.md").contains(&text),
            "the page shows what it says"
        );
        assert!(!status().is_well());
    }

    #[test]
    fn of_many_the_first_are_told() {
        let mut status = status();
        let one = status.tasks[1].conflicts[0].clone();
        status.tasks[1].conflicts = vec![one; 8];
        let text = render(&status);
        assert_eq!(text.matches("conflict: ").count(), SHOWN + 1);
        assert!(text.contains("\n          conflict: and 3 more\n"), "{text}");
    }

    #[test]
    fn a_direction_that_waits_says_why() {
        let mut status = status();
        status.tasks[1].directions[1].waiting = Some("polaris can't be read: timed out".to_owned());
        let text = render(&status);
        assert!(
            text.contains("\n          polaris → nacos waits: polaris can't be read: timed out\n"),
            "{text}"
        );
    }

    #[test]
    fn it_is_well_when_nothing_is_amiss() {
        let mut status = status();
        status.registries.iter_mut().for_each(|registry| registry.unknown.clear());
        status.gateways.iter_mut().for_each(|gateway| gateway.error = None);
        for task in &mut status.tasks {
            (task.failing, task.conflicts, task.error) = (Vec::new(), Vec::new(), None);
        }
        assert!(status.is_well(), "{}", render(&status));
    }

    #[test]
    fn durations_are_rounded_down() {
        let cases = [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3_725, "1 h 2 min"), (90_000, "1 d 1 h")];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
    }
}
