//! A server as a child process: its own log, stopped by pid, never left behind.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::time::Instant;

/// Why a server is not there.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct ServerProcess {
    name: String,
    child: Child,
    log: PathBuf,
    stop_limit: Duration,
}

impl ServerProcess {
    /// Starts `command` with its output in the file `log` and a pipe as its stdin, whose end tells it that we are gone.
    ///
    /// # Errors
    /// When the log can't be made or the program can't be run.
    pub fn start(
        name: &str,
        mut command: Command,
        log: &Path,
        stop_limit: Duration,
    ) -> Result<Self, Failure> {
        let output = File::options().create(true).append(true).open(log)?;
        let errors = output.try_clone()?;
        let child = command
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("{name} can't be started: {error}"))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned(), stop_limit })
    }

    /// Waits until the log holds `ready`. A child that ends, or that logs `failed`, is given up at once.
    ///
    /// # Errors
    /// The reason, with the last 20 lines of the log.
    pub async fn wait_for_log(&mut self, ready: &str, failed: &str, limit: Duration) -> Result<(), Failure> {
        let until = Instant::now() + limit;
        loop {
            let ended = self.exited()?;
            let log = String::from_utf8_lossy(&fs::read(&self.log)?).into_owned();
            if let Some(status) = ended {
                return Err(self.failure(&format!("ended with {status} while starting")));
            }
            if log.contains(failed) {
                return Err(self.failure("failed to start"));
            }
            if log.lines().any(|line| line == ready) {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(self.failure(&format!("was not ready within {} s", limit.as_secs())));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How the child ended, if it did.
    ///
    /// # Errors
    /// When the system can't say.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>, Failure> {
        Ok(self.child.try_wait()?)
    }

    /// `what` happened to this server, and the last 20 lines of its log.
    pub fn failure(&self, what: &str) -> Failure {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(20)..].join("\n");
        format!("{} {what}; its log ({}) ends with:\n{tail}", self.name, self.log.display()).into()
    }

    /// The child's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end by `SIGTERM`, waits, and kills it when it hasn't ended within the limit.
    pub fn stop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        self.signal("TERM");
        let step = Duration::from_millis(20);
        let mut waited = Duration::ZERO;
        while waited < self.stop_limit {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            pause(step);
            waited += step;
        }
        // It may have ended between the last look and now, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by its name without `SIG` (`STOP`, `CONT`, …).
    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", signal, &pid]).status();
        if let Err(error) = sent {
            tell(&format!("{} can't be signalled: {error}", self.name));
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

#[expect(clippy::disallowed_methods, reason = "Drop can't await, and there may be no runtime left")]
fn pause(step: Duration) {
    std::thread::sleep(step);
}

#[expect(clippy::print_stderr, reason = "only tests and benchmarks read it")]
fn tell(message: &str) {
    eprintln!("{message}");
}
