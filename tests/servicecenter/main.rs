//! Service-center, on real ones (1.4.8): as a source, as a destination, and its way to Kong.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../common/causeway.rs"]
mod causeway;
#[path = "../conformance/mod.rs"]
mod conformance;
mod destination;
#[path = "../conformance/end_to_end.rs"]
mod end_to_end;
mod harness;
mod restarts;
mod source;
mod to_kong;
