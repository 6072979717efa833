use std::fmt;
use std::time::Duration;

/// The least that a level's window measures, however short `hold` is: a level shorter-lived than a deployment's
/// overlap of old and new would take the overlap for the service's size.
const LEAST_WINDOW: Duration = Duration::from_secs(60);

/// How often `hold` a missing address waits at most, however often its source is doubted meanwhile.
const PATIENCE: u32 = 3;

/// A moment, as the time since an origin that the caller chooses once for a guard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

impl Time {
    /// The moment `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// How long ago `earlier` was; zero when it is yet to come.
    #[must_use]
    pub fn since(self, earlier: Time) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// What a registry's guard goes by; configured on the registry.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// How long a missing address is held when its absence can't be trusted: as long as the registry's clients take to
    /// come back after it has forgotten them.
    pub hold: Duration,
    /// The share of all levels (0 to 1) whose loss opens the breaker.
    pub max_shrink: f64,
    /// After how long an open breaker releases by itself; `None` means never.
    pub release_after: Option<Duration>,
    /// The first reading since start is believed at once. For a single pass, which cannot wait for a second look.
    pub trust_first_reading: bool,
    /// What the source no longer says is meant to go (a file that people edit), so only what can't be read is held.
    pub absence_is_intent: bool,
}

impl Rules {
    /// W: how long a number of instances must have been shown without interruption to count as a service's level.
    pub(super) fn window(&self) -> Duration {
        self.hold.max(LEAST_WINDOW)
    }

    /// The longest that a missing address waits while its source is readable and the breaker closed.
    pub(super) fn patience(hold: Duration) -> Duration {
        hold.saturating_mul(PATIENCE)
    }
}
