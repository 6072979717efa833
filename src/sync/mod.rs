//! From registry to registry, pure: whose a copy is, and what has to be done where.

mod mark;

pub use mark::{Holder, Mark, is_copy_id};
