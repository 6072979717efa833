//! A real Nacos 3.1.0: installed once per machine, started on free loopback ports, stopped by pid.
//!
//! ```text
//! install ── mvn, javac ──▶ {cache}/causeway-tests/nacos-3.1.0-bugfix-…   (once, under a file lock)
//! server  ── java ──▶ NacosServer (own ports, data and log)  ── http ──▶ NacosHttp (register, namespaces, …)
//! ```

mod beats;
mod filter;
mod http;
mod install;
mod ports;
mod server;

pub use beats::Beats;
pub use filter::{HttpFilter, Refused};
pub use http::{NacosHttp, Registration};
pub use install::{Installation, install};
pub use ports::NacosPorts;
pub use server::{ADMIN_PASSWORD, ADMIN_USER, NacosOptions, NacosServer};
