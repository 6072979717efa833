//! `causeway sync`: one full pass, then exit.

mod copies;

use std::collections::BTreeSet;
use std::process::ExitCode;

use futures::stream::{self, StreamExt};
use tokio::time::sleep;

use super::pass::{Pass, Selection};
use super::{Outcome, admin_client, output};
use crate::config::Config;
use crate::model::ServiceKey;
use crate::project::Note;
use crate::reconcile::{Flow, FlowOutcome, Removals};

/// Services under way at once; the gateway's own limit is lower.
const AT_ONCE: usize = 64;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,

    /// Remove also what the guard holds
    #[arg(long)]
    release: bool,
}

/// One pass over some services of a task.
pub(super) struct Passed {
    pub(super) changes: usize,
    /// How the last turn of each ended.
    pub(super) outcomes: Vec<(ServiceKey, FlowOutcome)>,
}

pub(super) async fn sync(config: Config, args: &Args) -> Outcome {
    let pass = Pass::read(config.clone(), &args.selection).await?;
    if args.release {
        pass.supervisor.sources().for_each(|source| source.release());
    }
    let mut complaints_told: Vec<String> = pass.unknown().into_iter().chain(pass.refused()).collect();
    let (mut services, mut changes, mut withheld) = (0, 0, 0);
    for flow in &pass.supervisor.flows {
        let passed = sync_task(flow, &args.selection).await;
        services += passed.outcomes.len();
        changes += passed.changes;
        for (key, outcome) in &passed.outcomes {
            withheld += outcome.turn.plan.withheld.len();
            complaints_told.extend(complaints(key, outcome));
        }
    }
    let at_work = match pass.supervisor.copies.is_empty() {
        true => BTreeSet::new(),
        false => admin_client::tasks_at_work(&config).await,
    };
    let mut handed_over = Vec::new();
    for flow in &pass.supervisor.copies {
        let passed = copies::sync(flow, &args.selection, at_work.contains(&flow.way.task().name)).await;
        services += passed.services;
        changes += passed.changes;
        withheld += passed.withheld;
        complaints_told.extend(passed.complaints);
        handed_over.push((flow, passed.handed_over));
    }
    for (flow, keys) in handed_over {
        let passed = copies::finish(flow, keys).await;
        changes += passed.changes;
        complaints_told.extend(passed.complaints);
    }
    complaints_told.iter().for_each(output::line);
    let withheld = if withheld == 0 { String::new() } else { format!(", {withheld} withheld") };
    output::line(format_args!("sync: {services} services, {changes} changes made{withheld}"));
    Ok(if complaints_told.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One pass over a task; what is retired waits until Kong's workers have changed over, and goes in a second pass.
pub(super) async fn sync_task(flow: &Flow, selection: &Selection) -> Passed {
    let keys: Vec<ServiceKey> = selection.keys(flow).into_iter().collect();
    let mut outcomes = carry_out(flow, keys).await;
    let mut changes = sum(&outcomes);
    let retiring: Vec<(ServiceKey, FlowOutcome)> = outcomes.extract_if(.., |(_, it)| retires(it)).collect();
    if !retiring.is_empty() {
        sleep(flow.gateway.retire_after()).await;
        let last = carry_out(flow, retiring.into_iter().map(|(key, _)| key).collect()).await;
        changes += sum(&last);
        outcomes.extend(last);
    }
    Passed { changes, outcomes }
}

fn sum(outcomes: &[(ServiceKey, FlowOutcome)]) -> usize {
    outcomes.iter().map(|(_, outcome)| outcome.changes).sum()
}

async fn carry_out(flow: &Flow, keys: Vec<ServiceKey>) -> Vec<(ServiceKey, FlowOutcome)> {
    let turns = keys.into_iter().map(|key| async move {
        let outcome = flow.carry_out(&key, Removals::Now).await;
        (key, outcome)
    });
    stream::iter(turns).buffer_unordered(AT_ONCE).collect().await
}

fn retires(outcome: &FlowOutcome) -> bool {
    outcome.failure.is_none() && !outcome.turn.plan.retiring.is_empty()
}

/// What failed, is held or stands in the way.
pub(super) fn complaints(key: &ServiceKey, outcome: &FlowOutcome) -> Vec<String> {
    let mut told = Vec::new();
    told.extend(outcome.failure.iter().map(|(message, _)| format!("failed: {key}: {message}")));
    told.extend(
        outcome
            .turn
            .unread
            .then(|| format!("failed: {key}: not read completely, so nothing of it was touched")),
    );
    let mistakes = outcome.turn.notes().into_iter().filter(Note::is_mistake);
    told.extend(mistakes.map(|note| format!("failed: {key}: {note}")));
    told.extend(outcome.turn.held.iter().map(|held| {
        format!(
            "held: {key}: target {} of upstream {}, because {}",
            held.target, held.upstream, held.held.reason
        )
    }));
    let conflicts = outcome.turn.plan.conflicts.iter();
    told.extend(conflicts.map(|conflict| format!("conflict: {key}: {}: {}", conflict.key, conflict.reason)));
    told
}
