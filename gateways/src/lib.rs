//! Gateways as destinations. Knows nothing of registries.
//!
//! ```text
//!  Desired ┐
//!          ├─ diff ─▶ Plan ─ apply ─▶ Gateway (kong: Admin API · declarative: kong.yml)
//!  World   ┘  (pure)          (ordered by a table, paced, retried by kind of answer)
//!     ▲                          │
//!     └──── read ── Gateway ◀────┘ effects are recorded in World
//! ```

mod address;
mod apply;
mod context;
mod declarative;
mod diff;
mod gateway;
mod health;
pub mod http;
mod kong;
mod matching;
mod model;
pub mod order;
mod plan;
pub mod tags;
pub mod takeover;
mod world;

pub use address::{InvalidTarget, TargetAddress};
pub use context::{Context, Limits, Policy, Upkeep};
pub use declarative::KongFile;
pub use diff::diff;
pub use gateway::{
    Applied, ApplyError, Effect, Failure, Gateway, GatewayError, Listed, NodeState, ReadScope, Retry,
};
pub use health::{NodeHealth, NodeView, TargetHealth};
pub use kong::{KongGateway, KongSettings, RequestCount, SettingsError, Token};
pub use model::{Desired, Existence, Fields, Kind, ObjectKey, Route, Service, Tags, Target, Upstream};
pub use plan::{Change, Conflict, Kept, Plan, Retiring, Waiting, Withheld, Write};
pub use tags::{Mark, Marks};
pub use world::{KnownTargets, LiveObject, LiveTarget, LiveUpstream, World};
