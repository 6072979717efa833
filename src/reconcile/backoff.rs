//! How long a service waits that fails again and again.

use std::time::Duration;

use causeway_gateways::Retry;
use tokio::time::Instant;

/// The longest wait between two tries of a service that fails.
const LONGEST: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_millis(200);
/// More doublings than these change nothing.
const MOST_FAILURES: u32 = 16;

/// The failures of one service in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// It went well.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// It failed; answers when to try again by itself.
    pub(super) fn failed(&mut self, retry: Retry) -> Option<Instant> {
        self.failures = (self.failures + 1).min(MOST_FAILURES);
        let wait = (SHORTEST * 2_u32.pow(self.failures - 1)).min(LONGEST);
        match retry {
            Retry::Never => None,
            Retry::ReadAgain => Some(Instant::now() + wait),
            Retry::Backoff(at_least) => Some(Instant::now() + wait.max(at_least.unwrap_or_default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_double_up_to_the_longest_and_start_anew() {
        let mut backoff = Backoff::default();
        let mut wait = || backoff.failed(Retry::Backoff(None)).map(|at| at - Instant::now());
        let waits: Vec<_> = (0..10).map_while(|_| wait()).collect();
        assert_eq!(waits[..3], [200, 400, 800].map(Duration::from_millis));
        assert_eq!(waits[9], LONGEST);
        backoff.reset();
        let asked = Duration::from_secs(5);
        assert_eq!(backoff.failed(Retry::Backoff(Some(asked))), Some(Instant::now() + asked));
        assert_eq!(backoff.failed(Retry::Never), None);
    }
}
