//! When a registry is being filled, so that it need not be read after each write. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// For so long readings are put off at most: a write looks at what stands by itself, so that only what has to go goes later.
const LONGEST: Duration = Duration::from_secs(5);
/// And for so long they then go on as ever.
const REST: Duration = Duration::from_secs(1);

/// Whether readings of a registry are put off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filling {
    /// They aren't, and won't be before this time.
    Read {
        /// None, when they may be at once.
        until: Option<Instant>,
    },
    /// They are since then.
    PutOff {
        /// When it began.
        since: Instant,
    },
}

impl Default for Filling {
    fn default() -> Self {
        Self::Read { until: None }
    }
}

impl Filling {
    /// Something is written while more waits to be written; answers until when readings are put off.
    pub fn goes_on(&mut self, now: Instant) -> Option<Instant> {
        if let Self::PutOff { since } = *self
            && now > since + LONGEST
        {
            *self = Self::Read { until: Some(since + LONGEST + REST) };
        }
        if let Self::Read { until } = *self
            && until.is_none_or(|until| now >= until)
        {
            *self = Self::PutOff { since: now };
        }
        match *self {
            Self::PutOff { since } => Some(since + LONGEST),
            Self::Read { .. } => None,
        }
    }

    /// Hardly anything waits to be written; whether readings were put off until now.
    pub fn ends(&mut self, now: Instant) -> bool {
        let Self::PutOff { since } = *self else { return false };
        *self = Self::Read { until: Some(now.min(since + LONGEST) + REST) };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn readings_are_put_off_for_five_seconds_of_six() {
        let start = Instant::now();
        let mut filling = Filling::default();
        assert_eq!(filling.goes_on(start), Some(start + 5 * SECOND));
        assert_eq!(filling.goes_on(start + SECOND), Some(start + 5 * SECOND));
        assert_eq!(filling.goes_on(start + 11 * SECOND / 2), None);
        assert_eq!(filling.goes_on(start + 6 * SECOND), Some(start + 11 * SECOND));
    }

    #[test]
    fn when_little_is_left_they_go_on_for_a_second_at_least() {
        let start = Instant::now();
        let mut filling = Filling::default();
        assert!(!filling.ends(start));
        filling.goes_on(start);
        assert!(filling.ends(start + SECOND));
        assert!(!filling.ends(start + SECOND));
        assert_eq!(filling.goes_on(start + SECOND * 3 / 2), None);
        assert_eq!(filling.goes_on(start + 2 * SECOND), Some(start + 7 * SECOND));
    }

    #[test]
    fn a_write_long_after_the_last_begins_anew() {
        let start = Instant::now();
        let mut filling = Filling::default();
        filling.goes_on(start);
        let later = start + 60 * SECOND;
        assert_eq!(filling.goes_on(later), Some(later + 5 * SECOND));
    }
}
