//! From snapshots to applied plans.
//!
//! ```text
//!  registry ─▶ SourceHandle (view + guard) ──events──▶ Flow: queue ─▶ turn (pure) ─▶ apply ─▶ GatewayHandle (world + client)
//!                                                        ▲                                      │
//!                                                        └───────── audited, drifted ───────────┘
//!  Supervisor: one SourceHandle a registry, one GatewayHandle a gateway, one Flow a task; between two registries one CopyFlow a
//!  direction, and one DestinationHandle a registry that is written
//! ```

mod adoption;
mod audit;
mod backend;
mod backoff;
mod board;
mod build;
mod copies;
mod flow;
mod gateway;
mod interest;
mod leaving;
mod leftovers;
mod metrics;
mod migration;
mod once;
mod permit;
mod progress;
mod queue;
mod report;
mod running;
mod source;
mod status;
mod supervisor;
mod turn;
pub mod why;
mod window;

pub use adoption::Turns;
pub use backend::Backend;
pub use board::{Board, Counts as Natives, Ends, Facts, Place, Row, board};
pub use build::{Adapters, Built};
pub use copies::{
    CopyFlow, CopyOutcome, CopyState, CopyStatus, CopyView, DestinationHandle, Look, Operation, ServiceView,
    Shared,
};
pub use flow::{Flow, KeyStatus, Outcome as FlowOutcome, Removals};
pub use gateway::{Condition, GatewayEvent, GatewayHandle};
pub use leaving::{Leaves, Leaving, LeftCopies, leaving};
pub use metrics::Metrics;
pub use permit::{Alone, Permit, Permits};
pub use progress::PassProgress;
pub use queue::Queue;
pub use running::Running;
pub use source::{SourceEvent, SourceHandle};
pub use status::{
    BreakerView, Counts, GatewayStatus, HeldStatus, NodeStatus, Problem, RegistryStatus, Status, TaskStatus,
    UnknownStatus, WithheldCounts,
};
pub use supervisor::Supervisor;
pub use turn::{HeldTarget, Inputs, Turn, turn};
