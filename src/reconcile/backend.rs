//! What the admin server needs of whatever runs.

use super::Status;

/// What is shown and done from outside while everything runs; the supervisor implements it, the admin server serves it.
pub trait Backend: Send + Sync + 'static {
    /// Everything, now.
    fn status(&self) -> Status;

    /// Whether each task's first pass is done or its registry is reported unreachable; otherwise what is awaited.
    fn ready(&self) -> Result<(), String>;

    /// The metrics as OpenMetrics text.
    fn metrics(&self) -> String;

    /// Releases what the guard of a registry holds.
    ///
    /// # Errors
    /// There is no such registry in use; the message names those that there are.
    fn release(&self, registry: &str) -> Result<(), String>;
}
