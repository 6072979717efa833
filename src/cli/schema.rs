use std::process::ExitCode;

use super::{Outcome, output};
use crate::config;

pub(super) fn print() -> Outcome {
    output::json(&config::schema());
    Ok(ExitCode::SUCCESS)
}
