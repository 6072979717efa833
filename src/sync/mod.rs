//! From registry to registry, pure: whose an entry is, what has to be done about each address, and what waits.
//!
//! ```text
//!  source's snapshot ──┐
//!                      ├─▶ rule (one outcome for each address) ─▶ turn: puts, removals, what is held
//!  destination's ──────┘
//! ```

mod filling;
mod keeper;
mod mark;
mod names;
mod pending;
mod rule;
mod siblings;
#[cfg(test)]
mod tests;
mod turn;
mod way;

pub use filling::Filling;
pub use keeper::{CopyId, Keeper};
pub use mark::{Holder, Mark};
pub use names::{Names, Unnamed, Words};
pub use pending::Pending;
pub use rule::{AtDestination, AtSource, Heir, Outcome};
pub use siblings::Siblings;
pub use turn::{HeldCopy, Inputs, Turn, turn};
pub use way::{Direction, Way};
