//! From a registry's view to what a gateway should hold.
#![allow(clippy::unwrap_used, missing_docs)]

mod projection;
mod routes_and_templates;
