//! Nacos derives its ports from the main one, so all of them have to be free together.

use crate::ports::are_free;

/// The lowest port that is used lies so far below the main one.
const BELOW: u16 = 1000;

/// The ports of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NacosPorts {
    /// HTTP.
    pub main: u16,
    /// The console's HTTP.
    pub console: u16,
}

impl NacosPorts {
    /// From the lowest: JRaft, main, console, gRPC for clients, gRPC for servers.
    pub(super) const OFFSETS: [u16; 5] = [0, BELOW, BELOW + 2, BELOW + 1000, BELOW + 1001];

    /// Those of the server whose lowest port this is.
    pub(super) fn at(lowest: u16) -> Self {
        let main = lowest + BELOW;
        Self { main, console: main + 2 }
    }

    /// gRPC for clients.
    pub fn grpc(self) -> u16 {
        self.main + 1000
    }

    /// Whether nothing listens on any of them.
    pub fn all_free(self) -> bool {
        are_free(self.main - BELOW, &Self::OFFSETS)
    }
}
