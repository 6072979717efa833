//! `causeway plan`: what `run` would do now.

pub(super) mod copies;
pub(super) mod text;

use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::{Value, json};

use copies::CopyPlan;

use super::pass::{Pass, Selection};
use super::{Outcome, output};
use crate::config::Config;
use crate::model::ServiceKey;
use crate::reconcile::{Flow, Turn, Turns};

/// `--exit-code`: something would change.
pub(super) const DIFFERENCES: u8 = 3;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,

    /// How the plan is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,

    /// Exit with 3 when something would change
    #[arg(long)]
    exit_code: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    Text,
    Json,
}

/// One task's plan: each service for which there is something to say.
pub(super) struct TaskPlan<'a> {
    pub(super) flow: &'a Flow,
    pub(super) turns: Vec<(ServiceKey, Turn)>,
    pub(super) services: usize,
}

pub(super) async fn plan(config: Config, args: &Args) -> Outcome {
    let pass = Pass::read(config, &args.selection).await?;
    let mut tasks = Vec::new();
    for flow in &pass.supervisor.flows {
        tasks.push(look(flow, &args.selection).await?);
    }
    let directions = pass.supervisor.copies.iter();
    let copies: Vec<CopyPlan> = directions.map(|flow| copies::look(flow, &args.selection)).collect();
    let problems: Vec<String> = pass.unknown().into_iter().chain(pass.refused()).collect();
    match args.output {
        Output::Text => output::print(text::render(&tasks, &copies, &problems)),
        Output::Json => output::json(&as_json(&tasks, &copies, &problems)),
    }
    let differs = tasks.iter().any(TaskPlan::differs) || copies.iter().any(CopyPlan::differs);
    Ok(match (differs && args.exit_code, problems.is_empty()) {
        (true, _) => ExitCode::from(DIFFERENCES),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    })
}

/// What a task would do now for the selected services.
pub(super) async fn look<'a>(flow: &'a Flow, selection: &Selection) -> Result<TaskPlan<'a>, super::Failed> {
    let mut turns = Turns::new();
    for key in selection.keys(flow) {
        let turn = flow.look(&key).await.map_err(super::Failed::work)?;
        turns.insert(key, turn);
    }
    Ok(TaskPlan::of(flow, turns))
}

impl<'a> TaskPlan<'a> {
    /// Of what was planned for some services.
    pub(super) fn of(flow: &'a Flow, turns: Turns) -> Self {
        let services = turns.len();
        let turns = turns.into_iter().filter(|(_, turn)| says_something(turn)).collect();
        Self { flow, turns, services }
    }

    /// Whether anything would change.
    pub(super) fn differs(&self) -> bool {
        self.turns.iter().any(|(_, turn)| differs(turn))
    }
}

fn differs(turn: &Turn) -> bool {
    !turn.plan.is_empty() || !turn.plan.retiring.is_empty()
}

fn says_something(turn: &Turn) -> bool {
    let plan = &turn.plan;
    let quiet = plan.conflicts.is_empty()
        && plan.waiting.is_empty()
        && plan.kept.is_empty()
        && plan.withheld.is_empty()
        && turn.notes().is_empty();
    differs(turn) || turn.unread || !turn.held.is_empty() || !quiet
}

pub(super) fn as_json(tasks: &[TaskPlan<'_>], copies: &[CopyPlan], problems: &[String]) -> Value {
    let tasks = tasks.iter().map(|task| {
        let services = task.turns.iter().map(|(key, turn)| service_json(key, turn));
        json!({ "task": task.flow.task.name, "services": services.collect::<Vec<_>>() })
    });
    let directions = copies.iter().map(CopyPlan::json);
    json!({ "tasks": tasks.chain(directions).collect::<Vec<_>>(), "problems": problems })
}

fn service_json(key: &ServiceKey, turn: &Turn) -> Value {
    let plan = &turn.plan;
    let changes = plan.changes.iter().map(text::change_json);
    let told = |object: String, reason: &str| json!({ "object": object, "reason": reason });
    json!({
        "namespace": key.namespace,
        "service": key.service,
        "unread": turn.unread,
        "changes": changes.collect::<Vec<_>>(),
        "withheld": plan.withheld.iter().map(text::withheld_json).collect::<Vec<_>>(),
        "retiring": plan.retiring.iter().map(|r| told(r.key.to_string(), &r.reason)).collect::<Vec<_>>(),
        "conflicts": plan.conflicts.iter().map(|c| told(c.key.to_string(), &c.reason)).collect::<Vec<_>>(),
        "waiting": plan.waiting.iter().map(|w| told(w.key.to_string(), &w.reason)).collect::<Vec<_>>(),
        "kept": plan.kept.iter().map(|k| told(k.key.to_string(), &k.reason)).collect::<Vec<_>>(),
        "notes": turn.notes().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "held": turn.held.iter().map(|h| {
            told(format!("target {} of upstream {}", h.target, h.upstream), &h.held.reason.to_string())
        }).collect::<Vec<_>>(),
    })
}
