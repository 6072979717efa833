//! A real Consul 1.15.4: built once per machine, started on free loopback ports, stopped by pid.
//!
//! ```text
//! install ── go ──▶ {cache}/causeway-tests/consul-1.15.4-…   (once, under a file lock)
//! server  ── consul agent ──▶ ConsulServer (own ports, data and log)  ── http ──▶ ConsulHttp (register, ACL, …)
//! ```

mod http;
mod install;
mod registration;
mod server;

pub use http::ConsulHttp;
pub use install::install;
pub use registration::{NODE, Registration};
pub use server::{ConsulOptions, ConsulServer, MANAGEMENT_TOKEN};
