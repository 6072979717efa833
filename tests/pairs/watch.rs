//! A consumer that looks every 20 ms, and what it missed.

use std::sync::Arc;
use std::time::Duration;

use causeway::model::Address;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::site::{Entry, Site};

const EVERY: Duration = Duration::from_millis(20);

/// Looks until it is ended. Dropped, it ends without a word.
pub struct Watch {
    stop: CancellationToken,
    task: JoinHandle<Seen>,
}

/// What was seen.
#[derive(Debug, Default)]
struct Seen {
    looks: usize,
    /// When an address was missing, and what stood there instead.
    absences: Vec<(Duration, Address, Vec<Entry>)>,
}

impl Watch {
    /// Looks at these addresses of a service from now on. They stand there now.
    pub fn start(site: &Arc<Site>, service: &str, addresses: Vec<Address>) -> Self {
        let (stop, site, service) = (CancellationToken::new(), Arc::clone(site), service.to_owned());
        let until = stop.clone();
        let task = tokio::spawn(async move { look(&site, &service, &addresses, &until).await });
        Self { stop, task }
    }

    /// Ends it. Each address must have been there at every look.
    pub async fn ends_without_absence(mut self, what: &str) {
        self.stop.cancel();
        let Seen { looks, absences } = (&mut self.task).await.unwrap();
        assert!(looks > 0, "{what}: nobody looked");
        let missed = absences.len();
        assert!(
            absences.is_empty(),
            "{what}: {missed} of {looks} looks missed one, the first: {:#?}",
            absences[0]
        );
    }
}

async fn look(site: &Site, service: &str, addresses: &[Address], until: &CancellationToken) -> Seen {
    let (mut seen, begun, mut ticks) = (Seen::default(), Instant::now(), interval(EVERY));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !until.is_cancelled() {
        ticks.tick().await;
        // Who gets no answer goes on with the last one.
        let Ok(entries) = site.entries(service).await else { continue };
        seen.looks += 1;
        let missing =
            addresses.iter().filter(|address| entries.iter().all(|entry| entry.address != **address));
        seen.absences.extend(missing.map(|address| (begun.elapsed(), address.clone(), entries.clone())));
    }
    seen
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
