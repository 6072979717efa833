//! One running Consul.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::{ConsulHttp, install};
use crate::ports::{are_free, free_ports};
use crate::process::{Failure, ServerProcess};

/// The token that may do everything on a server with ACLs.
pub const MANAGEMENT_TOKEN: &str = "5f3c1de2-8b0e-4b52-9d6f-0c9a4a2e7b11";

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Ports that are free when looked at may be taken when the server gets there.
const START_TRIES: usize = 3;
/// From the HTTP port: itself, gRPC, Serf for the LAN and for the WAN, RPC.
const OFFSETS: [u16; 5] = [0, 2, 3, 4, 5];

/// How a server is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConsulOptions {
    /// Whoever brings no token may do nothing.
    pub acl: bool,
    /// It keeps its data when it is stopped. Such a server takes two seconds to start; one without data, a third of a second.
    pub persistent: bool,
    /// How many connections one client may have. The server's own default is 200.
    pub connections: Option<u32>,
}

/// A running Consul of our own. Dropping it stops it and deletes its data.
#[derive(Debug)]
pub struct ConsulServer {
    options: ConsulOptions,
    port: u16,
    home: TempDir,
    starts: u32,
    process: Option<ServerProcess>,
}

impl ConsulServer {
    /// Builds Consul where it is missing, starts it on free ports and waits until it serves.
    ///
    /// # Errors
    /// What is missing on this machine, or why the server doesn't start, with the end of its log.
    pub async fn start(options: ConsulOptions) -> Result<Self, Failure> {
        let mut tries = 1;
        loop {
            let home = tempfile::Builder::new().prefix("causeway-consul-").tempdir()?;
            let port = free_ports("Consul", &OFFSETS)?;
            let mut server = Self { options, port, home, starts: 0, process: None };
            match server.start_process().await {
                Ok(()) => return Ok(server),
                Err(error) if tries == START_TRIES => return Err(error),
                Err(_) => tries += 1,
            }
        }
    }

    /// Stops it; what it keeps, it keeps.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again on the same ports, `wipe`d or with what it keeps.
    ///
    /// # Errors
    /// As [`ConsulServer::start`].
    pub async fn start_again(&mut self, wipe: bool) -> Result<(), Failure> {
        self.stop();
        if wipe && self.options.persistent {
            std::fs::remove_dir_all(self.home.path().join("data"))?;
        }
        self.start_process().await
    }

    /// `host:port` as a user of Causeway writes it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its process id.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn pid(&self) -> Result<u32, Failure> {
        Ok(self.process.as_ref().ok_or("Consul is stopped")?.pid())
    }

    /// Whether nothing listens on any of its ports.
    pub fn ports_are_free(&self) -> bool {
        are_free(self.port, &OFFSETS)
    }

    /// Its HTTP API with every right.
    pub fn http(&self) -> ConsulHttp {
        let nobody = ConsulHttp::new(&format!("http://{}", self.address()));
        if self.options.acl { nobody.with_token(MANAGEMENT_TOKEN) } else { nobody }
    }

    async fn start_process(&mut self) -> Result<(), Failure> {
        let command = self.command()?;
        self.starts += 1;
        let log = self.home.path().join(format!("start-{}.log", self.starts));
        let mut process = ServerProcess::start("Consul", command, &log, STOP_LIMIT)?;
        let (http, until) = (self.http(), Instant::now() + START_LIMIT);
        // It is its own first service, and in the catalogue once there is a leader.
        while !http.get("/v1/health/service/consul?passing").await.is_ok_and(|all| all[0]["Node"].is_object())
        {
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
        let ConsulOptions { acl, persistent, connections } = self.options;
        let mut consul = Command::new(install()?);
        consul.arg("agent");
        if persistent {
            consul.args(["-server", "-bootstrap-expect=1"]).arg(data_dir(self.home.path()));
            hcl(&mut consul, "performance { raft_multiplier = 1 }");
        } else {
            consul.arg("-dev");
        }
        let port = |offset: u16| self.port + offset;
        consul.args(["-node=consul-under-test", "-bind=127.0.0.1", "-client=127.0.0.1"]);
        consul.args(["-grpc-tls-port=-1", "-dns-port=-1", "-log-level=warn"]);
        consul.arg(format!("-http-port={}", port(0)));
        consul.arg(format!("-grpc-port={}", port(2)));
        consul.arg(format!("-serf-lan-port={}", port(3)));
        consul.arg(format!("-serf-wan-port={}", port(4)));
        consul.arg(format!("-server-port={}", port(5)));
        hcl(&mut consul, "disable_update_check = true");
        if acl {
            // The agent needs a token of its own that exists, or it complains without end.
            let tokens = format!(
                "tokens {{ initial_management = \"{MANAGEMENT_TOKEN}\" agent = \"{MANAGEMENT_TOKEN}\" }}"
            );
            hcl(&mut consul, &format!("acl {{ enabled = true default_policy = \"deny\" {tokens} }}"));
        }
        if let Some(connections) = connections {
            hcl(&mut consul, &format!("limits {{ http_max_conns_per_client = {connections} }}"));
        }
        Ok(consul)
    }
}

fn data_dir(home: &Path) -> String {
    format!("-data-dir={}", home.join("data").display())
}

fn hcl(consul: &mut Command, fragment: &str) {
    consul.args(["-hcl", fragment]);
}
