//! One running ZooKeeper, alone or one of an ensemble.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::Version;
use crate::ports::free_ports;
use crate::process::{Failure, ServerProcess};

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// A probe that comes too early is never answered.
const PROBE_LIMIT: Duration = Duration::from_millis(500);
/// Ports that are free when looked at may be taken when the JVM gets there.
const START_TRIES: usize = 3;
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
/// From the client port: itself, the quorum's, the election's.
const OFFSETS: [u16; 3] = [0, 1, 2];

/// A running ZooKeeper of our own. Dropping it stops it and deletes its data.
#[derive(Debug)]
pub struct ZookeeperServer {
    version: Version,
    port: u16,
    /// The lines of the ensemble that it belongs to; none when it stands alone.
    members: String,
    id: usize,
    home: TempDir,
    starts: u32,
    process: Option<ServerProcess>,
}

impl ZookeeperServer {
    /// Installs ZooKeeper where it is missing, starts a standalone server on free ports and waits until it serves.
    ///
    /// # Errors
    /// What is missing on this machine, or why the server doesn't start, with the end of its log.
    pub async fn start(version: Version) -> Result<Self, Failure> {
        let mut tries = 1;
        loop {
            let mut server = Self::on(version, free_ports("ZooKeeper", &OFFSETS)?, 1, String::new())?;
            match server.start_again(false).await {
                Ok(()) => return Ok(server),
                Err(error) if tries == START_TRIES => return Err(error),
                Err(_) => tries += 1,
            }
        }
    }

    /// As [`ZookeeperServer::start`], for an ensemble of three.
    ///
    /// # Errors
    /// As there, for any of them.
    pub async fn ensemble(version: Version) -> Result<Vec<Self>, Failure> {
        let mut ports = Vec::new();
        while ports.len() < 3 {
            let port = free_ports("ZooKeeper", &OFFSETS)?;
            if ports.iter().all(|taken: &u16| taken.abs_diff(port) > 2) {
                ports.push(port);
            }
        }
        let mut members = String::new();
        for (index, port) in ports.iter().enumerate() {
            writeln!(members, "server.{}=127.0.0.1:{}:{}", index + 1, port + 1, port + 2)?;
        }
        let one = |(index, port): (usize, &u16)| Self::on(version, *port, index + 1, members.clone());
        let mut servers = ports.iter().enumerate().map(one).collect::<Result<Vec<_>, _>>()?;
        for server in &mut servers {
            server.launch()?;
        }
        for server in &mut servers {
            server.wait_until_ready().await?;
        }
        Ok(servers)
    }

    fn on(version: Version, port: u16, id: usize, members: String) -> Result<Self, Failure> {
        let home = tempfile::Builder::new().prefix("causeway-zookeeper-").tempdir()?;
        Ok(Self { version, port, members, id, home, starts: 0, process: None })
    }

    /// Stops it and keeps its data.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again on the same ports, `wipe`d or with its data. Sessions are data: their ephemeral nodes live on.
    ///
    /// # Errors
    /// As [`ZookeeperServer::start`].
    pub async fn start_again(&mut self, wipe: bool) -> Result<(), Failure> {
        self.stop();
        if wipe {
            fs::remove_dir_all(self.home.path().join("data"))?;
        }
        self.launch()?;
        self.wait_until_ready().await
    }

    /// `host:port` as a user of Causeway writes it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn launch(&mut self) -> Result<(), Failure> {
        let command = self.command()?;
        self.starts += 1;
        let log = self.home.path().join(format!("start-{}.log", self.starts));
        self.process = Some(ServerProcess::start("ZooKeeper", command, &log, STOP_LIMIT)?);
        Ok(())
    }

    async fn wait_until_ready(&mut self) -> Result<(), Failure> {
        let (address, until) = (self.address(), Instant::now() + START_LIMIT);
        let process = self.process.as_mut().ok_or("ZooKeeper is stopped")?;
        loop {
            let serves = serves(&address).await;
            if let Some(status) = process.exited()? {
                return Err(process.failure(&format!("ended with {status} while starting")));
            }
            if serves {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(process.failure(&format!("was not ready within {} s", START_LIMIT.as_secs())));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn command(&self) -> Result<Command, Failure> {
        let class_path = self.version.class_path()?;
        let home = self.home.path();
        let data = home.join("data");
        fs::create_dir_all(&data)?;
        fs::write(data.join("myid"), self.id.to_string())?;
        let config = home.join("zoo.cfg");
        let settings = format!(
            "dataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\ntickTime=2000\ninitLimit=30\nsyncLimit=30\n\
             maxClientCnxns=0\nadmin.enableServer=false\n{}",
            data.display(),
            self.port,
            self.members
        );
        fs::write(&config, settings)?;
        let mut java = Command::new("sh");
        java.args(["-c", RUN, "sh", "java"])
            .args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .args(["-cp", &class_path, "org.apache.zookeeper.server.quorum.QuorumPeerMain"])
            .arg(config);
        Ok(java)
    }
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
