//! What every stand-in for an HTTP server has: connections that can be cut, faults that are ordered, a log of requests.
//!
//! ```text
//!  TCP/TLS ──▶ server ──▶ faults ──▶ StandIn::answer ──▶ HTTP
//!              (conn)     (record)
//! ```

mod conn;
mod faults;
mod record;
mod server;

pub use faults::{Fault, Faults, Scope};
pub(crate) use faults::{mix, unit};
pub use record::Recorded;

pub(crate) use record::Log;
pub(crate) use server::{Asked, Listening, Refusal, StandIn};
