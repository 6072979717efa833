//! One running Eureka.

use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::{EurekaHttp, install};
use crate::ports::{are_free, free_ports};
use crate::process::{Failure, ServerProcess};

/// A user who may always come in.
const USER: (&str, &str) = ("tester", "tester");

const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// A port that is free when looked at may be taken when the server gets there.
const START_TRIES: usize = 3;

const JVM: [&str; 4] = ["-Xmx256m", "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// How a server is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct EurekaOptions {
    /// Whoever brings no user may do nothing.
    pub auth: bool,
    /// Answers come from a cache that is renewed each `n` seconds, as the server's own default is with 30.
    pub cache_seconds: Option<u32>,
}

/// A running Eureka of our own, alone and without self preservation. Dropping it stops it. It keeps nothing when it is stopped.
#[derive(Debug)]
pub struct EurekaServer {
    options: EurekaOptions,
    port: u16,
    home: TempDir,
    starts: u32,
    process: Option<ServerProcess>,
}

impl EurekaServer {
    /// Packs Eureka where it is missing, starts it on a free port and waits until it serves.
    ///
    /// # Errors
    /// What is missing on this machine, or why the server doesn't start, with the end of its log.
    pub async fn start(options: EurekaOptions) -> Result<Self, Failure> {
        let mut tries = 1;
        loop {
            let home = tempfile::Builder::new().prefix("causeway-eureka-").tempdir()?;
            let port = free_ports("Eureka", &[0])?;
            let mut server = Self { options, port, home, starts: 0, process: None };
            match server.start_again().await {
                Ok(()) => return Ok(server),
                Err(error) if tries == START_TRIES => return Err(error),
                Err(_) => tries += 1,
            }
        }
    }

    /// Stops it.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again on the same port, knowing nothing.
    ///
    /// # Errors
    /// As [`EurekaServer::start`].
    pub async fn start_again(&mut self) -> Result<(), Failure> {
        self.stop();
        let command = self.command()?;
        self.starts += 1;
        let log = self.home.path().join(format!("start-{}.log", self.starts));
        let mut process = ServerProcess::start("Eureka", command, &log, STOP_LIMIT)?;
        let until = Instant::now() + START_LIMIT;
        while !self.serves().await {
            if let Some(status) = process.exited()? {
                return Err(process.failure(&format!("ended with {status} while starting")));
            }
            if Instant::now() > until {
                return Err(process.failure(&format!("was not ready within {} s", START_LIMIT.as_secs())));
            }
            sleep(Duration::from_millis(50)).await;
        }
        if process.exited()?.is_some() {
            return Err(process.failure("ended right after its start"));
        }
        self.process = Some(process);
        Ok(())
    }

    /// `host:port` as a user of Causeway writes it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its HTTP API with every right.
    pub fn http(&self) -> EurekaHttp {
        let nobody = EurekaHttp::new(&format!("http://{}", self.address()));
        if self.options.auth { nobody.with_user(USER.0, USER.1) } else { nobody }
    }

    /// Whether nothing listens on its port.
    pub fn port_is_free(&self) -> bool {
        are_free(self.port, &[0])
    }

    async fn serves(&self) -> bool {
        if self.options.auth && self.http().admit(USER.0, USER.1).await.is_err() {
            return false;
        }
        self.http().get("/eureka/apps").await.is_ok()
    }

    fn command(&self) -> Result<Command, Failure> {
        let mut java = Command::new("java");
        java.args(JVM).arg("-jar").arg(install()?);
        java.args(["--server.address=127.0.0.1", "--spring.application.name=eureka"]);
        java.arg(format!("--server.port={}", self.port));
        java.arg(format!("--test.auth={}", self.options.auth));
        java.args(["--eureka.client.register-with-eureka=false", "--eureka.client.fetch-registry=false"]);
        java.args([
            "--eureka.server.enable-self-preservation=false",
            "--eureka.server.eviction-interval-timer-in-ms=1000",
            "--eureka.server.wait-time-in-ms-when-sync-empty=0",
        ]);
        let cached = self.options.cache_seconds;
        java.arg(format!("--eureka.server.use-read-only-response-cache={}", cached.is_some()));
        let renewed = u64::from(cached.unwrap_or(1)) * 1000;
        java.arg(format!("--eureka.server.response-cache-update-interval-ms={renewed}"));
        Ok(java)
    }
}
