//! `causeway sync`: one full pass, then exit.

use std::process::ExitCode;

use futures::stream::{self, StreamExt};
use tokio::time::sleep;

use super::pass::{Pass, Selection};
use super::{Outcome, output};
use crate::config::Config;
use crate::model::ServiceKey;
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

#[derive(Default)]
struct Sums {
    services: usize,
    changes: usize,
    withheld: usize,
    complaints: Vec<String>,
}

pub(super) async fn sync(config: Config, args: &Args) -> Outcome {
    let pass = Pass::read(config, &args.selection).await?;
    if args.release {
        pass.supervisor.sources().for_each(|source| source.release());
    }
    let mut sums = Sums::default();
    sums.complaints.extend(pass.unknown().into_iter().chain(pass.refused()));
    for flow in &pass.supervisor.flows {
        sync_task(flow, &args.selection, &mut sums).await;
    }
    for complaint in &sums.complaints {
        output::line(complaint);
    }
    let withheld = if sums.withheld == 0 { String::new() } else { format!(", {} withheld", sums.withheld) };
    output::line(format_args!("sync: {} services, {} changes made{withheld}", sums.services, sums.changes));
    Ok(if sums.complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One pass over a task; what is retired waits until Kong's workers have changed over, and goes in a second pass.
async fn sync_task(flow: &Flow, selection: &Selection, sums: &mut Sums) {
    let keys: Vec<ServiceKey> = selection.keys(flow).into_iter().collect();
    sums.services += keys.len();
    let outcomes = carry_out(flow, keys).await;
    let (retiring, done): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|(_, outcome)| retires(outcome));
    let mut last = done;
    if !retiring.is_empty() {
        sums.changes += retiring.iter().map(|(_, outcome)| outcome.changes).sum::<usize>();
        sleep(flow.gateway.retire_after()).await;
        last.extend(carry_out(flow, retiring.into_iter().map(|(key, _)| key).collect()).await);
    }
    for (key, outcome) in &last {
        sums.changes += outcome.changes;
        sums.withheld += outcome.turn.plan.withheld.len();
        sums.complaints.extend(complaints(key, outcome));
    }
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

fn complaints(key: &ServiceKey, outcome: &FlowOutcome) -> Vec<String> {
    let mut told = Vec::new();
    told.extend(outcome.failure.iter().map(|(message, _)| format!("failed: {key}: {message}")));
    told.extend(
        outcome
            .turn
            .unread
            .then(|| format!("failed: {key}: not read completely, so nothing of it was touched")),
    );
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
