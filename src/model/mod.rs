//! What a registry says, in our own words: pure data, no I/O and no clock.
//!
//! ```text
//!  ServiceKey ──names──▶ Snapshot ──holds──▶ Instance (at an Address, with a Weight and Metadata)
//! ```

mod address;
pub mod dubbo;
pub mod escape;
pub mod group;
mod instance;
mod key;
pub mod marks;
mod snapshot;
mod weight;

pub use address::Address;
pub use instance::{Instance, Metadata};
pub use key::ServiceKey;
pub use snapshot::Snapshot;
pub use weight::Weight;
