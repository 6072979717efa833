//! A real Eureka 2.0.5 as Spring Cloud Netflix 4.1.6 serves it: packed once per machine, started on free loopback ports, stopped by pid.
//!
//! ```text
//! install ── mvn ──▶ {cache}/causeway-tests/eureka-2.0.5-…   (once, under a file lock)
//! server  ── java ──▶ EurekaServer (own port and log)  ── http ──▶ EurekaHttp (register, override, users, …)
//! ```

mod http;
mod install;
mod registration;
mod server;

pub use http::EurekaHttp;
pub use install::install;
pub use registration::Registration;
pub use server::{EurekaOptions, EurekaServer};
