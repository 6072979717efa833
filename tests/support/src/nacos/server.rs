//! One running Nacos.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::{NacosHttp, NacosPorts, install};
use crate::process::{Failure, ServerProcess};

/// The user that a server with authentication has.
pub const ADMIN_USER: &str = "nacos";
/// That user's password.
pub const ADMIN_PASSWORD: &str = "causeway-tests";

const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// Ports that are free when looked at may be taken when the JVM gets there.
const START_TRIES: usize = 3;

/// How a server is to be.
#[derive(Clone, Copy, Debug)]
pub struct NacosOptions {
    /// Clients and the console have to log in; the admin exists when the start returns.
    pub auth: bool,
    /// How long the server gathers changes before it pushes them. Its own default is 500 ms.
    pub push_delay: Duration,
}

impl Default for NacosOptions {
    fn default() -> Self {
        Self { auth: false, push_delay: Duration::from_millis(50) }
    }
}

/// A running Nacos 3.1.0 of our own. Dropping it stops it and deletes its data.
#[derive(Debug)]
pub struct NacosServer {
    options: NacosOptions,
    ports: NacosPorts,
    home: TempDir,
    starts: u32,
    process: Option<ServerProcess>,
}

impl NacosServer {
    /// Installs Nacos where it is missing, starts it on free ports and waits until it serves.
    ///
    /// # Errors
    /// What is missing on this machine, or why the server doesn't start, with the end of its log.
    pub async fn start(options: NacosOptions) -> Result<Self, Failure> {
        let mut tries = 1;
        loop {
            let home = tempfile::Builder::new().prefix("causeway-nacos-").tempdir()?;
            let ports = NacosPorts::free()?;
            let mut server = Self { options, ports, home, starts: 0, process: None };
            match server.start_process().await {
                Ok(()) => return Ok(server),
                Err(error) if tries == START_TRIES => return Err(error),
                Err(_) => tries += 1,
            }
        }
    }

    /// Stops it and keeps its data. It must be running.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again on the same ports, `wipe`d or with its data. Ephemeral instances are gone in both cases.
    ///
    /// # Errors
    /// As [`NacosServer::start`].
    pub async fn start_again(&mut self, wipe: bool) -> Result<(), Failure> {
        self.stop();
        let mut tries = 1;
        loop {
            if wipe {
                remove_if_there(&self.home.path().join("data"))?;
            }
            match self.start_process().await {
                // On a busy machine its own database may take longer than it waits for it.
                Err(_) if tries < START_TRIES => tries += 1,
                ended => return ended,
            }
        }
    }

    /// Its ports.
    pub fn ports(&self) -> NacosPorts {
        self.ports
    }

    /// `host:port` as a user of Causeway writes it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.main)
    }

    /// Its HTTP API, without credentials.
    pub fn http(&self) -> NacosHttp {
        NacosHttp::new(&format!("http://{}", self.address()))
    }

    /// Its HTTP API as the admin, or without credentials on a server that needs none.
    ///
    /// # Errors
    /// When the login fails.
    pub async fn admin(&self) -> Result<NacosHttp, Failure> {
        if self.options.auth { self.http().login(ADMIN_USER, ADMIN_PASSWORD).await } else { Ok(self.http()) }
    }

    /// The process, to freeze or to look at.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn process(&mut self) -> Result<&mut ServerProcess, Failure> {
        self.process.as_mut().ok_or_else(|| "Nacos is stopped".into())
    }

    async fn start_process(&mut self) -> Result<(), Failure> {
        let command = self.command()?;
        self.starts += 1;
        let log = self.home.path().join(format!("start-{}.log", self.starts));
        let mut process = ServerProcess::start("Nacos", command, &log, STOP_LIMIT)?;
        process.wait_for_log("READY", "APPLICATION FAILED TO START", START_LIMIT).await?;
        if self.options.auth {
            self.http().create_admin(ADMIN_USER, ADMIN_PASSWORD).await?;
        }
        if process.exited()?.is_some() {
            return Err(process.failure("ended right after its start"));
        }
        self.process = Some(process);
        Ok(())
    }

    fn command(&self) -> Result<Command, Failure> {
        let installation = install()?;
        let home = self.home.path();
        let conf = home.join("conf");
        fs::create_dir_all(&conf)?;
        fs::write(conf.join("application.properties"), self.properties())?;
        let home = home.display();
        let mut java = Command::new("java");
        java.args(["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .arg(format!("-Dnacos.home={home}"))
            .arg(format!("-Duser.home={home}"))
            .arg(format!("-Dderby.stream.error.file={home}/derby.log"))
            .args(["-Dnacos.standalone=true", "-Dnacos.deployment.type=merged"])
            .args(["-cp", &installation.class_path(), "NacosMain"])
            .arg(format!("--spring.config.additional-location=file:{}/", conf.display()));
        Ok(java)
    }

    fn properties(&self) -> String {
        let NacosPorts { main, console } = self.ports;
        let auth = self.options.auth;
        let push_delay = self.options.push_delay.as_millis();
        format!(
            "nacos.server.main.port={main}\n\
             nacos.console.port={console}\n\
             nacos.inetutils.ip-address=127.0.0.1\n\
             server.address=127.0.0.1\n\
             nacos.core.auth.enabled={auth}\n\
             nacos.core.auth.admin.enabled={auth}\n\
             nacos.core.auth.console.enabled={auth}\n\
             nacos.core.auth.system.type=nacos\n\
             nacos.core.auth.plugin.nacos.token.secret.key=Y2F1c2V3YXktdGVzdHMtY2F1c2V3YXktdGVzdHMtMDEyMzQ1Njc=\n\
             nacos.core.auth.server.identity.key=serverIdentity\n\
             nacos.core.auth.server.identity.value=security\n\
             nacos.core.api.compatibility.client.enabled=true\n\
             nacos.core.api.compatibility.admin.enabled=true\n\
             nacos.core.api.compatibility.console.enabled=true\n\
             server.tomcat.accesslog.enabled=false\n\
             nacos.naming.push.pushTaskDelay={push_delay}\n"
        )
    }
}

fn remove_if_there(folder: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
