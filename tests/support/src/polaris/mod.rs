//! A stand-in for the HTTP API of Polaris 1.18.1, over an in-memory store. It is no Polaris: no package registry has one.
//!
//! ```text
//!  crate::stand_in ──▶ server ──▶ handlers (by path) ──▶ store ──every second──▶ cache
//!  (faults, record)    (token)     messages, answers      writes                  all reads
//! ```
//!
//! It answers what a real Polaris with its embedded store answered when the exchanges under `data/polaris` were recorded; the
//! test `polaris_replay` replays them. With that come the real one's properties that clients must live with: what was written
//! shows when the cache is loaded again, up to a second later; and an instance that is deleted without having been changed
//! in the last five seconds is shown for ever ([`Builder::without_ghosts`] leaves that out, as a MySQL store does).
//!
//! ```no_run
//! # use causeway_test_support::polaris::PolarisStandIn;
//! # async fn example() {
//! let polaris = PolarisStandIn::start().await;
//! let one = serde_json::json!([{ "namespace": "default", "service": "orders", "host": "10.0.0.1", "port": 80 }]);
//! polaris.write("POST", "/naming/v1/instances", &one);
//! // … run what is tested against polaris.address() …
//! # }
//! ```

mod answers;
mod clock;
mod codes;
mod decode;
mod handlers;
mod messages;
mod server;
mod stand_in;
mod store;

pub use crate::stand_in::{Fault, Faults, Recorded, Scope};
pub use stand_in::{Builder, PolarisStandIn};
