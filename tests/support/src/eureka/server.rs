//! One running Eureka.

use std::process::Command;
use std::time::Duration;

use super::{EurekaHttp, install};
use crate::process::Failure;
use crate::site::{Site, start_anew};

/// A user who may always come in.
const USER: (&str, &str) = ("tester", "tester");

const START_LIMIT: Duration = Duration::from_secs(300);
const STOP_LIMIT: Duration = Duration::from_secs(60);

const JVM: [&str; 4] = ["-Xmx256m", "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// How a server is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct EurekaOptions {
    /// Whoever brings no user may do nothing.
    pub auth: bool,
    /// Answers come from a cache that is renewed each `n` seconds, as the server's own default is with 30.
    pub cache_seconds: Option<u32>,
    /// It gives no deltas.
    pub no_deltas: bool,
}

/// A running Eureka of our own, alone and without self preservation. Dropping it stops it. It keeps nothing when it is stopped.
#[derive(Debug)]
pub struct EurekaServer {
    options: EurekaOptions,
    site: Site,
}

impl EurekaServer {
    /// Packs Eureka where it is missing, starts it on a free port and waits until it serves.
    ///
    /// # Errors
    /// What is missing on this machine, or why the server doesn't start, with the end of its log.
    pub async fn start(options: EurekaOptions) -> Result<Self, Failure> {
        start_anew(move || async move {
            let mut server = Self { options, site: Site::new("Eureka", &[0], STOP_LIMIT)? };
            server.start_again().await?;
            Ok(server)
        })
        .await
    }

    /// Stops it.
    pub fn stop(&mut self) {
        self.site.stop();
    }

    /// Starts it again on the same port, knowing nothing.
    ///
    /// # Errors
    /// As [`EurekaServer::start`].
    pub async fn start_again(&mut self) -> Result<(), Failure> {
        self.site.launch(self.command()?)?;
        let (http, auth) = (&self.http(), self.options.auth);
        let is_ready = || async move {
            (!auth || http.admit(USER.0, USER.1).await.is_ok()) && http.get("/eureka/apps").await.is_ok()
        };
        self.site.process_mut()?.wait_until(START_LIMIT, is_ready).await
    }

    /// `host:port` as a user of Causeway writes it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.site.port())
    }

    /// Its HTTP API with every right.
    pub fn http(&self) -> EurekaHttp {
        let nobody = EurekaHttp::new(&format!("http://{}", self.address()));
        if self.options.auth { nobody.with_user(USER.0, USER.1) } else { nobody }
    }

    /// Whether nothing listens on its port.
    pub fn port_is_free(&self) -> bool {
        self.site.ports_are_free()
    }

    fn command(&self) -> Result<Command, Failure> {
        let mut java = Command::new("java");
        java.args(JVM).arg("-jar").arg(install()?);
        java.args(["--server.address=127.0.0.1", "--spring.application.name=eureka"]);
        java.arg(format!("--server.port={}", self.site.port()));
        java.arg(format!("--test.auth={}", self.options.auth));
        java.args(["--eureka.client.register-with-eureka=false", "--eureka.client.fetch-registry=false"]);
        java.args([
            "--eureka.server.enable-self-preservation=false",
            "--eureka.server.eviction-interval-timer-in-ms=1000",
            "--eureka.server.wait-time-in-ms-when-sync-empty=0",
            // A change that comes while the server makes an answer stays out of it until the next one comes, or for this long.
            "--eureka.server.response-cache-auto-expiration-in-seconds=1",
        ]);
        let cached = self.options.cache_seconds;
        java.arg(format!("--eureka.server.use-read-only-response-cache={}", cached.is_some()));
        let renewed = u64::from(cached.unwrap_or(1)) * 1000;
        java.arg(format!("--eureka.server.disable-delta={}", self.options.no_deltas));
        java.arg(format!("--eureka.server.response-cache-update-interval-ms={renewed}"));
        Ok(java)
    }
}
