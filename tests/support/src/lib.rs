//! Stand-ins and real servers that tests and benchmarks run against.

pub mod consul;
pub mod dubbo;
pub mod eureka;
mod http;
mod install;
pub mod kong;
pub mod nacos;
pub mod polaris;
mod ports;
pub mod process;
pub mod proxy;
pub mod servicecenter;
mod site;
mod stand_in;
pub mod stats;
pub mod tls;
pub mod usage;
pub mod zookeeper;

pub use http::http_client;
pub use ports::Ports;
