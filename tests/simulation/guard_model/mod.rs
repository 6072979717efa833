//! A model registry, a model gateway and a small reconciler around the real guard, in steps of one second.
//!
//! ```text
//!  script ──ops──▶ Registry (processes, what is registered) ──snapshots──▶ Guard ──verdicts──▶ Gateway
//!                                                                                     │
//!                                                                  Report: what was removed, and was it alive
//! ```

mod causeway;
mod registry;
mod script;
mod world;

pub use script::{At, Lost, Op, Script, Setup};
pub use world::{Report, run};
