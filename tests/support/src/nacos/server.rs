//! One running Nacos.

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::{NacosHttp, NacosPorts, install};
use crate::process::{Failure, ServerProcess};
use crate::site::{START_TRIES, Site, start_anew, turn_to_start};

/// The user that a server with authentication has.
pub const ADMIN_USER: &str = "nacos";
/// That user's password.
pub const ADMIN_PASSWORD: &str = "causeway-tests";

const START_LIMIT: Duration = Duration::from_secs(300);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// As long as the server waits for its own database. Its default of 3 s is too short for a busy machine.
const DATABASE_LIMIT_MILLIS: u32 = 240_000;

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
    site: Site,
}

impl NacosServer {
    /// Installs Nacos where it is missing, starts it on free ports and waits until it serves.
    ///
    /// # Errors
    /// What is missing on this machine, or why the server doesn't start, with the end of its log.
    pub async fn start(options: NacosOptions) -> Result<Self, Failure> {
        start_anew(move || async move {
            let mut server = Self { options, site: Site::new("Nacos", &NacosPorts::OFFSETS, STOP_LIMIT)? };
            server.start_process().await?;
            Ok(server)
        })
        .await
    }

    /// Stops it and keeps its data. It must be running.
    pub fn stop(&mut self) {
        self.site.stop();
    }

    /// Starts it again on the same ports, `wipe`d or with its data. Ephemeral instances are gone in both cases.
    ///
    /// # Errors
    /// As [`NacosServer::start`].
    pub async fn start_again(&mut self, wipe: bool) -> Result<(), Failure> {
        // On a busy machine its own database may take longer than it waits for it.
        for _ in 1..START_TRIES {
            if self.try_again(wipe).await.is_ok() {
                return Ok(());
            }
        }
        self.try_again(wipe).await
    }

    async fn try_again(&mut self, wipe: bool) -> Result<(), Failure> {
        self.stop();
        if wipe {
            self.site.wipe()?;
        }
        self.start_process().await
    }

    /// Its ports.
    pub fn ports(&self) -> NacosPorts {
        NacosPorts::at(self.site.port())
    }

    /// `host:port` as a user of Causeway writes it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports().main)
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
        self.site.process_mut()
    }

    async fn start_process(&mut self) -> Result<(), Failure> {
        // Of two that start at once on a small machine, one may wait too long for its own database.
        let _turn = turn_to_start("nacos").await?;
        self.site.launch(self.command()?)?;
        let process = self.site.process_mut()?;
        process.wait_for_log("READY", "APPLICATION FAILED TO START", START_LIMIT).await?;
        if self.options.auth {
            self.http().create_admin(ADMIN_USER, ADMIN_PASSWORD).await?;
        }
        Ok(())
    }

    fn command(&self) -> Result<Command, Failure> {
        let installation = install()?;
        let home = self.site.home();
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
        let NacosPorts { main, console } = self.ports();
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
             db.pool.config.connection-timeout={DATABASE_LIMIT_MILLIS}\n\
             nacos.naming.push.pushTaskDelay={push_delay}\n"
        )
    }
}
