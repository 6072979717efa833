//! A server as a child process: its own log, stopped by pid, never left behind.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;
use tokio::time::Instant;

/// Why a server is not there.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Between two looks at a server that starts or stops.
const STEP: Duration = Duration::from_millis(20);

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

    /// Waits until it `is_ready`. A child that ends is given up at once, even when something is ready in its place.
    ///
    /// # Errors
    /// The reason, with the last 20 lines of the log.
    pub async fn wait_until<R: Future<Output = bool>>(
        &mut self,
        limit: Duration,
        mut is_ready: impl FnMut() -> R,
    ) -> Result<(), Failure> {
        let until = Instant::now() + limit;
        loop {
            let is_ready = is_ready().await;
            if let Some(status) = self.exited()? {
                return Err(self.failure(&format!("ended with {status} while starting")));
            }
            if is_ready {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(self.failure(&format!("was not ready within {} s", limit.as_secs())));
            }
            tokio::time::sleep(STEP).await;
        }
    }

    /// Waits until a line of the log is `ready`. A child that ends, or that logs `failed`, is given up at once.
    ///
    /// # Errors
    /// The reason, with the last 20 lines of the log.
    pub async fn wait_for_log(&mut self, ready: &str, failed: &str, limit: Duration) -> Result<(), Failure> {
        let path = self.log.clone();
        let has_failed = |log: &str| log.contains(failed);
        let is_decided = |log: &str| has_failed(log) || log.lines().any(|line| line == ready);
        self.wait_until(limit, || std::future::ready(is_decided(&read(&path)))).await?;
        if has_failed(&read(&path)) { Err(self.failure("failed to start")) } else { Ok(()) }
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
        let log = read(&self.log);
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(20)..].join("\n");
        format!("{} {what}; its log ({}) ends with:\n{tail}", self.name, self.log.display()).into()
    }

    /// Writes a line to the child's stdin.
    ///
    /// # Errors
    /// When the child no longer reads.
    pub fn write_line(&mut self, line: &str) -> Result<(), Failure> {
        let stdin = self.child.stdin.as_mut().ok_or("it has no stdin")?;
        Ok(stdin.write_all(format!("{line}\n").as_bytes())?)
    }

    /// All that the child has printed so far.
    pub fn log(&self) -> String {
        read(&self.log)
    }

    /// The child's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end by `SIGTERM`, waits, and kills it when it hasn't ended within the limit.
    pub fn stop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            blocking(|| self.terminate());
        }
    }

    fn terminate(&mut self) {
        self.signal("TERM");
        let mut waited = Duration::ZERO;
        while waited < self.stop_limit {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            pause(STEP);
            waited += STEP;
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

/// Lets the runtime's other tasks go on elsewhere while this one blocks its thread, where there are other threads.
fn blocking(act: impl FnOnce()) {
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    match flavor {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(act),
        _ => act(),
    }
}

fn read(log: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned()
}

#[expect(clippy::disallowed_methods, reason = "Drop can't await, and there may be no runtime left")]
fn pause(step: Duration) {
    std::thread::sleep(step);
}

#[expect(clippy::print_stderr, reason = "only tests and benchmarks read it")]
fn tell(message: &str) {
    eprintln!("{message}");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    /// A shell script as a server, and the folder of its log.
    fn started(script: &str) -> (ServerProcess, tempfile::TempDir) {
        let home = tempfile::tempdir().unwrap();
        let mut sh = Command::new("sh");
        sh.args(["-c", script]);
        let process = ServerProcess::start("it", sh, &home.path().join("log"), LIMIT);
        (process.unwrap(), home)
    }

    #[tokio::test]
    async fn what_is_ready_is_waited_for() {
        let (mut process, _home) = started("exec sleep 60");
        let mut looks = 0;
        let third = || {
            looks += 1;
            std::future::ready(looks == 3)
        };
        process.wait_until(LIMIT, third).await.unwrap();
        assert_eq!(looks, 3);
    }

    #[tokio::test]
    async fn what_never_is_ready_is_given_up_with_the_end_of_its_log() {
        let (mut process, _home) = started("echo far from it; exec sleep 60");
        process.wait_for_log("far from it", "nothing", LIMIT).await.unwrap();
        let never = process.wait_until(Duration::from_secs(1), || std::future::ready(false)).await;
        let told = never.unwrap_err().to_string();
        assert!(told.starts_with("it was not ready within 1 s; its log ("), "{told}");
        assert!(told.ends_with("ends with:\nfar from it"), "{told}");
    }

    #[tokio::test]
    async fn a_child_is_told_and_heard() {
        let (mut process, _home) = started("read line; echo \"got $line\"; exec sleep 60");
        process.write_line("word").unwrap();
        process.wait_for_log("got word", "FAILED", LIMIT).await.unwrap();
        assert_eq!(process.log(), "got word\n");
    }

    /// Servers may be stopped on every thread that there is.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn other_tasks_go_on_while_servers_are_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let (go, stopping) = (folder.path().join("go"), Arc::new(AtomicUsize::new(0)));
        let script = format!(
            "trap 'while [ ! -e {} ]; do sleep 0.01; done; exit 7' TERM; echo ready; while :; do sleep 0.01; done",
            go.display()
        );
        let stop = |_| {
            let (script, stopping) = (script.clone(), Arc::clone(&stopping));
            tokio::spawn(async move {
                let (mut process, _home) = started(&script);
                process.wait_for_log("ready", "nothing", LIMIT).await.unwrap();
                stopping.fetch_add(1, Ordering::SeqCst);
                process.stop();
                process.exited().unwrap().unwrap().code()
            })
        };
        let stops: Vec<_> = (0..2).map(stop).collect();
        tokio::spawn(async move {
            while stopping.load(Ordering::SeqCst) < 2 {
                tokio::time::sleep(STEP).await;
            }
            fs::write(go, "").unwrap();
        });
        for stop in stops {
            assert_eq!(stop.await.unwrap(), Some(7), "it was killed, since nobody let it end");
        }
    }

    /// Another server may answer on its port.
    #[tokio::test]
    async fn what_has_ended_is_not_ready() {
        let (mut process, _home) = started("echo the port is taken; exit 3");
        while process.exited().unwrap().is_none() {
            tokio::time::sleep(STEP).await;
        }
        let told = process.wait_until(LIMIT, || std::future::ready(true)).await.unwrap_err().to_string();
        assert!(told.starts_with("it ended with exit status: 3 while starting"), "{told}");
        assert!(told.ends_with("the port is taken"), "{told}");
    }

    #[tokio::test]
    async fn a_log_tells_that_a_server_is_ready_or_failed() {
        let (mut ready, _home) = started("echo NOT READY; echo READY; exec sleep 60");
        ready.wait_for_log("READY", "FAILED", LIMIT).await.unwrap();
        let (mut failed, _home) = started("echo START FAILED; exec sleep 60");
        let told = failed.wait_for_log("READY", "FAILED", LIMIT).await.unwrap_err().to_string();
        assert!(told.starts_with("it failed to start"), "{told}");
    }
}
