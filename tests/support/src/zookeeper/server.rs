//! One running ZooKeeper, alone or one of an ensemble.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Version;
use crate::process::Failure;
use crate::site::{Site, start_anew};

const START_LIMIT: Duration = Duration::from_secs(180);
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// A probe that comes too early is never answered.
const PROBE_LIMIT: Duration = Duration::from_millis(500);
/// Runs a server that goes with whoever started it: at SIGTERM, and when stdin ends, since ZooKeeper itself never looks at it. A
/// server that the tests of a file share is dropped by nobody.
const RUN: &str = r#"exec 3<&0
"$@" </dev/null &
server=$!
{ cat <&3 >/dev/null; kill "$server"; } 2>/dev/null &
trap 'kill "$server"' TERM
wait "$server"
status=$?
while kill -0 "$server" 2>/dev/null; do wait "$server"; status=$?; done
exit "$status""#;
/// At most as much memory as its own scripts give it: all data are in it, and with little left it does nothing but collect garbage.
const JVM: [&str; 4] = ["-Xms64m", "-Xmx1000m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
/// From the client port: itself, the quorum's, the election's.
const OFFSETS: [u16; 3] = [0, 1, 2];

/// A running ZooKeeper of our own. Dropping it stops it and deletes its data.
#[derive(Debug)]
pub struct ZookeeperServer {
    version: Version,
    site: Site,
    /// The lines of the ensemble that it belongs to; none when it stands alone.
    members: String,
    id: usize,
}

impl ZookeeperServer {
    /// Installs ZooKeeper where it is missing, starts a standalone server on free ports and waits until it serves.
    ///
    /// # Errors
    /// What is missing on this machine, or why the server doesn't start, with the end of its log.
    pub async fn start(version: Version) -> Result<Self, Failure> {
        start_anew(move || async move {
            let mut server = Self { version, site: site()?, members: String::new(), id: 1 };
            server.start_again(false).await?;
            Ok(server)
        })
        .await
    }

    /// As [`ZookeeperServer::start`], for an ensemble of three.
    ///
    /// # Errors
    /// As there, for any of them.
    pub async fn ensemble(version: Version) -> Result<Vec<Self>, Failure> {
        let sites = [site()?, site()?, site()?];
        let mut members = String::new();
        for (id, port) in (1..).zip(sites.each_ref().map(Site::port)) {
            writeln!(members, "server.{id}=127.0.0.1:{}:{}", port + 1, port + 2)?;
        }
        let one = |(id, site)| Self { version, site, members: members.clone(), id };
        let mut servers: Vec<Self> = (1..).zip(sites).map(one).collect();
        for server in &mut servers {
            server.launch()?;
        }
        for server in &mut servers {
            server.wait_until_ready().await?;
        }
        Ok(servers)
    }

    /// Stops it and keeps its data.
    pub fn stop(&mut self) {
        self.site.stop();
    }

    /// Starts it again on the same ports, `wipe`d or with its data. Sessions are data: their ephemeral nodes live on.
    ///
    /// # Errors
    /// As [`ZookeeperServer::start`].
    pub async fn start_again(&mut self, wipe: bool) -> Result<(), Failure> {
        self.stop();
        if wipe {
            self.site.wipe()?;
        }
        self.launch()?;
        self.wait_until_ready().await
    }

    /// `host:port` as a user of Causeway writes it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.site.port())
    }

    fn launch(&mut self) -> Result<(), Failure> {
        self.site.launch(self.command()?)
    }

    async fn wait_until_ready(&mut self) -> Result<(), Failure> {
        let address = self.address();
        self.site.process_mut()?.wait_until(START_LIMIT, || serves(&address)).await
    }

    fn command(&self) -> Result<Command, Failure> {
        let class_path = self.version.class_path()?;
        let data = self.site.data();
        fs::create_dir_all(&data)?;
        fs::write(data.join("myid"), self.id.to_string())?;
        let config = self.site.home().join("zoo.cfg");
        let settings = format!(
            "dataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\ntickTime=2000\ninitLimit=30\nsyncLimit=30\n\
             maxClientCnxns=0\nadmin.enableServer=false\n{}",
            data.display(),
            self.site.port(),
            self.members
        );
        fs::write(&config, settings)?;
        let mut java = Command::new("sh");
        java.args(["-c", RUN, "sh", "java"])
            .args(JVM)
            .args(["-cp", &class_path, "org.apache.zookeeper.server.quorum.QuorumPeerMain"])
            .arg(config);
        Ok(java)
    }
}

fn site() -> Result<Site, Failure> {
    Site::new("ZooKeeper", &OFFSETS, STOP_LIMIT)
}

/// Whether the server there tells its mode, which it does once it serves.
async fn serves(address: &str) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"srvr").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    matches!(timeout(PROBE_LIMIT, asked).await, Ok(Ok(answer)) if answer.contains("Mode:"))
}
