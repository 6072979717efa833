//! Nacos, on real ones (3.1.0): as a source, as a destination, and its way to Kong. What restarts a server has its own.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../common/causeway.rs"]
mod causeway;
#[path = "../conformance/mod.rs"]
mod conformance;
mod destination;
#[path = "../conformance/end_to_end.rs"]
mod end_to_end;
mod harness;
#[path = "../conformance/polaris_sync.rs"]
mod polaris_sync;
mod restarts;
mod source;
mod to_kong;
mod to_kong_restarts;
