//! `causeway status`: how the running Causeway stands, or how far a migration has come.

mod board;
mod text;

use std::process::ExitCode;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde::de::DeserializeOwned;

use super::plan::Output;
use super::{Failed, Outcome, admin_client, output};
use crate::config::Config;
use crate::reconcile::{Board, Status};

/// It only looks up what it knows.
const PATIENCE: Duration = Duration::from_secs(10);

/// Show how the running Causeway stands: its registries, gateways and tasks
///
/// Exits with 1 when something cannot be read, fails or is in conflict, or when no Causeway answers.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show instead how far the applications of this task between two registries have moved
    #[arg(long, value_name = "TASK")]
    migration: Option<String>,

    /// How it is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) async fn status(config: &Config, args: &Args) -> Outcome {
    let status: Status = told(config, admin_client::request(config, Method::GET, "/api/v1/status")?).await?;
    if status.owner != config.owner {
        let listen = config.admin.listen;
        return Err(Failed::work(format!(
            "the Causeway at {listen} is another deployment, `{}`",
            status.owner
        )));
    }
    if let Some(task) = &args.migration {
        return migration(config, task, args.output).await;
    }
    match args.output {
        Output::Text => output::print(text::render(&status)),
        Output::Json => output::json(&status),
    }
    Ok(if status.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn migration(config: &Config, task: &str, format: Output) -> Outcome {
    let request = admin_client::request(config, Method::GET, "/api/v1/migration")?.query(&[("task", task)]);
    let shown: Board = told(config, request).await?;
    match format {
        Output::Text => output::print(board::render(&shown)),
        Output::Json => output::json(&shown),
    }
    Ok(if shown.doubts.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn told<T: DeserializeOwned>(config: &Config, request: RequestBuilder) -> Result<T, Failed> {
    let body = admin_client::send(config, request.timeout(PATIENCE)).await?;
    let listen = config.admin.listen;
    serde_json::from_str(&body).map_err(|error| {
        Failed::work(format!("the Causeway at {listen} answers as another version does ({error})"))
    })
}
