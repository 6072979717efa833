//! Declarative documents of Kong's, as decK writes them, and a file that holds one.
//!
//! ```text
//!  kong.yml ─ parse ─▶ node tree (scalars as written) ─ document ─▶ World
//!     ▲                            │ changes of a plan
//!     └── atomically ──── emit ◀───┘
//! ```

mod document;
mod emit;
mod file;
mod node;
mod parse;
#[cfg(test)]
mod tests;
mod view;

pub use file::KongFile;
