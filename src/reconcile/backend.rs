//! What the admin server needs of whatever runs.

use async_trait::async_trait;

use super::Status;
use super::board::Board;
use super::why::Why;

/// What is shown and done from outside while everything runs; the supervisor implements it, the admin server serves it.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Everything, now.
    fn status(&self) -> Status;

    /// Whether each task's first pass is done or its registry is reported unreachable; otherwise what is awaited.
    fn ready(&self) -> Result<(), String>;

    /// Why every service of this name (`service`, or `namespace/service`) stands as it does.
    async fn why(&self, service: &str) -> Why;

    /// How far the applications of a task between two registries have moved.
    ///
    /// # Errors
    /// No such task runs; the message names those that do.
    fn migration(&self, task: &str) -> Result<Board, String>;

    /// The metrics as OpenMetrics text.
    fn metrics(&self) -> String;

    /// Releases what the guard of a registry holds.
    ///
    /// # Errors
    /// There is no such registry in use; the message names those that there are.
    fn release(&self, registry: &str) -> Result<(), String>;
}
