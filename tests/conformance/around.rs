//! Harnesses around others.

use std::time::Duration;

use async_trait::async_trait;

use super::{Harness, Inst, Route};

/// Long enough for the start of a server on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A harness whose server is restarted, or asks who is there. In all else it is the one that it is put around.
#[async_trait]
pub trait Around: Send + Sync {
    type Inner: Harness;

    fn inner(&self) -> &Self::Inner;

    /// What [`Harness::route`] gives.
    async fn usual_route(&self) -> Route {
        self.inner().route().await
    }
}

#[async_trait]
impl<T: Around> Harness for T {
    async fn route(&self) -> Route {
        self.usual_route().await
    }

    async fn namespace(&self) -> String {
        self.inner().namespace().await
    }

    async fn put(&self, namespace: &str, instance: &Inst) {
        self.inner().put(namespace, instance).await;
    }

    async fn remove(&self, namespace: &str, instance: &Inst) {
        self.inner().remove(namespace, instance).await;
    }

    async fn settled(&self) {
        self.inner().settled().await;
    }

    fn limit(&self) -> Duration {
        LIMIT
    }

    fn is_own_metadata(&self, key: &str) -> bool {
        self.inner().is_own_metadata(key)
    }

    fn is_own_pair(&self, key: &str, value: &str) -> bool {
        self.inner().is_own_pair(key, value)
    }
}
