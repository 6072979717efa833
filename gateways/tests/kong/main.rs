//! Kong as a gateway, against the stand-in that answers as real ones did, and `kong.yml` on real files.
#![allow(clippy::unwrap_used, missing_docs)]

mod admin_api;
mod connection;
mod dbless;
mod dbless_cluster;
mod dbless_doubt;
mod faults;
mod file;
mod support;
