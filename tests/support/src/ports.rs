//! Loopback ports for servers.

use std::fs::{self, File, TryLockError};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use crate::process::Failure;

/// They are all below the range that the system gives to outgoing connections, so that none of these takes one while its server
/// starts or is stopped.
const BASES: std::ops::Range<u16> = 11_000..30_000;
const TRIES: usize = 200;

/// Ports `base + offset` of one server. While this lives no other test takes them, in whatever process, so that a server that is
/// stopped for a while finds them free when it starts again.
#[derive(Debug)]
pub struct Ports {
    base: u16,
    offsets: &'static [u16],
    /// A lock for each port, which ends with us, however that comes.
    _locks: Vec<File>,
}

impl Ports {
    /// Reserves ports that nobody uses.
    ///
    /// # Errors
    /// When none of many random bases will do, or no locks can be had in the folder for temporary files.
    pub fn reserve(server: &str, offsets: &'static [u16]) -> Result<Self, Failure> {
        for _ in 0..TRIES {
            let bytes = uuid::Uuid::new_v4();
            let random = u16::from_ne_bytes([bytes.as_bytes()[0], bytes.as_bytes()[1]]);
            let base = BASES.start + random % (BASES.end - BASES.start);
            if let Some(ports) = Self::reserve_at(base, offsets)? {
                return Ok(ports);
            }
        }
        Err(format!("no free set of loopback ports for {server} was found").into())
    }

    /// Reserves these ports, unless one is used or reserved.
    fn reserve_at(base: u16, offsets: &'static [u16]) -> Result<Option<Self>, Failure> {
        let folder = std::env::temp_dir().join("causeway-test-ports");
        fs::create_dir_all(&folder)?;
        let mut locks = Vec::new();
        for offset in offsets {
            // It stays when it is unlocked: whoever waited for a file that is removed then would hold a lock on nothing.
            let lock = File::create(folder.join(format!("{}.lock", base + offset)))?;
            match lock.try_lock() {
                Ok(()) => locks.push(lock),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        Ok(are_free(base, offsets).then_some(Self { base, offsets, _locks: locks }))
    }

    /// The port at offset 0, which is used or not.
    pub fn base(&self) -> u16 {
        self.base
    }

    /// Whether nobody uses any of them.
    pub(crate) fn are_free(&self) -> bool {
        are_free(self.base, self.offsets)
    }
}

/// Whether nobody uses any of these ports, by TCP or UDP.
pub(crate) fn are_free(base: u16, offsets: &[u16]) -> bool {
    offsets.iter().all(|offset| {
        let address = (Ipv4Addr::UNSPECIFIED, base + offset);
        TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    const OFFSETS: [u16; 2] = [0, 7];
    /// Tells [`another_process`] what to look at.
    const ASKED: &str = "CAUSEWAY_TEST_PORT";

    /// Whether another process could reserve this port.
    fn another_could_reserve(port: u16) -> bool {
        let mut test = Command::new(std::env::current_exe().unwrap());
        test.args(["--exact", "ports::tests::another_process", "--ignored"]).env(ASKED, port.to_string());
        let output = test.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("running 1 test"), "{said}");
        output.status.success()
    }

    /// A child that another test starts has our locks from its fork to its exec, so what we let go may be held for that long.
    async fn eventually(is_free: impl Fn() -> bool) {
        let until = Instant::now() + Duration::from_secs(60);
        while !is_free() {
            assert!(Instant::now() < until, "held for ever");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ports below those that servers get, so that nobody else takes them when they are let go.
    fn reserved() -> Ports {
        let mut below = (BASES.start - 1000..BASES.start).step_by(8);
        below.find_map(|base| Ports::reserve_at(base, &OFFSETS).unwrap()).unwrap()
    }

    #[test]
    #[ignore = "run by a_server_keeps_its_ports_while_it_is_stopped in a process of its own"]
    fn another_process() {
        let port = std::env::var(ASKED).unwrap().parse().unwrap();
        assert!(Ports::reserve_at(port, &[0]).unwrap().is_some(), "{port} is taken");
    }

    #[tokio::test]
    async fn a_server_keeps_its_ports_while_it_is_stopped() {
        let ports = reserved();
        let base = ports.base();
        assert!(ports.are_free(), "nobody listens");
        for port in [base, base + 7] {
            assert!(Ports::reserve_at(port, &[0]).unwrap().is_none(), "{port} is reserved in this process");
            assert!(!another_could_reserve(port), "{port} is reserved for other processes");
        }
        drop(ports);
        eventually(|| another_could_reserve(base) && another_could_reserve(base + 7)).await;
    }

    #[tokio::test]
    async fn ports_that_somebody_else_listens_on_are_not_reserved() {
        let ports = reserved();
        let base = ports.base();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, base + 7)).unwrap();
        assert!(!ports.are_free());
        drop(ports);
        assert!(Ports::reserve_at(base, &OFFSETS).unwrap().is_none());
        drop(listener);
        eventually(|| Ports::reserve_at(base, &OFFSETS).unwrap().is_some()).await;
    }
}
