//! What 2,000 services of 4 instances cost: the real program carries them from the registry to a stand-in for Kong, at its default
//! limits. Measured is the program's own process, against itself while the registry is empty.

use std::time::Duration;

use causeway_test_support::kong::KongStandIn;
use tokio::time::{Instant, sleep};

use crate::causeway::{Causeway, RunningCauseway};
use crate::conformance::stories::{fleet, put_all};
use crate::conformance::{Harness, Inst};

const SERVICES: usize = 2000;
const INSTANCES: usize = 4;
/// The required bound on what they add, in MB.
const HEAVIEST: f64 = 60.0;
const LIMIT: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// So long it may tidy up.
const SETTLE: Duration = Duration::from_secs(3);

/// 2,000 services of 4 instances.
pub fn two_thousand() -> Vec<Inst> {
    fleet(SERVICES)
}

/// Registers the fleet while the program watches, starts another one on it, prints what both need, and checks the bound. `registry`
/// is the registry as it is written in a configuration, but for its name.
pub async fn measure(name: &str, harness: &dyn Harness, registry: &str, fleet: &[Inst]) {
    let namespace = harness.namespace().await;
    let watching = Program::start(registry, &namespace).await;
    watching.running.until_ready().await;
    let idle = watching.resident().await;
    put_all(harness, &namespace, fleet).await;
    watching.until_all_stands().await;
    let watched = watching.resident().await;
    drop(watching);

    let begun = Instant::now();
    let started = Program::start(registry, &namespace).await;
    started.until_all_stands().await;
    let took = begun.elapsed().as_secs_f64();
    let at_start = started.resident().await;

    println!(
        "{name}, resident memory in MB ({SERVICES} services of {INSTANCES} instances, as targets in Kong)"
    );
    println!("  idle {idle:.1}; registered while it watches {watched:.1}; there at its start {at_start:.1}");
    let more = watched.max(at_start) - idle;
    println!(
        "  at most {more:.1} more, which may be {HEAVIEST:.0}; from its start to the last target {took:.1} s"
    );
    assert!(more <= HEAVIEST, "{name}: {more} MB");
}

/// The program with an empty Kong to fill.
struct Program {
    kong: KongStandIn,
    running: RunningCauseway,
    /// Its configuration's folder.
    _folder: Causeway,
}

impl Program {
    async fn start(registry: &str, namespace: &str) -> Self {
        let kong = KongStandIn::builder().counts_only().start().await;
        let admin = kong.admin_url();
        let causeway = Causeway::with(&format!(
            r#"
version: 1
admin: {{ listen: "127.0.0.1:0" }}
registries: [ {{ name: source, {registry} }} ]
gateways: [ {{ name: kong, type: kong, addresses: ["{admin}"] }} ]
tasks: [ {{ name: t, source: source, destination: kong, match: [ {{ namespace: "{namespace}", service: "*" }} ] }} ]
"#
        ));
        Self { kong, running: causeway.run(), _folder: causeway }
    }

    /// Waits until Kong holds a target for each instance.
    async fn until_all_stands(&self) {
        let begun = Instant::now();
        loop {
            let targets = self.kong.all_targets().len();
            if targets == SERVICES * INSTANCES {
                return;
            }
            assert!(begun.elapsed() < LIMIT, "{targets} targets stand in Kong:\n{}", self.running.log());
            sleep(LOOK_EVERY).await;
        }
    }

    /// In MB.
    async fn resident(&self) -> f64 {
        sleep(SETTLE).await;
        self.running.usage().resident * 1.048_576
    }
}
