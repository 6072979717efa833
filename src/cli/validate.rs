use std::path::Path;
use std::process::ExitCode;

use super::{Failed, Outcome, output};
use crate::config;

pub(super) fn validate(path: &Path) -> Outcome {
    let loaded = config::load(path).map_err(Failed::usage)?;
    for warning in &loaded.warnings {
        output::line(format_args!("warning: {warning}"));
    }
    let config = &loaded.config;
    output::line(format_args!(
        "{}: valid ({} tasks, {} registries, {} gateways, {} warnings)",
        path.display(),
        config.tasks.len(),
        config.registries.len(),
        config.gateways.len(),
        loaded.warnings.len()
    ));
    Ok(ExitCode::SUCCESS)
}
