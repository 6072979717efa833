//! Where a server of our own lives: its folder, its ports, and its process while it runs.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::ports::Ports;
use crate::process::{Failure, ServerProcess};

/// Ports that are free when looked at may be taken when the server gets there, by somebody who is no test of ours.
pub(crate) const START_TRIES: usize = 3;
/// Between two looks at whose turn it is.
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// One server's place. Dropping it stops the server, deletes its data and gives its ports back, in this order.
#[derive(Debug)]
pub(crate) struct Site {
    name: &'static str,
    stop_limit: Duration,
    starts: u32,
    process: Option<ServerProcess>,
    home: TempDir,
    ports: Ports,
}

impl Site {
    /// A new place for the server `name` with ports `base + offset` of its own.
    ///
    /// # Errors
    /// When there is no room for its folder, or no ports.
    pub(crate) fn new(
        name: &'static str,
        offsets: &'static [u16],
        stop_limit: Duration,
    ) -> Result<Self, Failure> {
        let prefix = format!("causeway-{}-", name.to_lowercase());
        let home = tempfile::Builder::new().prefix(&prefix).tempdir()?;
        let ports = Ports::reserve(name, offsets)?;
        Ok(Self { name, stop_limit, starts: 0, process: None, home, ports })
    }

    /// The first of its ports, which the offsets count from.
    pub(crate) fn port(&self) -> u16 {
        self.ports.base()
    }

    /// Whether nobody listens on any of its ports.
    pub(crate) fn ports_are_free(&self) -> bool {
        self.ports.are_free()
    }

    /// Its own folder.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where its data are.
    pub(crate) fn data(&self) -> PathBuf {
        self.home().join("data")
    }

    /// Deletes its data, if there are any.
    ///
    /// # Errors
    /// When they can't be deleted.
    pub(crate) fn wipe(&self) -> Result<(), Failure> {
        match fs::remove_dir_all(self.data()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Stops the server, if it runs.
    pub(crate) fn stop(&mut self) {
        self.process = None;
    }

    /// The running server.
    ///
    /// # Errors
    /// When it is stopped.
    pub(crate) fn process(&self) -> Result<&ServerProcess, Failure> {
        self.process.as_ref().ok_or_else(|| format!("{} is stopped", self.name).into())
    }

    /// The running server, to change it.
    ///
    /// # Errors
    /// When it is stopped.
    pub(crate) fn process_mut(&mut self) -> Result<&mut ServerProcess, Failure> {
        self.process.as_mut().ok_or_else(|| format!("{} is stopped", self.name).into())
    }

    /// Runs the server, with a log of its own for each start. One that still runs is stopped first.
    ///
    /// # Errors
    /// As [`ServerProcess::start`].
    pub(crate) fn launch(&mut self, command: Command) -> Result<(), Failure> {
        self.stop();
        self.starts += 1;
        let log = self.home().join(format!("start-{}.log", self.starts));
        self.process = Some(ServerProcess::start(self.name, command, &log, self.stop_limit)?);
        Ok(())
    }
}

/// Starts a server, and where that fails once more on other ports, a few times.
///
/// # Errors
/// That of the last try.
pub(crate) async fn start_anew<S, F>(mut start: impl FnMut() -> F) -> Result<S, Failure>
where
    F: Future<Output = Result<S, Failure>>,
{
    let mut tries = 1;
    loop {
        match start().await {
            Err(_) if tries < START_TRIES => tries += 1,
            ended => return ended,
        }
    }
}

/// Waits for the turn to start a server that needs much of the machine to start, and would give up were another one starting beside
/// it. The turn ends when this is dropped, or with us; other processes wait too.
///
/// # Errors
/// When no lock can be had in the folder for temporary files.
pub(crate) async fn turn_to_start(server: &str) -> Result<File, Failure> {
    let path = std::env::temp_dir().join(format!("causeway-test-start-{server}.lock"));
    let lock = File::create(path)?;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(BETWEEN_TRIES).await,
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_start_is_tried_a_few_times() {
        for (good_at, tried) in [(1, 1), (3, 3), (4, 3)] {
            let mut tries = 0;
            let started = start_anew(|| {
                tries += 1;
                let good = if tries >= good_at { Ok(()) } else { Err("the port is taken".into()) };
                std::future::ready(good)
            });
            assert_eq!(started.await.is_ok(), good_at <= START_TRIES);
            assert_eq!(tries, tried);
        }
    }

    #[tokio::test]
    async fn one_start_at_a_time() {
        let name = uuid::Uuid::new_v4().to_string();
        let first = turn_to_start(&name).await.unwrap();
        let mut second = Box::pin(turn_to_start(&name));
        assert!(tokio::time::timeout(BETWEEN_TRIES * 3, &mut second).await.is_err(), "it waits");
        turn_to_start(&format!("{name}-other")).await.unwrap();
        drop(first);
        second.await.unwrap();
        for lock in [name.clone(), format!("{name}-other")] {
            fs::remove_file(std::env::temp_dir().join(format!("causeway-test-start-{lock}.lock"))).unwrap();
        }
    }

    #[tokio::test]
    async fn each_start_has_a_log_and_what_is_dropped_is_stopped() {
        let mut site = Site::new("sleeper", &[0], Duration::from_secs(5)).unwrap();
        assert_eq!(site.process().unwrap_err().to_string(), "sleeper is stopped");
        let sleeping = || {
            let mut command = Command::new("sleep");
            command.arg("60");
            command
        };
        site.launch(sleeping()).unwrap();
        site.launch(sleeping()).unwrap();
        assert!(site.home().join("start-1.log").is_file() && site.home().join("start-2.log").is_file());
        fs::create_dir(site.data()).unwrap();
        site.wipe().unwrap();
        site.wipe().unwrap();
        let (home, pid) = (site.home().to_owned(), site.process().unwrap().pid());
        drop(site);
        assert!(!home.exists() && !Path::new(&format!("/proc/{pid}")).exists());
    }
}
