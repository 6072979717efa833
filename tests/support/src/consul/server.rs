//! One running Consul.

use std::process::Command;
use std::time::Duration;

use super::{ConsulHttp, install};
use crate::process::Failure;
use crate::site::{Site, start_anew};

/// The token that may do everything on a server with ACLs.
pub const MANAGEMENT_TOKEN: &str = "5f3c1de2-8b0e-4b52-9d6f-0c9a4a2e7b11";

const START_LIMIT: Duration = Duration::from_secs(180);
const STOP_LIMIT: Duration = Duration::from_secs(60);
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
    site: Site,
}

impl ConsulServer {
    /// Builds Consul where it is missing, starts it on free ports and waits until it serves.
    ///
    /// # Errors
    /// What is missing on this machine, or why the server doesn't start, with the end of its log.
    pub async fn start(options: ConsulOptions) -> Result<Self, Failure> {
        start_anew(move || async move {
            let mut server = Self { options, site: Site::new("Consul", &OFFSETS, STOP_LIMIT)? };
            server.start_process().await?;
            Ok(server)
        })
        .await
    }

    /// Stops it; what it keeps, it keeps.
    pub fn stop(&mut self) {
        self.site.stop();
    }

    /// Starts it again on the same ports, `wipe`d or with what it keeps.
    ///
    /// # Errors
    /// As [`ConsulServer::start`].
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

    /// Its process id.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn pid(&self) -> Result<u32, Failure> {
        Ok(self.site.process()?.pid())
    }

    /// Whether nothing listens on any of its ports.
    pub fn ports_are_free(&self) -> bool {
        self.site.ports_are_free()
    }

    /// Its HTTP API with every right.
    pub fn http(&self) -> ConsulHttp {
        let nobody = ConsulHttp::new(&format!("http://{}", self.address()));
        if self.options.acl { nobody.with_token(MANAGEMENT_TOKEN) } else { nobody }
    }

    async fn start_process(&mut self) -> Result<(), Failure> {
        self.site.launch(self.command()?)?;
        let http = &self.http();
        // It is its own first service, and in the catalogue once there is a leader.
        let is_ready = || async {
            let itself = http.get("/v1/health/service/consul?passing").await;
            itself.is_ok_and(|all| all[0]["Node"].is_object())
        };
        self.site.process_mut()?.wait_until(START_LIMIT, is_ready).await
    }

    fn command(&self) -> Result<Command, Failure> {
        let ConsulOptions { acl, persistent, connections } = self.options;
        let mut consul = Command::new(install()?);
        consul.arg("agent");
        if persistent {
            consul
                .args(["-server", "-bootstrap-expect=1"])
                .arg(format!("-data-dir={}", self.site.data().display()));
            hcl(&mut consul, "performance { raft_multiplier = 1 }");
        } else {
            consul.arg("-dev");
        }
        let port = |offset: u16| self.site.port() + offset;
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

fn hcl(consul: &mut Command, fragment: &str) {
    consul.args(["-hcl", fragment]);
}
