//! Readings that may wait, because whoever watches the registry is filling it himself and knows what he writes.

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Until when what was read before need not be read again, whatever the registry tells. What was never read is read at once.
///
/// A registry that is filled tells of every write, and to read each of them costs it as much as another write.
#[derive(Debug, Default)]
pub struct PutOff {
    until: watch::Sender<Option<Instant>>,
}

impl PutOff {
    /// Readings may wait until then; with `None` no longer.
    pub fn set(&self, until: Option<Instant>) {
        self.until.send_if_modified(|old| std::mem::replace(old, until) != until);
    }

    /// Whether readings may wait now.
    pub fn is_in_force(&self) -> bool {
        self.until.borrow().is_some_and(|until| Instant::now() < until)
    }

    /// Returns when readings may wait no longer, at once where they may not; may be dropped.
    pub async fn over(&self) {
        let mut until = self.until.subscribe();
        loop {
            let Some(at) = *until.borrow_and_update() else { return };
            tokio::select! {
                () = sleep_until(at) => return,
                Ok(()) = until.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn readings_wait_until_the_time_is_over_or_it_is_taken_back() {
        let put_off = Arc::new(PutOff::default());
        let begun = Instant::now();
        assert!(!put_off.is_in_force());
        put_off.over().await;
        assert_eq!(begun.elapsed(), Duration::ZERO);

        put_off.set(Some(begun + Duration::from_secs(2)));
        assert!(put_off.is_in_force());
        put_off.over().await;
        assert_eq!(begun.elapsed(), Duration::from_secs(2));
        assert!(!put_off.is_in_force());

        put_off.set(Some(Instant::now() + Duration::from_secs(9)));
        let waits = tokio::spawn({
            let put_off = Arc::clone(&put_off);
            async move { put_off.over().await }
        });
        tokio::task::yield_now().await;
        put_off.set(None);
        waits.await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_secs(2));
    }
}
