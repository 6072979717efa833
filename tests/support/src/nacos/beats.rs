//! A background beater: what a 1.x client does for its ephemeral instances.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::{NacosHttp, Registration};

/// Beats a set of instances until dropped.
#[derive(Debug)]
pub struct Beats {
    task: JoinHandle<()>,
}

impl Beats {
    /// Beats every instance once an `interval`, and registers again what the server has forgotten.
    pub fn start(http: NacosHttp, instances: Vec<Registration>, interval: Duration) -> Self {
        let task = tokio::spawn(async move {
            loop {
                for instance in &instances {
                    // A server that is away is beaten again at the next turn, as clients do.
                    if matches!(http.beat(instance).await, Ok(false)) {
                        let _ = http.register(instance).await;
                    }
                }
                tokio::time::sleep(interval).await;
            }
        });
        Self { task }
    }
}

impl Drop for Beats {
    fn drop(&mut self) {
        self.task.abort();
    }
}
