//! Tasks between registries in memory, on virtual time: the whole of Causeway's parts between two servers that lease, lag and count.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod explaining;
mod guarding;
mod handing_over;
mod leaving;
mod migrating;
mod narrowing;
mod scene;
mod server;
mod single_pass;
mod stories;
