//! Nacos derives its ports from the main one, so all of them have to be free together.

use std::net::{Ipv4Addr, TcpListener};

use crate::process::Failure;

/// The ports of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NacosPorts {
    /// HTTP.
    pub main: u16,
    /// The console's HTTP.
    pub console: u16,
}

impl NacosPorts {
    /// gRPC for clients.
    pub fn grpc(self) -> u16 {
        self.main + 1000
    }

    /// Finds a free set. They are below the range that the system gives to outgoing connections, so that none of
    /// these takes one between the check and the server's start.
    ///
    /// # Errors
    /// When none of 200 random sets is free.
    pub fn free() -> Result<Self, Failure> {
        for _ in 0..200 {
            let random = u16::from_ne_bytes([random_byte(), random_byte()]);
            let main = 11_000 + random % 20_000;
            let ports = Self { main, console: main + 2 };
            if ports.all_free() {
                return Ok(ports);
            }
        }
        Err("no free set of loopback ports for Nacos was found".into())
    }

    /// Whether nothing listens on any of them.
    pub fn all_free(self) -> bool {
        let main = self.main;
        [main - 1000, main, self.console, main + 1000, main + 1001]
            .into_iter()
            .all(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok())
    }
}

fn random_byte() -> u8 {
    uuid::Uuid::new_v4().as_bytes()[0]
}
