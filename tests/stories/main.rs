//! Stories of use, told against the stand-in for Kong by the real client over HTTP.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../common/causeway.rs"]
mod binary;
#[path = "../common/registry.rs"]
mod registry;

mod crashes;
mod dbless;
mod document;
mod example;
mod faults;
mod filling;
mod foreign;
mod grouping;
mod moving;
mod names;
mod neighbours;
mod operating;
mod planning;
mod policies;
mod program;
mod retiring;
mod routing;
mod splitting;
mod stage;
mod status;
mod taking_over;
mod templating;
mod under_traffic;
mod why;
