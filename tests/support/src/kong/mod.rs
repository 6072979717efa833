//! A stand-in for the Admin API of Kong 3.9.1, over an in-memory store.
//!
//! ```text
//!  crate::stand_in ──▶ server ──▶ handlers (by path) ──▶ write ──▶ store ──▶ observers
//!  (faults, record)    (token)     paging, errors         schema     indexes
//! ```
//!
//! It answers what a real Kong answered when the exchanges under `data/kong` were recorded; the test
//! `kong_replay` replays them. What a test does beside the API goes through [`KongStandIn`]: reading the
//! store, acting as another user ([`KongStandIn::direct`]), ordering faults, counting, stopping.
//!
//! ```no_run
//! # use causeway_test_support::kong::{Fault, Kind, KongStandIn, Scope};
//! # async fn example() {
//! let kong = KongStandIn::start().await;
//! kong.seed(Kind::Upstreams, &serde_json::json!({ "name": "someone-elses" }));
//! kong.faults().next(Scope::Writes, Fault::LostAnswer);
//! // … run what is tested against kong.admin_url() …
//! assert_eq!(kong.weights("orders")["10.0.0.1:80"], 100);
//! kong.reset_counts();
//! // … run it again …
//! assert_eq!(kong.writes(), 0);
//! # }
//! ```

mod answer;
mod builder;
mod call;
mod declarative;
mod errors;
mod handlers;
mod health;
mod paging;
mod schema;
mod server;
mod stand_in;
mod store;
mod tls;
mod workers;
mod write;

pub use crate::stand_in::{Fault, Faults, Recorded, Scope};
pub use builder::Builder;
pub use stand_in::KongStandIn;
pub use store::{Commit, Kind, Operation};
pub use workers::{Outage, Unserved, Workers};
