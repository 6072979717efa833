//! `causeway prune`: what tasks have left that are not configured any more goes, by the rules by which everything is retired; and the
//! copies in registries that no task carries any more.

use std::process::ExitCode;

use serde_json::json;

use super::consent::{Answer, Consent};
use super::pass::Selection;
use super::plan::copies::CopyPlan;
use super::plan::{DIFFERENCES, Output, TaskPlan, as_json, look, text};
use super::sync::{complaints, sync_task};
use super::{Failed, Outcome, admin_client, output};
use crate::config::Config;
use crate::reconcile::{Built, Leaves, Leaving, leaving};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    consent: Consent,
}

pub(super) async fn prune(config: &Config, args: &Args) -> Outcome {
    let left = leaving(config, &Built, &Leaves::Unconfigured(config)).await;
    remove(config, &left, "prune", &args.consent).await
}

/// Shows what stands for tasks that leave, and removes it when that is wanted.
pub(super) async fn remove(config: &Config, left: &Leaving, command: &str, consent: &Consent) -> Outcome {
    let everything = Selection::default();
    let problems: Vec<String> = left.unread.iter().chain(&left.unassigned).cloned().collect();
    let mut plans = Vec::new();
    for flow in &left.flows {
        plans.push(look(flow, &everything).await?);
    }
    let copies: Vec<CopyPlan> = left.copies.iter().map(CopyPlan::of_leaving).collect();
    if consent.output == Output::Text {
        output::print(text::render(&plans, &copies, &problems));
    }
    let differs = plans.iter().any(TaskPlan::differs) || copies.iter().any(CopyPlan::differs);
    let question = format!("{command}: remove this?");
    let done = differs && consent.ask(&question)? != Answer::No;
    let (mut changes, mut complaints) = (0, problems.clone());
    if done {
        refuse_if_running(config, left).await?;
        let (removed, stay) = carry_out(left).await;
        changes = removed;
        complaints.extend(stay);
    }
    match consent.output {
        Output::Text => conclude(command, differs, done.then_some(changes), &complaints),
        Output::Json => output::json(&json!({
            command: as_json(&plans, &copies, &problems), "done": done, "changes": changes, "complaints": complaints,
        })),
    }
    let kept = plans.iter().flat_map(|plan| &plan.turns).any(|(_, turn)| !turn.plan.kept.is_empty());
    Ok(match (done || !differs, complaints.is_empty() && !kept) {
        (false, _) => ExitCode::from(DIFFERENCES),
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::FAILURE,
    })
}

/// Removes everything; answers how much has gone, and what failed or stays.
async fn carry_out(left: &Leaving) -> (usize, Vec<String>) {
    let (mut changes, mut complaints) = (0, Vec::new());
    for flow in &left.flows {
        let passed = sync_task(flow, &Selection::default()).await;
        changes += passed.changes;
        complaints.extend(passed.outcomes.iter().flat_map(|(key, outcome)| stays(key, outcome)));
    }
    for copies in &left.copies {
        let (removed, stay) = copies.remove().await;
        changes += removed;
        complaints.extend(stay);
    }
    (changes, complaints)
}

/// A Causeway that runs a task would make again what is removed.
pub(super) async fn refuse_if_running(config: &Config, left: &Leaving) -> Result<(), Failed> {
    let running = admin_client::tasks_at_work(config).await;
    match left.tasks.intersection(&running).next() {
        Some(task) => Err(Failed::work(format!(
            "the Causeway at {} is running task {task}, and would undo this: stop it, or take the task out or set \
             `enable: false` and start it again; nothing was done",
            config.admin.listen
        ))),
        None => Ok(()),
    }
}

/// What failed, and what is in use by others.
fn stays(key: &crate::model::ServiceKey, outcome: &crate::reconcile::FlowOutcome) -> Vec<String> {
    let plan = &outcome.turn.plan;
    let kept = plan.kept.iter().map(|kept| format!("stays: {key}: {}: {}", kept.key, kept.reason));
    let retiring = plan.retiring.iter().map(|it| format!("stays: {key}: {}: it is still in use", it.key));
    complaints(key, outcome).into_iter().chain(kept).chain(retiring).collect()
}

fn conclude(command: &str, differs: bool, removed: Option<usize>, complaints: &[String]) {
    match removed {
        Some(removed) => {
            complaints.iter().for_each(output::line);
            output::line(format_args!(
                "{command}: {removed} objects removed, targets that went with their upstreams aside"
            ));
        }
        None if differs => output::line(format_args!("{command}: nothing was done, --yes does it")),
        None => output::line(format_args!("{command}: nothing to remove")),
    }
}
