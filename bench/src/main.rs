//! Causeway as a process, beside a bare loop of the same requests.
//!
//! ```text
//!  scene (services.yaml, causeway.yaml) ──▶ causeway run ──HTTP──▶ stand-in for Kong, in this process ──▶ its log of requests
//!                                                                   ▲                                        │
//!                                          replay, another process ─┘◀───────── the same requests ───────────┘
//! ```

mod causeway;
mod first_pass;
mod memory;
mod propagation;
mod replay;
mod scene;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use causeway_test_support::kong::KongStandIn;
use causeway_test_support::process::Failure;
use clap::{Parser, Subcommand, ValueEnum};
use serde_json::json;

/// Causeway's default `concurrency`, and the bare loop's.
const CONCURRENCY: usize = 16;

/// Measures Causeway as a process against a stand-in for Kong.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Options {
    /// The program to measure: a release build
    #[arg(long, value_name = "PATH", help = "The program to measure [default: `causeway` beside this one]")]
    causeway: Option<PathBuf>,
    /// Registered services
    #[arg(long, default_value_t = 1000)]
    services: usize,
    /// Instances of each service
    #[arg(long, default_value_t = 10)]
    instances: usize,
    /// What the stand-in takes for each request, in milliseconds
    #[arg(long, default_value_t = 5)]
    latency: u64,
    /// First passes, each followed by a bare loop
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Instances that are added, changed and removed one by one
    #[arg(long, default_value_t = 20)]
    changes: usize,
    /// What to measure; everything by default
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::FirstPass, Part::Propagation, Part::Memory])]
    only: Vec<Part>,
    /// Write the results to this file as JSON too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// End with exit code 1 when a required bound is missed
    #[arg(long)]
    check: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    FirstPass,
    Propagation,
    Memory,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The bare loop, which the harness runs as a process of its own
    #[command(hide = true)]
    Replay(replay::Replay),
}

impl Options {
    fn binary(&self) -> Result<PathBuf, Failure> {
        let binary = match &self.causeway {
            Some(path) => path.clone(),
            None => std::env::current_exe()?.with_file_name("causeway"),
        };
        if !binary.is_file() {
            let shown = binary.display();
            return Err(
                format!("{shown} is not there: `cargo build --release`, or name it by --causeway").into()
            );
        }
        Ok(binary)
    }

    fn latency(&self) -> Duration {
        Duration::from_millis(self.latency)
    }

    /// An empty stand-in at the latency that is asked for.
    async fn kong(&self) -> KongStandIn {
        let kong = KongStandIn::start().await;
        kong.faults().set_latency(self.latency());
        kong
    }

    fn measures(&self, part: Part) -> bool {
        self.only.contains(&part)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options).await {
        Ok(code) => code,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<ExitCode, Failure> {
    if let Some(Command::Replay(replay)) = &options.command {
        tell(&replay::replay(replay).await?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Options { services, instances, latency, .. } = options;
    tell(&format!(
        "{services} services × {instances} instances, {latency} ms a request; median (least to greatest)\n"
    ))?;
    let mut results = json!({ "services": services, "instances": instances, "latency_ms": latency });
    let mut within_bounds = true;
    if options.measures(Part::FirstPass) {
        let measured = first_pass::measure(options).await?;
        tell(&measured.text())?;
        results["first_pass"] = measured.json();
        within_bounds &= measured.is_within_bounds();
    }
    if options.measures(Part::Propagation) {
        let measured = propagation::measure(options).await?;
        tell(&measured.text())?;
        results["propagation"] = measured.json();
        within_bounds &= measured.is_within_bounds();
    }
    if options.measures(Part::Memory) {
        let measured = memory::measure(options).await?;
        tell(&measured.text())?;
        results["memory"] = measured.json();
    }
    if let Some(path) = &options.json {
        std::fs::write(path, format!("{results:#}\n"))?;
    }
    tell(if within_bounds { "every required bound is kept" } else { "a required bound is MISSED" })?;
    Ok(if options.check && !within_bounds { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn tell(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}
