use std::io;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Outcome};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn print(args: &Args) -> Outcome {
    clap_complete::generate(args.shell, &mut Cli::command(), "causeway", &mut io::stdout());
    Ok(ExitCode::SUCCESS)
}
