//! `causeway why`: the chain for one service, from its registration to what each gateway holds.

use std::collections::BTreeSet;
use std::process::ExitCode;

use super::pass::{Pass, Selection};
use super::plan::text::lines;
use super::{Outcome, output};
use crate::config::{Config, Selector, Task};
use crate::model::{Instance, ServiceKey};
use crate::project::matcher::{Decision, decide};
use crate::reconcile::{Flow, Turn};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The service: `service`, or `namespace/service`
    service: String,
}

pub(super) async fn why(config: Config, args: &Args) -> Outcome {
    let pass = Pass::read_also(config, &Selection::default(), Some(args.service.clone())).await?;
    let mut found = false;
    for flow in &pass.supervisor.flows {
        let keys = flow.source.view().services().into_iter().chain(flow.all_keys());
        let keys: BTreeSet<ServiceKey> = keys.filter(|key| key.is_named(&args.service)).collect();
        for key in keys {
            found = true;
            explain(flow, &key).await;
        }
    }
    for problem in pass.unknown().into_iter().chain(pass.refused()) {
        output::line(format_args!("problem: {problem}"));
    }
    if !found {
        output::line(format_args!(
            "{}: no registry of an enabled task shows a service of this name, and nothing stands for one",
            args.service
        ));
    }
    Ok(if found { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn explain(flow: &Flow, key: &ServiceKey) {
    output::line(format_args!("{key}, task {}", flow.task.name));
    registered(flow, key);
    output::line(format_args!("  matched     {}", matched(&flow.task, key)));
    match flow.look(key).await {
        Ok(turn) => {
            wanted(&turn);
            standing(flow, key);
            todo_lines(&turn);
        }
        Err(error) => output::line(format_args!("  gateway     cannot be read: {error}")),
    }
}

fn registered(flow: &Flow, key: &ServiceKey) {
    let view = flow.source.view();
    let source = &flow.source.name;
    match view.reading(key) {
        None => output::line(format_args!("  registered  {source} has not shown it completely yet")),
        Some(reading) if reading.snapshot.instances.is_empty() => {
            let listed = if reading.listed { "lists it without instances" } else { "does not list it" };
            output::line(format_args!("  registered  {source} {listed}"));
        }
        Some(reading) => {
            for instance in reading.snapshot.instances.values() {
                output::line(format_args!(
                    "  registered  {} in {source}{}",
                    instance.address,
                    condition(instance)
                ));
            }
        }
    }
    if let Some(unknown) = view.unknown(key) {
        output::line(format_args!(
            "  unknown     {} ({}); the above is its last state",
            unknown.reason, source
        ));
    }
}

fn condition(instance: &Instance) -> String {
    let mut text = format!(", weight {}", instance.weight.ratio());
    let flags =
        [(!instance.healthy, "unhealthy"), (!instance.enabled, "disabled"), (instance.isolated, "isolated")];
    for (_, word) in flags.iter().filter(|(set, _)| *set) {
        text.push_str(", ");
        text.push_str(word);
    }
    for (name, value) in &instance.metadata {
        text.push_str(&format!(", {name}={value}"));
    }
    text
}

fn matched(task: &Task, key: &ServiceKey) -> String {
    let selector = |s: &Selector| format!("namespace `{}`, service `{}`", s.namespace, s.service);
    match decide(task, key) {
        Decision::Matched { index, entry } => format!("by match[{index}] ({})", selector(&entry.select)),
        Decision::Excluded(exclude) => format!("no: excluded by {}", selector(exclude)),
        Decision::NoEntry(kept_out) if kept_out.is_empty() => "no: no entry of `match` fits".to_owned(),
        Decision::NoEntry(kept_out) => {
            let each =
                kept_out.iter().map(|(index, e)| format!("match[{index}] excludes it by {}", selector(e)));
            format!("no: {}", each.collect::<Vec<_>>().join("; "))
        }
    }
}

fn wanted(turn: &Turn) {
    let Some(projected) = &turn.projected else { return };
    for group in &projected.groups {
        let targets: Vec<&str> = group.targets.iter().map(|target| target.as_str()).collect();
        let targets = if targets.is_empty() { "no target".to_owned() } else { targets.join(", ") };
        output::line(format_args!("  group       {} → upstream {}: {targets}", group.name, group.upstream));
    }
    if projected.all_unhealthy {
        output::line("  health      no instance is healthy, so all count as healthy");
    }
    for skipped in &projected.skipped {
        output::line(format_args!("  left out    {}: {}", skipped.address, skipped.reason));
    }
}

fn standing(flow: &Flow, key: &ServiceKey) {
    for line in flow.stands(key) {
        output::line(format_args!("  stands      {line}"));
    }
}

fn todo_lines(turn: &Turn) {
    let lines = lines(turn);
    if lines.is_empty() {
        output::line("  to do       nothing: the gateway is as it should be");
    }
    for line in lines {
        output::line(format_args!("  to do       {line}"));
    }
}
