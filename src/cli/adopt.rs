//! `causeway adopt`: what a person, polaris-sync, or a task or deployment of another name made becomes a task's. Only tags change.

use std::process::ExitCode;

use causeway_gateways::{Failure, Mark};
use serde_json::json;

use super::consent::{Answer, Consent};
use super::pass::{Pass, Selection};
use super::plan::{DIFFERENCES, Output, TaskPlan, as_json, text};
use super::{Failed, Outcome, output};
use crate::config::{Config, Policy};
use crate::reconcile::{Flow, Turns};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,

    /// Take over from this deployment, or from one task of it, in place of what bears no mark
    #[arg(long, value_name = "OWNER[/TASK]")]
    from: Option<String>,

    #[command(flatten)]
    consent: Consent,
}

/// What is to be taken over for one task, and what its next pass would do then.
struct Adoption<'a> {
    flow: &'a Flow,
    turns: Turns,
    afterwards: Turns,
}

pub(super) async fn adopt(config: Config, args: &Args) -> Outcome {
    let pass = Pass::read(config, &args.selection).await?;
    let flows: Vec<&Flow> = pass.supervisor.flows.iter().map(|flow| &**flow).collect();
    if flows.is_empty() {
        return Err(Failed::usage(
            "nothing can be taken over for a task between registries: a copy bears its task's mark from the start",
        ));
    }
    check_from(args, &flows)?;
    let adoptions = look(&flows, args).await?;
    let problems: Vec<String> = pass.unknown().into_iter().chain(pass.refused()).collect();
    let changes: usize = adoptions.iter().map(Adoption::changes).sum();
    if args.consent.output == Output::Text {
        show(&adoptions, &problems);
    }
    let done = changes > 0 && is_to_be_done(args, &flows, &adoptions, changes).await?;
    let mut failed = Vec::new();
    if done {
        for adoption in &adoptions {
            failed.extend(adoption.flow.take_over(&adoption.turns).await.failed);
        }
    }
    match args.consent.output {
        Output::Text => conclude(changes, done, &failed),
        Output::Json => output::json(&result(&adoptions, &problems, done, &failed)),
    }
    let conflicts = adoptions.iter().flat_map(|it| it.turns.values()).any(|it| !it.plan.conflicts.is_empty());
    Ok(match (done || changes == 0, problems.is_empty() && failed.is_empty() && !conflicts) {
        (false, _) => ExitCode::from(DIFFERENCES),
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::FAILURE,
    })
}

/// Two tasks must not both take what one had.
fn check_from(args: &Args, flows: &[&Flow]) -> Result<(), Failed> {
    let names_task = args.from.as_ref().is_some_and(|from| from.contains('/'));
    if names_task && flows.len() > 1 {
        return Err(Failed::usage("--from OWNER/TASK needs --task: the task that gets what that one had"));
    }
    match flows.iter().find(|flow| args.mark_for(flow).is_some_and(|from| from == *flow.mark())) {
        Some(flow) => Err(Failed::usage(format!("--from names task {} itself", flow.task.name))),
        None => Ok(()),
    }
}

impl Args {
    /// The mark to be taken over for a task; without a task's name it is one of the same name.
    fn mark_for(&self, flow: &Flow) -> Option<Mark> {
        let from = self.from.as_ref()?;
        let (owner, task) = from.split_once('/').unwrap_or((from, &flow.task.name));
        Some(Mark::new(owner, task))
    }
}

async fn look<'a>(flows: &[&'a Flow], args: &Args) -> Result<Vec<Adoption<'a>>, Failed> {
    let mut adoptions = Vec::new();
    for flow in flows {
        let from = args.mark_for(flow);
        let mut keys = from.as_ref().map_or_else(|| flow.matched_keys(), |from| flow.keys_from(from));
        keys.retain(|key| args.selection.wants(key));
        let turns = flow.adoption(&keys, from.as_ref()).await.map_err(Failed::work)?;
        let afterwards = flow.afterwards(&keys, &turns);
        adoptions.push(Adoption { flow, turns, afterwards });
    }
    Ok(adoptions)
}

impl<'a> Adoption<'a> {
    fn changes(&self) -> usize {
        self.turns.values().map(|turn| turn.plan.changes.len()).sum()
    }

    /// As plans to be shown: of the taking over, and of the pass after it.
    fn plans(&self) -> (TaskPlan<'a>, TaskPlan<'a>) {
        (TaskPlan::of(self.flow, self.turns.clone()), TaskPlan::of(self.flow, self.afterwards.clone()))
    }
}

async fn is_to_be_done(
    args: &Args,
    flows: &[&Flow],
    shown: &[Adoption<'_>],
    changes: usize,
) -> Result<bool, Failed> {
    let answer = args.consent.ask(&format!("take over {changes} objects?"))?;
    if answer == Answer::No {
        return Ok(false);
    }
    if let Some(flow) = flows.iter().find(|flow| flow.task.policy == Policy::Observe) {
        return Err(Failed::usage(format!(
            "task {} has `policy: observe`, by which nothing is written for it; set `fill` or `own` first",
            flow.task.name
        )));
    }
    if answer == Answer::YesAfterAWhile {
        for flow in flows {
            flow.gateway.read_all().await.map_err(Failed::work)?;
        }
        let now = look(flows, args).await?;
        if now.iter().zip(shown).any(|(now, shown)| !same(&now.turns, &shown.turns)) {
            return Err(Failed::work(
                "what stands has changed since it was shown; nothing was done, look again",
            ));
        }
    }
    Ok(true)
}

fn same(one: &Turns, other: &Turns) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.0 == b.0 && a.1.plan == b.1.plan)
}

fn show(adoptions: &[Adoption<'_>], problems: &[String]) {
    let (taken, afterwards): (Vec<_>, Vec<_>) = adoptions.iter().map(Adoption::plans).unzip();
    output::print(text::render(&taken, &[], problems));
    output::line("what `run` would do then:");
    output::print(text::render(&afterwards, &[], &[]));
}

fn conclude(changes: usize, done: bool, failed: &[Failure]) {
    for failure in failed {
        output::line(format_args!("failed: {}: {}", failure.change.key, failure.error));
    }
    match (changes, done) {
        (0, _) => output::line("adopt: nothing to take over"),
        (_, false) => {
            output::line(format_args!(
                "adopt: {changes} objects to take over; nothing was done, --yes does it"
            ));
        }
        (_, true) => output::line(format_args!("adopt: {} objects taken over", changes - failed.len())),
    }
}

fn result(
    adoptions: &[Adoption<'_>],
    problems: &[String],
    done: bool,
    failed: &[Failure],
) -> serde_json::Value {
    let (taken, afterwards): (Vec<_>, Vec<_>) = adoptions.iter().map(Adoption::plans).unzip();
    json!({
        "adopt": as_json(&taken, &[], problems),
        "afterwards": as_json(&afterwards, &[], &[]),
        "done": done,
        "failed": failed.iter().map(failure_json).collect::<Vec<_>>(),
    })
}

/// A change that was not made, as the JSON output has it.
pub(super) fn failure_json(failure: &Failure) -> serde_json::Value {
    json!({ "object": failure.change.key.to_string(), "reason": failure.error.to_string() })
}
