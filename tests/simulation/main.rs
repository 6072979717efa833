//! Stories without number, told on virtual time against models of a registry and of a gateway: of the guard, and of a whole task.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../common/mod.rs"]
mod common;
mod convergence;
mod guard;
mod guard_model;
mod guard_traces;
