//! Polaris, on the stand-in that answers as a real 1.18.1 was recorded to: as a source, as a destination, and its way to Kong.
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
mod source;
mod to_kong;
