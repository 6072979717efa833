//! The `file` registry, on real files.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../common/causeway.rs"]
mod causeway;
#[path = "../conformance/mod.rs"]
mod conformance;
#[path = "../conformance/end_to_end.rs"]
mod end_to_end;
mod on_disk;
mod suite;
