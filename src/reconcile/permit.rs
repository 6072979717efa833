//! Who may write a key. A single instance is always granted; a lease holder grants it where several share the work.

use async_trait::async_trait;

use crate::model::ServiceKey;

/// The right to write one key's objects, for as long as it is kept.
#[derive(Debug)]
#[must_use = "the right to write ends when the permit is dropped"]
pub struct Permit(());

/// Grants permits.
#[async_trait]
pub trait Permits: Send + Sync + 'static {
    /// Waits until this process may write the key for the task.
    async fn acquire(&self, task: &str, key: &ServiceKey) -> Permit;
}

/// The only writer there is.
#[derive(Debug, Default)]
pub struct Alone;

#[async_trait]
impl Permits for Alone {
    async fn acquire(&self, _task: &str, _key: &ServiceKey) -> Permit {
        Permit(())
    }
}
