//! What is measured of each registry, on its real server (Polaris: the stand-in). It takes minutes of a quiet machine, so it runs on
//! demand, all of it or one registry's part:
//!
//! ```sh
//! cargo test --release --test measured -- --ignored --nocapture --test-threads=1
//! cargo test --release --test measured -- --ignored --nocapture --test-threads=1 nacos
//! ```
//!
//! - [`propagation`]: how long a change takes from the registry to our snapshot, beside a bare client of the same watch.
//! - [`across`]: how long a change takes from one registry to another, beside a bare watch and a bare write.
//! - [`first_copy`]: what the first copy of 10,000 instances takes, beside a bare loop of the same writes.
//! - [`memory`]: what 2,000 services of 4 instances cost the real program, over what it needs for none.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, unreachable_pub)]

mod across;
#[path = "../common/causeway.rs"]
mod causeway;
#[path = "../conformance/mod.rs"]
mod conformance;
mod consul;
#[path = "../consul/harness.rs"]
mod consul_harness;
mod eureka;
#[path = "../eureka/harness.rs"]
mod eureka_harness;
mod first_copy;
mod memory;
mod nacos;
#[path = "../nacos/harness.rs"]
mod nacos_harness;
mod polaris;
#[path = "../polaris/harness.rs"]
mod polaris_harness;
mod polling;
mod propagation;
mod servicecenter;
#[path = "../servicecenter/harness.rs"]
mod servicecenter_harness;
mod zookeeper;
#[path = "../zookeeper/harness.rs"]
mod zookeeper_harness;
