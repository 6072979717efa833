//! One running service-center.

use std::fs;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::{ServiceCenterHttp, install};
use crate::ports::{are_free, free_ports};
use crate::process::{Failure, ServerProcess};

/// Who may do everything on a server with accounts. The server panics at a password that is less complicated.
const ROOT: (&str, &str) = ("root", "Complicated_password1");

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Ports that are free when looked at may be taken when the server gets there.
const START_TRIES: usize = 3;
/// From the HTTP port: itself, and its etcd's for peers.
const OFFSETS: [u16; 2] = [0, 1];

/// How a server is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServiceCenterOptions {
    /// Whoever has no account may do nothing.
    pub accounts: bool,
}

/// A running service-center of our own. Dropping it stops it and deletes its data.
#[derive(Debug)]
pub struct ServiceCenterServer {
    options: ServiceCenterOptions,
    port: u16,
    home: TempDir,
    starts: u32,
    process: Option<ServerProcess>,
}

impl ServiceCenterServer {
    /// Builds service-center where it is missing, starts it on free ports and waits until it serves.
    ///
    /// # Errors
    /// What is missing on this machine, or why the server doesn't start, with the end of its log.
    pub async fn start(options: ServiceCenterOptions) -> Result<Self, Failure> {
        let mut tries = 1;
        loop {
            let home = tempfile::Builder::new().prefix("causeway-servicecenter-").tempdir()?;
            let port = free_ports("service-center", &OFFSETS)?;
            let mut server = Self { options, port, home, starts: 0, process: None };
            match server.start_process().await {
                Ok(()) => return Ok(server),
                Err(error) if tries == START_TRIES => return Err(error),
                Err(_) => tries += 1,
            }
        }
    }

    /// Stops it; its data stay.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again on the same ports, `wipe`d or with its data.
    ///
    /// # Errors
    /// As [`ServiceCenterServer::start`].
    pub async fn start_again(&mut self, wipe: bool) -> Result<(), Failure> {
        self.stop();
        if wipe {
            fs::remove_dir_all(self.home.path().join("data"))?;
        }
        self.start_process().await
    }

    /// `host:port` as a user of Causeway writes it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Whether nothing listens on any of its ports.
    pub fn ports_are_free(&self) -> bool {
        are_free(self.port, &OFFSETS)
    }

    /// Its HTTP API with every right.
    ///
    /// # Errors
    /// When root can't log in.
    pub async fn http(&self) -> Result<ServiceCenterHttp, Failure> {
        let nobody = self.nobody();
        if self.options.accounts { nobody.logged_in(ROOT.0, ROOT.1).await } else { Ok(nobody) }
    }

    fn nobody(&self) -> ServiceCenterHttp {
        ServiceCenterHttp::new(&format!("http://{}", self.address()))
    }

    async fn start_process(&mut self) -> Result<(), Failure> {
        let command = self.command()?;
        self.starts += 1;
        let log = self.home.path().join(format!("start-{}.log", self.starts));
        let mut process = ServerProcess::start("service-center", command, &log, STOP_LIMIT)?;
        let until = Instant::now() + START_LIMIT;
        // A server whose etcd can't start tries on without end, and one with unusable keys serves but lets nobody in.
        while !(self.nobody().is_ready().await && self.http().await.is_ok()) {
            if let Some(status) = process.exited()? {
                return Err(process.failure(&format!("ended with {status} while starting")));
            }
            if Instant::now() > until {
                return Err(process.failure(&format!("was not ready within {} s", START_LIMIT.as_secs())));
            }
            sleep(Duration::from_millis(20)).await;
        }
        if process.exited()?.is_some() {
            return Err(process.failure("ended right after its start"));
        }
        self.process = Some(process);
        Ok(())
    }

    fn command(&self) -> Result<Command, Failure> {
        let installed = install()?;
        let folder = self.home.path().join("conf");
        fs::create_dir_all(&folder)?;
        let etcd = format!("http://127.0.0.1:{}", self.port + 1);
        let mut settings = format!(
            "runmode=prod\nhttpaddr=127.0.0.1\nhttpport={}\nssl_mode=0\nself_register=1\ndiscovery_plugin=etcd\n\
             uuid_plugin=\"context\"\nregistry_plugin=embeded_etcd\nmanager_name=\"sc-0\"\nmanager_addr=\"{etcd}\"\n\
             manager_cluster=\"sc-0={etcd}\"\n",
            self.port
        );
        let mut server = Command::new(installed.join("scserver"));
        if self.options.accounts {
            let key = |name: &str| installed.join(name).display().to_string();
            settings.push_str(&format!(
                "rbac_enabled=true\nrbac_rsa_public_key_file={}\nrbac_rsa_private_key_file={}\n",
                key("public.pem"),
                key("private.pem")
            ));
            server.env("SC_INIT_ROOT_PASSWORD", ROOT.1);
        }
        fs::write(folder.join("app.conf"), settings)?;
        // It finds its settings and keeps its data where it runs.
        server.current_dir(self.home.path());
        Ok(server)
    }
}
