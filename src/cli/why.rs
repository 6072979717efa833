//! `causeway why`: the chain for one service, from its registration to what each node of the gateway makes of it, or to how its copies
//! stand in another registry.

pub(super) mod copies;
mod text;

use std::process::ExitCode;
use std::time::Duration;

use reqwest::Method;
use serde::Serialize;

use super::pass::Pass;
use super::plan::Output;
use super::{Failed, Outcome, admin_client, output};
use crate::config::Config;
use crate::reconcile::why::Why;

/// The running Causeway asks every node of its gateways meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

/// Explain one service: registered, matched, grouped, wanted, what the gateway or the other registry holds and why.
///
/// Exits with 1 when something of it fails, is in conflict or cannot be read, or when nobody knows it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The service: `service`, or `namespace/service`; between two registries by its name in either
    service: String,

    /// How the chain is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// The answer, and where it comes from.
#[derive(Debug, Serialize)]
struct Answer {
    told_by: Teller,
    /// What one should know about that.
    note: String,
    #[serde(flatten)]
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Teller {
    /// The Causeway that runs with this configuration.
    Running,
    /// A reading of registries and gateways made for the question.
    Reading,
}

pub(super) async fn why(config: Config, args: &Args) -> Outcome {
    let answer = match running(&config, &args.service).await {
        Ok(answer) => answer,
        Err(reason) => reading(&config, &args.service, &reason).await?,
    };
    match args.output {
        Output::Text => output::print(text::render(&answer, &args.service)),
        Output::Json => output::json(&answer),
    }
    Ok(if answer.why.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the running Causeway says, or why it cannot say it.
async fn running(config: &Config, service: &str) -> Result<Answer, String> {
    let request = admin_client::request(config, Method::GET, "/api/v1/why").map_err(|it| it.to_string())?;
    let request = request.query(&[("service", service)]).timeout(PATIENCE);
    let body = admin_client::send(config, request).await.map_err(|failed| failed.to_string())?;
    let listen = config.admin.listen;
    let why: Why = serde_json::from_str(&body)
        .map_err(|error| format!("the Causeway at {listen} answers as another version does ({error})"))?;
    if why.owner != config.owner {
        return Err(format!("the Causeway at {listen} is another deployment, `{}`", why.owner));
    }
    if why.is_nobodys() {
        return Err(format!("no task of the Causeway that runs at {listen} carries it"));
    }
    let mut note = format!("the Causeway that runs at {listen}");
    if why.config != config.fingerprint() {
        note.push_str(", which was started with another configuration than this one and goes by that");
    }
    Ok(Answer { told_by: Teller::Running, note, why })
}

async fn reading(config: &Config, service: &str, reason: &str) -> Result<Answer, Failed> {
    let pass = Pass::read_for(config, service).await?;
    let mut why = pass.supervisor.why(service).await;
    let slow = pass.unknown().into_iter().filter(|problem| !why.problems.contains(problem));
    let slow: Vec<String> = slow.collect();
    why.problems.extend(slow);
    let note = format!(
        "a reading made now, since {reason}; only a running one knows since when something is held or fails"
    );
    Ok(Answer { told_by: Teller::Reading, note, why })
}
