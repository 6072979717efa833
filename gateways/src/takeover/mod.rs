//! Taking over what somebody else made, and giving it up again: only tags change. Pure.
//!
//! ```text
//!  unmarked ──adopt──▶ ours ──hand_over──▶ unmarked, with exactly the tags that it had besides ours
//!  another task's or deployment's ──take_from──▶ ours
//! ```
//!
//! What is no longer wanted is not a matter of this part: [`crate::diff`] retires it for a task that wants nothing.

mod adopt;
mod retag;
#[cfg(test)]
mod tests;

pub use adopt::adopt;
pub use retag::{foreseen, hand_over, take_from};
