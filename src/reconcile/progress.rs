//! How far the first pass has come.

/// Services done of all, and writes so far, over all running tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassProgress {
    /// Services whose first turn is done.
    pub done: usize,
    /// Services that the running tasks match, as far as they are known.
    pub all: usize,
    /// Writes carried out.
    pub changes: u64,
    /// Every running task's first pass is done.
    pub complete: bool,
}
