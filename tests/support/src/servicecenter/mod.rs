//! A real service-center 1.4.8 with its own etcd inside: built once per machine, started on free loopback ports, stopped by pid.
//!
//! ```text
//! install ── go ──▶ {cache}/causeway-tests/servicecenter-1.4.8-…   (once, under a file lock)
//! server  ── scserver ──▶ ServiceCenterServer (own ports, data and log)  ── http ──▶ ServiceCenterHttp (register, accounts, …)
//! ```

mod http;
mod install;
mod registration;
mod server;

pub use http::ServiceCenterHttp;
pub use install::install;
pub use registration::{Registration, Service};
pub use server::{ServiceCenterOptions, ServiceCenterServer};
