//! Causeway carries service data out of registries into gateways, and from registry to registry.

pub mod admin;
pub mod cli;
pub mod config;
#[cfg(test)]
mod fuzz;
pub mod guard;
pub mod model;
pub mod project;
pub mod reconcile;
pub mod registries;
pub mod sync;
