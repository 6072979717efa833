//! Resident memory: with nothing to do, and with many services in place.

use std::time::Duration;

use causeway_test_support::process::Failure;
use causeway_test_support::usage::Usage;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::Options;
use crate::causeway::Causeway;
use crate::scene::Scene;

/// The number of services, and of each one's instances, of the full case.
const FULL: (usize, usize) = (2000, 4);

const LIMIT: Duration = Duration::from_secs(60);
/// So long it may tidy up.
const SETTLE: Duration = Duration::from_secs(1);

/// Of two processes.
pub(crate) struct Memory {
    idle: Usage,
    full: Usage,
}

/// Measures both cases, at no latency.
pub(crate) async fn measure(options: &Options) -> Result<Memory, Failure> {
    Ok(Memory { idle: case(options, (0, 0)).await?, full: case(options, FULL).await? })
}

async fn case(options: &Options, (services, instances): (usize, usize)) -> Result<Usage, Failure> {
    let kong = options.kong().await;
    kong.faults().set_latency(Duration::ZERO);
    let scene = Scene::new(services, instances, &kong.admin_url())?;
    let mut causeway = Causeway::start(&options.binary()?, &scene, "info")?;
    let wanted = scene.objects();
    causeway.wait_until("the first pass", LIMIT, || kong.writes() >= wanted).await?;
    causeway.wait_until_ready(LIMIT).await?;
    sleep(SETTLE).await;
    causeway.usage()
}

impl Memory {
    pub(crate) fn text(&self) -> String {
        let (services, instances) = FULL;
        format!(
            "resident memory\n  idle                       MiB {:>8.1}\n  {services} services × {instances}         MiB {:>8.1}   (peak {:.1})\n",
            self.idle.resident, self.full.resident, self.full.peak
        )
    }

    pub(crate) fn json(&self) -> Value {
        let (services, instances) = FULL;
        json!({
            "idle_mib": self.idle.resident,
            "full": { "services": services, "instances": instances },
            "full_mib": self.full.resident,
            "full_peak_mib": self.full.peak,
        })
    }
}
