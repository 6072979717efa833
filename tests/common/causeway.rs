//! The real binary, as a user runs it.
#![allow(dead_code)] // each test program uses a part of it

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use causeway_test_support::http_client;
use causeway_test_support::process::ServerProcess;
use causeway_test_support::usage::{self, Usage};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// Longer than anything takes that is waited for, on a busy machine.
const LIMIT: Duration = Duration::from_secs(90);

/// Longer than the program may take to stop, which it cuts short itself, on a busy machine.
const STOP_LIMIT: Duration = Duration::from_secs(60);

const STEP: Duration = Duration::from_millis(10);

/// A configuration in a folder of its own, and what is run with it. The folder is the working directory.
pub struct Causeway {
    folder: TempDir,
}

/// A `causeway run` in the background. Dropped, it is stopped.
pub struct RunningCauseway {
    process: ServerProcess,
    log: PathBuf,
}

impl Causeway {
    pub fn with(config: &str) -> Self {
        let causeway = Self { folder: TempDir::new().unwrap() };
        causeway.configure(config);
        causeway
    }

    /// Puts another configuration in the place of the present one.
    pub fn configure(&self, config: &str) {
        fs::write(self.folder().join("causeway.yaml"), config).unwrap();
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_causeway"));
        command.current_dir(self.folder()).args(arguments).args(["-c", "causeway.yaml"]);
        command.env_remove("RUST_LOG").stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, while stand-ins answer: exit code, stdout, stderr.
    pub async fn call(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = tokio::process::Command::from(self.command(arguments));
        let Output { status, stdout, stderr } = command.output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    }

    /// `causeway run`, with a log of its own.
    pub fn run(&self) -> RunningCauseway {
        let log = self.folder().join("run.log");
        let _ = fs::remove_file(&log);
        let process = ServerProcess::start("causeway", self.command(&["run"]), &log, STOP_LIMIT).unwrap();
        RunningCauseway { process, log }
    }
}

impl RunningCauseway {
    /// What it has logged so far.
    pub fn log(&self) -> String {
        String::from_utf8(fs::read(&self.log).unwrap()).unwrap()
    }

    /// What it uses now.
    pub fn usage(&self) -> Usage {
        usage::of(&self.process.pid().to_string()).unwrap()
    }

    /// How many lines of its log hold all of these words.
    pub fn told(&self, words: &[&str]) -> usize {
        self.log().lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }

    /// Waits until so many lines of its log hold all of these words.
    pub async fn until_told(&self, times: usize, words: &[&str]) {
        let deadline = Instant::now() + LIMIT;
        while self.told(words) < times {
            assert!(Instant::now() < deadline, "{words:?} was not told {times} times:\n{}", self.log());
            sleep(STEP).await;
        }
    }

    /// `kill -9`.
    pub async fn kill(mut self) {
        self.process.signal("KILL");
        self.ended().await;
    }

    /// `SIGTERM`; how it ended by itself.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.process.signal("TERM");
        self.ended().await
    }

    async fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + STOP_LIMIT;
        loop {
            if let Some(status) = self.process.exited().unwrap() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "still there {STOP_LIMIT:?} after the signal:\n{}",
                self.log()
            );
            sleep(STEP).await;
        }
    }

    /// Where its admin server listens, with the scheme.
    pub async fn admin_url(&self) -> String {
        self.until_told(1, &["starts", "admin="]).await;
        let log = self.log();
        let (_, rest) = log.split_once("admin=").unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    }

    /// A request to its admin server.
    pub async fn admin(&self, method: http::Method, path: &str) -> reqwest::RequestBuilder {
        http_client().request(method, format!("{}{path}", self.admin_url().await))
    }

    /// Status and body of a GET.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.admin(http::Method::GET, path).await.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Waits until its first pass is done.
    pub async fn until_ready(&self) {
        let deadline = Instant::now() + LIMIT;
        while self.get("/readyz").await.0 != 200 {
            assert!(Instant::now() < deadline, "its first pass is never done:\n{}", self.log());
            sleep(STEP).await;
        }
    }

    pub async fn status(&self) -> Value {
        serde_json::from_str(&self.get("/api/v1/status").await.1).unwrap()
    }
}
