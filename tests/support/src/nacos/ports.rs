//! Nacos derives its ports from the main one, so all of them have to be free together.

use crate::ports::{are_free, free_ports};
use crate::process::Failure;

/// The lowest port that is used lies so far below the main one.
const BELOW: u16 = 1000;
/// From the lowest: JRaft, main, console, gRPC for clients, gRPC for servers.
const OFFSETS: [u16; 5] = [0, BELOW, BELOW + 2, BELOW + 1000, BELOW + 1001];

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

    /// Finds a free set.
    ///
    /// # Errors
    /// When there is none.
    pub fn free() -> Result<Self, Failure> {
        let main = free_ports("Nacos", &OFFSETS)? + BELOW;
        Ok(Self { main, console: main + 2 })
    }

    /// Whether nothing listens on any of them.
    pub fn all_free(self) -> bool {
        are_free(self.main - BELOW, &OFFSETS)
    }
}
