//! The stand-in's clock: real time, of which a test can skip some.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Time since the stand-in began.
#[derive(Debug)]
pub(super) struct Clock {
    begun: Instant,
    epoch: Duration,
    skipped: Mutex<Duration>,
}

impl Clock {
    pub(super) fn new() -> Self {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { begun: Instant::now(), epoch, skipped: Mutex::default() }
    }

    pub(super) fn now(&self) -> Duration {
        self.begun.elapsed() + *self.skipped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn skip(&self, time: Duration) {
        *self.skipped.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }

    /// Seconds since 1970.
    pub(super) fn unix(&self, at: Duration) -> u64 {
        (self.epoch + at).as_secs()
    }

    /// As Polaris writes times: `2026-11-20 20:30:58`, without a zone.
    pub(super) fn text(&self, at: Duration) -> String {
        let seconds = self.unix(at);
        let (year, month, day) = date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }
}

/// Year, month and day of a day since 1970, by Howard Hinnant's `civil_from_days`.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn days_become_dates() {
        let cases = [
            (0, (1970, 1, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_777, (2026, 11, 20)),
            (47_541, (2100, 3, 1)),
        ];
        for (days, wanted) in cases {
            assert_eq!(date(days), wanted, "{days}");
        }
    }
}
