//! Real ZooKeepers: installed once per machine and version, started on free loopback ports, stopped by pid.
//!
//! ```text
//! install ── mvn ──▶ {cache}/zookeeper-3.9.3-…   (once, under a file lock)
//! server  ── java ──▶ ZookeeperServer, alone or one of an ensemble  ── client ──▶ ZookeeperClient (nodes, rights)
//!                                                                      entries: what frameworks write into them
//! ```

mod client;
mod entries;
mod install;
mod server;

pub use client::ZookeeperClient;
pub use entries::{CuratorEntry, DubboProvider, Payload};
pub use install::Version;
pub use server::ZookeeperServer;
