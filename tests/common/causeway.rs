//! The real binary, as a user runs it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// A configuration in a folder of its own, and what is run with it.
pub struct Causeway {
    folder: tempfile::TempDir,
}

/// A `causeway run` in the background; killed when dropped.
pub struct RunningCauseway {
    child: Child,
    log: PathBuf,
}

impl Causeway {
    pub fn with(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("causeway.yaml"), config).unwrap();
        Self { folder }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_causeway"));
        command.current_dir(self.folder.path()).args(arguments).args(["-c", "causeway.yaml"]);
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command to its end: exit code, stdout, stderr.
    pub async fn call(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = tokio::process::Command::from(self.command(arguments));
        let Output { status, stdout, stderr } = command.output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    }

    /// `causeway run`, its log in a file.
    pub fn run(&self) -> RunningCauseway {
        let log = self.folder.path().join("run.log");
        let file = fs::File::options().create(true).append(true).open(&log).unwrap();
        let child = self.command(&["run"]).stdout(Stdio::null()).stderr(file).spawn().unwrap();
        RunningCauseway { child, log }
    }
}

impl RunningCauseway {
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// SIGTERM, and its exit code once it has ended by itself.
    pub async fn stop(mut self) -> i32 {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap();
            }
            assert!(
                begun.elapsed() < Duration::from_secs(12),
                "still there 12 s after SIGTERM:\n{}",
                self.log()
            );
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for RunningCauseway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
