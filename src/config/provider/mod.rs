//! Where documents come from.

mod file;

pub use file::load;
