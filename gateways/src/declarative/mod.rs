//! Declarative documents of Kong's, as decK and Kong without a database know them, and gateways that are one document.
//!
//! ```text
//!  plans ─▶ commit (those that come together, together) ─▶ document ─ emit ─▶ place: a file | nodes without a database
//!                                                             ▲                  │
//!                    base: FILE ─ parse ──────────────────────┴───── parse ◀─────┘ what others put there
//!                                 node tree (scalars as written)
//! ```

mod base;
mod commit;
mod defaults;
mod document;
mod emit;
mod file;
mod flat;
mod node;
mod ours;
#[cfg(test)]
mod pace;
mod parse;
mod place;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use commit::{Declarative, all_failed};
pub(crate) use document::Document;
pub use file::KongFile;
pub(crate) use place::{BadEntity, Found, Look, Pace, Place, Refusal};
