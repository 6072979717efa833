//! One running service-center.

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::{ServiceCenterHttp, install};
use crate::process::Failure;
use crate::site::{Site, start_anew};

/// Who may do everything on a server with accounts. The server panics at a password that is less complicated.
const ROOT: (&str, &str) = ("root", "Complicated_password1");

const START_LIMIT: Duration = Duration::from_secs(180);
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// From the HTTP port: itself, and its etcd's for peers.
const OFFSETS: [u16; 2] = [0, 1];

/// How a server is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServiceCenterOptions {
    /// Whoever has no account may do nothing.
    pub accounts: bool,
    /// It doesn't register itself, so that nothing that it lists tells of a start without its data.
    pub unlisted: bool,
}

/// A running service-center of our own. Dropping it stops it and deletes its data.
#[derive(Debug)]
pub struct ServiceCenterServer {
    options: ServiceCenterOptions,
    site: Site,
}

impl ServiceCenterServer {
    /// Builds service-center where it is missing, starts it on free ports and waits until it serves.
    ///
    /// # Errors
    /// What is missing on this machine, or why the server doesn't start, with the end of its log.
    pub async fn start(options: ServiceCenterOptions) -> Result<Self, Failure> {
        start_anew(move || async move {
            let mut server = Self { options, site: Site::new("service-center", &OFFSETS, STOP_LIMIT)? };
            server.start_process().await?;
            Ok(server)
        })
        .await
    }

    /// Stops it; its data stay.
    pub fn stop(&mut self) {
        self.site.stop();
    }

    /// Starts it again on the same ports, `wipe`d or with its data.
    ///
    /// # Errors
    /// As [`ServiceCenterServer::start`].
    pub async fn start_again(&mut self, wipe: bool) -> Result<(), Failure> {
        self.stop();
        if wipe {
            self.site.wipe()?;
        }
        self.start_process().await
    }

    /// `host:port` as a user of Causeway writes it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.site.port())
    }

    /// Whether nothing listens on any of its ports.
    pub fn ports_are_free(&self) -> bool {
        self.site.ports_are_free()
    }

    /// Its HTTP API with every right.
    ///
    /// # Errors
    /// When root can't log in.
    pub async fn http(&self) -> Result<ServiceCenterHttp, Failure> {
        as_root(&self.nobody(), self.options).await
    }

    fn nobody(&self) -> ServiceCenterHttp {
        ServiceCenterHttp::new(&format!("http://{}", self.address()))
    }

    async fn start_process(&mut self) -> Result<(), Failure> {
        self.site.launch(self.command()?)?;
        let (nobody, options) = (&self.nobody(), self.options);
        // A server whose etcd can't start tries on without end, and one with unusable keys serves but lets nobody in.
        let is_ready = || is_ready(nobody, options);
        self.site.process_mut()?.wait_until(START_LIMIT, is_ready).await
    }

    fn command(&self) -> Result<Command, Failure> {
        let installed = install()?;
        let folder = self.site.home().join("conf");
        fs::create_dir_all(&folder)?;
        let etcd = format!("http://127.0.0.1:{}", self.site.port() + 1);
        let mut settings = format!(
            "runmode=prod\nhttpaddr=127.0.0.1\nhttpport={}\nssl_mode=0\nself_register={}\ndiscovery_plugin=etcd\n\
             uuid_plugin=\"context\"\nregistry_plugin=embeded_etcd\nmanager_name=\"sc-0\"\nmanager_addr=\"{etcd}\"\n\
             manager_cluster=\"sc-0={etcd}\"\n",
            self.site.port(),
            u8::from(!self.options.unlisted)
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
        server.current_dir(self.site.home());
        Ok(server)
    }
}

/// What makes a server healthy is its own registration.
async fn is_ready(nobody: &ServiceCenterHttp, options: ServiceCenterOptions) -> bool {
    match as_root(nobody, options).await {
        Ok(http) if options.unlisted => http.serves().await,
        Ok(http) => http.is_healthy().await,
        Err(_) => false,
    }
}

async fn as_root(
    nobody: &ServiceCenterHttp,
    options: ServiceCenterOptions,
) -> Result<ServiceCenterHttp, Failure> {
    if options.accounts { nobody.clone().logged_in(ROOT.0, ROOT.1).await } else { Ok(nobody.clone()) }
}
