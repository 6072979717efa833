//! The quiet window: removals wait until a key has been quiet, so that deregister-then-register is no gap.

use std::time::Duration;

use tokio::time::Instant;

/// A key is quiet when nothing of it changed for this long.
pub(super) const QUIET: Duration = Duration::from_millis(100);

/// However long a storm goes on, removals wait no longer than this.
pub(super) const STORM: Duration = Duration::from_secs(2);

/// The events of one key that are not yet wholly carried out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    burst: Option<Burst>,
    /// When the last turn began.
    begun: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Burst {
    first: Instant,
    last: Instant,
}

impl Window {
    /// The key changed at `at`.
    pub(super) fn event(&mut self, at: Instant) {
        let first = self.burst.map_or(at, |burst| burst.first);
        self.burst = Some(Burst { first, last: at.max(first) });
    }

    /// A turn begins at `at`.
    pub(super) fn turn_begins(&mut self, at: Instant) {
        self.begun = Some(at);
    }

    /// Whether removals need not wait any more.
    pub(super) fn is_quiet(&self, now: Instant) -> bool {
        self.removals_from().is_none_or(|from| from <= now)
    }

    /// The turn has ended. The window is over when what the turn was to remove was removed after it, or nothing waits for that; else
    /// answers when removals may go.
    pub(super) fn turn_ends(&mut self, removals_wait: bool) -> Option<Instant> {
        let from = self.removals_from()?;
        let begun = self.begun.filter(|begun| self.is_over_by(*begun));
        if begun.is_some_and(|begun| begun >= from || !removals_wait) {
            self.burst = None;
            return None;
        }
        Some(from)
    }

    /// When removals may go; `None` when they may at once.
    fn removals_from(&self) -> Option<Instant> {
        self.burst.map(|burst| (burst.last + QUIET).min(burst.first + STORM))
    }

    /// Whether no event came after `at`. One that came while a turn was under way has a window of its own to wait for.
    fn is_over_by(&self, at: Instant) -> bool {
        self.burst.is_none_or(|burst| burst.last <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn removals_wait_for_quiet_but_not_for_ever() {
        let start = Instant::now();
        let mut window = Window::default();
        assert_eq!(window.removals_from(), None);
        window.event(start);
        assert_eq!(window.removals_from(), Some(start + QUIET));
        for step in 1..100 {
            window.event(start + Duration::from_millis(step * 50));
        }
        assert_eq!(window.removals_from(), Some(start + STORM));
        assert!(!window.is_over_by(start));
        assert!(window.is_over_by(start + STORM * 3));
        window.turn_begins(start + STORM * 3);
        assert_eq!(window.turn_ends(true), None, "it began late enough to remove");
        assert_eq!(window.removals_from(), None);
    }
}
