//! The command line: one file per subcommand. Results go to stdout, logs to stderr.
//!
//! Exit codes: 0 fine, 1 failed or held, 2 usage or configuration, 3 differences: `plan --exit-code`, and what `adopt`, `prune` and
//! `uninstall` have shown and not done.

mod admin_client;
mod adopt;
mod completions;
mod consent;
mod list;
mod logging;
mod output;
mod pass;
mod plan;
mod progress;
mod prune;
mod release;
mod run;
mod schema;
mod status;
mod sync;
mod uninstall;
mod validate;
mod why;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config::{self, Config};

/// Carries service data out of registries into Kong, and from registry to registry.
#[derive(Debug, Parser)]
#[command(name = "causeway", version, about, max_term_width = 100)]
pub struct Cli {
    /// The configuration, YAML or JSON.
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        env = "CAUSEWAY_CONFIG",
        default_value = "conf/causeway.yaml"
    )]
    config: PathBuf,

    /// How logs are written to stderr.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,

    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch the registries and keep the destinations equal to them, until SIGTERM or Ctrl-C
    Run,
    /// Check the configuration and say where Causeway will behave differently from the tool it was written for
    Validate,
    /// Show what `run` would do now, touching nothing
    Plan(plan::Args),
    /// Make one full pass, then exit; 1 when something failed or is held
    Sync(sync::Args),
    Status(status::Args),
    Why(why::Args),
    /// Take over what stands under the names of a task's services: only tags change
    Adopt(adopt::Args),
    /// Remove what tasks have left that are not configured any more, and copies that none carries any more
    Prune(prune::Args),
    /// Remove everything that a task made, or hand it over
    Uninstall(uninstall::Args),
    /// Let go of what the guard of a registry holds in the running Causeway
    Release(release::Args),
    /// List the services of the registries as they are read now
    List(list::Args),
    /// Print the configuration's JSON Schema
    Schema,
    /// Print a completion script for a shell
    Completions(completions::Args),
}

/// A command could not do its work: exit code 1, or 2 when the input was wrong.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failed {
    code: u8,
    message: String,
}

impl Failed {
    fn work(message: impl ToString) -> Self {
        Self { code: 1, message: message.to_string() }
    }

    fn usage(message: impl ToString) -> Self {
        Self { code: 2, message: message.to_string() }
    }
}

type Outcome = Result<ExitCode, Failed>;

/// Parses the command line, does what it says, and answers the exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::start(cli.log_format, matches!(cli.command, Command::Run));
    causeway_gateways::http::install_crypto();
    match execute(&cli) {
        Ok(code) => code,
        Err(failed) => {
            output::error(&failed.message);
            ExitCode::from(failed.code)
        }
    }
}

fn execute(cli: &Cli) -> Outcome {
    match &cli.command {
        Command::Schema => schema::print(),
        Command::Completions(args) => completions::print(args),
        Command::Validate => validate::validate(&cli.config),
        command => {
            let config = load(cli)?;
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
            runtime.map_err(Failed::work)?.block_on(execute_async(command, config))
        }
    }
}

async fn execute_async(command: &Command, config: Config) -> Outcome {
    match command {
        Command::Run => run::run(config).await,
        Command::Plan(args) => plan::plan(config, args).await,
        Command::Sync(args) => sync::sync(config, args).await,
        Command::Status(args) => status::status(&config, args).await,
        Command::Why(args) => why::why(config, args).await,
        Command::Adopt(args) => adopt::adopt(config, args).await,
        Command::Prune(args) => prune::prune(&config, args).await,
        Command::Uninstall(args) => uninstall::uninstall(&config, args).await,
        Command::Release(args) => release::release(&config, args).await,
        Command::List(args) => list::list(config, args).await,
        Command::Schema | Command::Completions(_) | Command::Validate => Ok(ExitCode::SUCCESS),
    }
}

/// Loads the configuration and tells its warnings.
fn load(cli: &Cli) -> Result<Config, Failed> {
    let loaded = config::load(&cli.config).map_err(Failed::usage)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    Ok(loaded.config)
}
