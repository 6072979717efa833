use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use super::LogFormat;
use super::progress::LogWriter;

/// A library that tells by itself what its user tells in words for people.
const QUIET: &str = "zookeeper_client=off";

/// Sends logs to stderr. `RUST_LOG` sets the levels; by default `run` tells what it does and other commands only warn.
pub(super) fn start(format: LogFormat, running: bool) {
    let default = if running { "info" } else { "warn" };
    let default = format!("{default},{QUIET}");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| LogWriter).with_target(false);
    match format {
        LogFormat::Json => builder.json().init(),
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).init(),
    }
}
