//! Stand-ins and real servers that tests and benchmarks run against.

mod http;
pub mod kong;
pub mod nacos;
pub mod process;
pub mod proxy;
pub mod tls;

pub use http::http_client;
