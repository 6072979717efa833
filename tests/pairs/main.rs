//! From registry to registry on real servers (Polaris: the stand-in): a short story for each ordered pair of types, a long one for
//! each type that is written to, and the two-way documents of polaris-sync and MSE Sync.
//!
//! What applications and operators do is done by plain clients, and what came of it is read by plain clients, too: neither goes
//! through an adapter of Causeway's.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../common/causeway.rs"]
mod causeway;
#[path = "../conformance/mod.rs"]
mod conformance;
#[path = "../consul/harness.rs"]
mod consul_harness;
mod deployment;
mod documents;
#[path = "../eureka/harness.rs"]
mod eureka_harness;
mod long;
#[path = "../nacos/harness.rs"]
mod nacos_harness;
#[path = "../polaris/harness.rs"]
mod polaris_harness;
#[path = "../servicecenter/harness.rs"]
mod servicecenter_harness;
mod short;
mod site;
mod stage;
mod watch;
#[path = "../zookeeper/harness.rs"]
mod zookeeper_harness;
