//! Commands that change what others may rely on show first what they would do.

use std::io::{self, IsTerminal, Write};

use super::Failed;
use super::plan::Output;

#[derive(Debug, clap::Args)]
pub(super) struct Consent {
    /// Do it; without this it is shown only, and on a terminal you are asked
    #[arg(long)]
    yes: bool,

    /// How it is printed; JSON never asks
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(super) output: Output,
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Told so from the start.
    Yes,
    /// By a person, who may have thought for a while.
    YesAfterAWhile,
    No,
}

impl Consent {
    /// Whether it is to be done.
    pub(super) fn ask(&self, question: &str) -> Result<Answer, Failed> {
        let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
        if self.yes {
            return Ok(Answer::Yes);
        }
        if !terminal || self.output == Output::Json {
            return Ok(Answer::No);
        }
        let yes = ask_on_terminal(question).map_err(Failed::work)?;
        Ok(if yes { Answer::YesAfterAWhile } else { Answer::No })
    }
}

fn ask_on_terminal(question: &str) -> io::Result<bool> {
    let mut stderr = io::stderr().lock();
    write!(stderr, "{question} [y/N] ")?;
    stderr.flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}
