//! Causeway as a process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use causeway_test_support::http_client;
use causeway_test_support::process::{Failure, ServerProcess};
use causeway_test_support::usage::{self, Usage};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::scene::Scene;

const STOP_LIMIT: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A running Causeway. Dropping it stops it.
pub(crate) struct Causeway {
    process: ServerProcess,
    pub(crate) started: Instant,
    log: PathBuf,
}

/// A line of its log.
pub(crate) struct Line {
    /// Seconds of the day (UTC), to the microsecond.
    pub(crate) second: f64,
    fields: Value,
}

impl Line {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields[name].as_str()
    }

    fn parse(text: &str) -> Option<Self> {
        let line: Value = serde_json::from_str(text).ok()?;
        // As in 2026-11-21T08:06:24.123456Z.
        let (_, time) = line["timestamp"].as_str()?.trim_end_matches('Z').split_once('T')?;
        let second =
            time.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))?;
        Some(Self { second, fields: line["fields"].clone() })
    }
}

impl Causeway {
    /// Starts the program `binary` on a scene, logging at `levels`.
    pub(crate) fn start(binary: &Path, scene: &Scene, levels: &str) -> Result<Self, Failure> {
        let log = scene.path("causeway.log");
        // What an earlier process on the same scene has logged.
        let _ = fs::remove_file(&log);
        let mut command = Command::new(binary);
        command.arg("run").arg("--config").arg(scene.config());
        command.args(["--log-format", "json"]).env("RUST_LOG", levels);
        let started = Instant::now();
        let process = ServerProcess::start("causeway", command, &log, STOP_LIMIT)?;
        Ok(Self { process, started, log })
    }

    pub(crate) fn usage(&self) -> Result<Usage, Failure> {
        usage::of(&self.process.pid().to_string())
    }

    /// Waits until `condition` holds; a process that ends before that is a failure.
    pub(crate) async fn wait_until(
        &mut self,
        what: &str,
        limit: Duration,
        condition: impl Fn() -> bool,
    ) -> Result<(), Failure> {
        let until = Instant::now() + limit;
        while !condition() {
            if let Some(status) = self.process.exited()? {
                return Err(self.process.failure(&format!("ended with {status}")));
            }
            if Instant::now() > until {
                return Err(self.process.failure(&format!("{what}: not within {} s", limit.as_secs())));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Waits until its first pass is done. Answers the URL of its admin API.
    pub(crate) async fn wait_until_ready(&mut self, limit: Duration) -> Result<String, Failure> {
        let until = Instant::now() + limit;
        let mut admin = None;
        while Instant::now() < until {
            if admin.is_none() {
                admin = self.lines(0).iter().find_map(|line| line.field("admin").map(str::to_owned));
            }
            if let Some(url) = &admin
                && self.get(url, "/readyz").await.is_ok()
            {
                return Ok(url.clone());
            }
            sleep(LOOK_EVERY).await;
        }
        Err(self.process.failure(&format!("not ready within {} s", limit.as_secs())))
    }

    /// The sum and count of the histogram of propagation times, in seconds.
    pub(crate) async fn propagation(&self, admin: &str) -> Result<(f64, f64), Failure> {
        let metrics = self.get(admin, "/metrics").await?;
        let value = |name: &str| {
            let line = metrics.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or_default()
        };
        Ok((value("causeway_propagation_seconds_sum"), value("causeway_propagation_seconds_count")))
    }

    async fn get(&self, admin: &str, path: &str) -> Result<String, Failure> {
        let response = http_client().get(format!("{admin}{path}")).send().await?;
        Ok(response.error_for_status()?.text().await?)
    }

    /// How much it has logged, in bytes.
    pub(crate) fn log_length(&self) -> usize {
        fs::metadata(&self.log).map_or(0, |metadata| usize::try_from(metadata.len()).unwrap_or(usize::MAX))
    }

    /// What it has logged since its log was `from` bytes long.
    pub(crate) fn lines(&self, from: usize) -> Vec<Line> {
        let log = fs::read(&self.log).unwrap_or_default();
        let new = String::from_utf8_lossy(log.get(from..).unwrap_or_default()).into_owned();
        new.lines().filter_map(Line::parse).collect()
    }
}
