//! An application that calls what another one provides.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{SERVICES, STOP_LIMIT, start};
use crate::process::Failure;
use crate::site::Site;

const STEP: Duration = Duration::from_millis(50);

/// Calls each of [`SERVICES`] every 50 ms, once a time. Dropping it ends it.
#[derive(Debug)]
pub struct Caller {
    site: Site,
}

/// What came of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Of [`SERVICES`].
    pub service: String,
    /// The answer, or what the consumer was told.
    pub outcome: Result<String, String>,
}

impl Call {
    /// From a line of the application's output, if it tells of a call.
    fn of(line: &str) -> Option<Self> {
        let (service, told) = line.strip_prefix("CALL ")?.split_once(' ')?;
        let outcome = match told.split_once(' ')? {
            ("answered", answer) => Ok(answer.to_owned()),
            (_, failure) => Err(failure.to_owned()),
        };
        Some(Self { service: service.to_owned(), outcome })
    }

    /// Whether the right one answered.
    pub fn is_answered(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|answer| *answer == format!("{} greets you", self.service))
    }
}

impl Caller {
    /// Installs Dubbo where it is missing, and starts the application, which knows this registry only.
    ///
    /// # Errors
    /// What is missing on this machine, or why it doesn't start, with the end of its log.
    pub async fn start(registry: &str) -> Result<Self, Failure> {
        let mut site = Site::new("Dubbo-caller", &[], STOP_LIMIT)?;
        start(&mut site, &["call", registry]).await?;
        Ok(Self { site })
    }

    /// All calls so far.
    ///
    /// # Errors
    /// When it has ended, with the end of its log.
    pub fn calls(&mut self) -> Result<Vec<Call>, Failure> {
        let process = self.site.process_mut()?;
        if let Some(status) = process.exited()? {
            return Err(process.failure(&format!("ended with {status}")));
        }
        let log = process.log();
        let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
        Ok(whole.lines().filter_map(Call::of).collect())
    }

    /// Waits until the last call of every service is as it should be.
    ///
    /// # Errors
    /// When it never is, with the last calls, or when it has ended.
    pub async fn until_each(
        &mut self,
        what: &str,
        limit: Duration,
        holds: impl Fn(&Call) -> bool,
    ) -> Result<(), Failure> {
        let until = Instant::now() + limit;
        loop {
            let calls = self.calls()?;
            let last: Vec<_> =
                SERVICES.iter().filter_map(|name| calls.iter().rfind(|call| call.service == *name)).collect();
            if last.len() == SERVICES.len() && last.iter().all(|call| holds(call)) {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("it never came to this: {what}. The last calls: {last:#?}").into());
            }
            sleep(STEP).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_from_what_else_is_printed() {
        let read = |line: &str| Call::of(line).map(|call| (call.is_answered(), call.service, call.outcome));
        let told = |service: &str, outcome| Some((service.to_owned(), outcome));
        for (line, is_answered, call) in [
            ("CALL plain answered plain greets you", true, told("plain", Ok("plain greets you".to_owned()))),
            (
                "CALL plain answered nested greets you",
                false,
                told("plain", Ok("nested greets you".to_owned())),
            ),
            ("CALL nested failed No provider", false, told("nested", Err("No provider".to_owned()))),
            ("READY", false, None),
            ("[main] WARN CALL plain answered", false, None),
        ] {
            let expected = call.map(|(service, outcome)| (is_answered, service, outcome));
            assert_eq!(read(line), expected, "{line}");
        }
    }
}
