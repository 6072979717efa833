//! `causeway uninstall`: everything of one task goes, or is handed over: it stays, and only our tags go. Copies in registries can only go.

use std::process::ExitCode;
use std::sync::Arc;

use causeway_gateways::{Failure, Mark, Plan};
use serde_json::json;

use super::adopt::failure_json;
use super::consent::{Answer, Consent};
use super::plan::{DIFFERENCES, Output, text};
use super::prune::{refuse_if_running, remove};
use super::{Failed, Outcome, output};
use crate::config::{Config, Destination};
use crate::reconcile::{Built, GatewayHandle, Leaves, Leaving, Turn, leaving};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The task, whether it is configured or not
    #[arg(long)]
    task: String,

    /// Remove nothing: take our tags off, and leave all else as it is
    #[arg(long)]
    hand_over: bool,

    #[command(flatten)]
    consent: Consent,
}

pub(super) async fn uninstall(config: &Config, args: &Args) -> Outcome {
    let left = leaving(config, &Built, &Leaves::Task(&args.task)).await;
    if config.task(&args.task).is_none() && left.tasks.is_empty() && left.unread.is_empty() {
        let names: Vec<&str> = config.tasks.iter().map(|task| task.name.as_str()).collect();
        return Err(Failed::usage(format!(
            "no task is named `{}` (there are: {}), and nothing stands under its mark",
            args.task,
            names.join(", ")
        )));
    }
    if args.hand_over {
        refuse_copies(config, &left, &args.task)?;
        return hand_over(config, &left, args).await;
    }
    remove(config, &left, "uninstall", &args.consent).await
}

/// A copy is known by its mark alone.
fn refuse_copies(config: &Config, left: &Leaving, task: &str) -> Result<(), Failed> {
    let to_registry =
        config.task(task).is_some_and(|task| matches!(task.destination, Destination::Registry(_)));
    if !to_registry && left.copies.is_empty() {
        return Ok(());
    }
    Err(Failed::usage(format!(
        "task {task} made copies in registries, and these can't be handed over: without our mark they would be taken for applications \
         of their own, and stay when those have gone; without --hand-over they are removed"
    )))
}

async fn hand_over(config: &Config, left: &Leaving, args: &Args) -> Outcome {
    let mark = Mark::new(&config.owner, &args.task);
    let plans = look(left, &mark).await?;
    let changes: usize = plans.iter().map(|(_, plan)| plan.changes.len()).sum();
    if args.consent.output == Output::Text {
        show(&plans);
        left.unread.iter().for_each(|problem| output::line(format_args!("problem: {problem}")));
    }
    let question = format!("take our tags off {changes} objects?");
    let answer = if changes == 0 { Answer::No } else { args.consent.ask(&question)? };
    let done = answer != Answer::No;
    let mut failed = Vec::new();
    if done {
        refuse_if_running(config, left).await?;
        if answer == Answer::YesAfterAWhile {
            check_unchanged(left, &mark, &plans).await?;
        }
        for (gateway, plan) in &plans {
            failed.extend(gateway.apply(plan).await.failed);
        }
    }
    match args.consent.output {
        Output::Text => conclude(changes, done, &failed),
        Output::Json => output::json(&result(&plans, &left.unread, done, &failed)),
    }
    Ok(match (done || changes == 0, failed.is_empty() && left.unread.is_empty()) {
        (false, _) => ExitCode::from(DIFFERENCES),
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::FAILURE,
    })
}

type Plans = Vec<(Arc<GatewayHandle>, Plan)>;

async fn look(left: &Leaving, mark: &Mark) -> Result<Plans, Failed> {
    let mut plans = Vec::new();
    for gateway in &left.gateways {
        let plan = gateway.handing_over(mark).await.map_err(Failed::work)?;
        plans.push((Arc::clone(gateway), plan));
    }
    Ok(plans)
}

async fn check_unchanged(left: &Leaving, mark: &Mark, shown: &Plans) -> Result<(), Failed> {
    for gateway in &left.gateways {
        gateway.read_all().await.map_err(Failed::work)?;
    }
    let now = look(left, mark).await?;
    let same = now.iter().zip(shown).all(|((_, now), (_, shown))| now == shown);
    let changed = "what stands has changed since it was shown; nothing was done, look again";
    if same { Ok(()) } else { Err(Failed::work(changed)) }
}

fn show(plans: &Plans) {
    for (gateway, plan) in plans.iter().filter(|(_, plan)| !plan.is_empty()) {
        output::line(format_args!("gateway {}", gateway.config.name));
        let turn = Turn { plan: plan.clone(), ..Turn::default() };
        text::lines(&turn).into_iter().for_each(|line| output::line(format_args!("  {line}")));
    }
}

fn conclude(changes: usize, done: bool, failed: &[Failure]) {
    for failure in failed {
        output::line(format_args!("failed: {}: {}", failure.change.key, failure.error));
    }
    match (changes, done) {
        (0, _) => output::line("uninstall: nothing to hand over"),
        (_, false) => {
            output::line(format_args!(
                "uninstall: {changes} objects to hand over; nothing was done, --yes does it"
            ));
        }
        (_, true) => output::line(format_args!("uninstall: {} objects handed over", changes - failed.len())),
    }
}

fn result(plans: &Plans, problems: &[String], done: bool, failed: &[Failure]) -> serde_json::Value {
    let gateways = plans.iter().map(|(gateway, plan)| {
        let changes = plan.changes.iter().map(text::change_json);
        json!({ "gateway": gateway.config.name, "changes": changes.collect::<Vec<_>>() })
    });
    json!({
        "uninstall": gateways.collect::<Vec<_>>(),
        "problems": problems,
        "done": done,
        "failed": failed.iter().map(failure_json).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_not_handed_over() {
        let text = r#"
version: 1
registries: [ { name: a, type: nacos, addresses: ["127.0.0.1:1"] }, { name: b, type: consul, addresses: ["127.0.0.1:2"] } ]
gateways: [ { name: kong, type: kong, addresses: ["http://127.0.0.1:3"] } ]
tasks:
  - { name: copies, source: a, destination: b, match: [ { service: "*" } ] }
  - { name: routes, source: a, destination: kong, match: [ { service: "*" } ] }
"#;
        let config = crate::config::parse(text, "test", &|_| None).unwrap().config;
        let refused = refuse_copies(&config, &Leaving::default(), "copies").unwrap_err();
        assert_eq!(refused.code, 2);
        assert!(refused.message.contains("these can't be handed over"), "{}", refused.message);
        assert!(refuse_copies(&config, &Leaving::default(), "routes").is_ok());
    }
}
