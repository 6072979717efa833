//! What watching 2,000 services of 4 instances costs the real program at its default limits, over what the same process needs while
//! the registry is empty. Its gateway can't be reached meanwhile, so it does nothing but watch. Beside that, what it costs when the
//! instances stand as targets in Kong.

use std::time::Duration;

use causeway_test_support::kong::KongStandIn;
use tokio::time::{Instant, sleep};

use crate::causeway::{Causeway, RunningCauseway};
use crate::conformance::stories::{fleet, put_all};
use crate::conformance::{Harness, Inst};

const SERVICES: usize = 2000;
const INSTANCES: usize = 4;
/// The required bound on what they add, in MB.
pub const HEAVIEST: f64 = 60.0;
const LIMIT: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// So long it may tidy up. No registry is asked less often.
const SETTLE: Duration = Duration::from_secs(10);
/// A gateway is read as a whole each minute, which needs room.
const AUDITED: Duration = Duration::from_secs(70);
/// Nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// 2,000 services of 4 instances.
pub fn two_thousand() -> Vec<Inst> {
    fleet(SERVICES)
}

/// Registers the fleet while the program watches, starts another one on it, prints what both need, and checks that it adds at most
/// `heaviest` MB. `registry` is the registry as it is written in a configuration, but for its name.
pub async fn measure(name: &str, harness: &dyn Harness, registry: &str, fleet: &[Inst], heaviest: f64) {
    let namespace = harness.namespace().await;
    let watching = Program::start(registry, &namespace, NOWHERE);
    watching.until_read(0).await;
    let idle = watching.resident_after(SETTLE).await;
    put_all(harness, &namespace, fleet).await;
    watching.until_read(SERVICES).await;
    let watched = watching.resident_after(SETTLE).await;
    drop(watching);

    let begun = Instant::now();
    let started = Program::start(registry, &namespace, NOWHERE);
    started.until_read(SERVICES).await;
    let took = begun.elapsed().as_secs_f64();
    let at_start = started.resident_after(SETTLE).await;
    drop(started);
    let in_kong = with_kong(registry, &namespace).await;

    let more = watched.max(at_start) - idle;
    println!(
        "{name}, resident memory in MB, {SERVICES} services of {INSTANCES} instances, read after {took:.1} s"
    );
    println!("  idle {idle:.1}; registered while it watches {watched:.1}; there at its start {at_start:.1}");
    println!(
        "  at most {more:.1} more, which may be {heaviest:.0}; as targets in Kong {:.1} more",
        in_kong - idle
    );
    assert!(more <= heaviest, "{name}: {more} MB");
}

/// What the program needs that has made a target of each instance, and has read them back.
async fn with_kong(registry: &str, namespace: &str) -> f64 {
    let kong = KongStandIn::builder().counts_only().start().await;
    let program = Program::start(registry, namespace, &kong.admin_url());
    let targets = SERVICES * INSTANCES;
    let stands =
        kong.wait_until(LIMIT, |kong| kong.writes() >= targets as u64 && kong.all_targets().len() == targets);
    assert!(stands.await, "{} targets stand in Kong:\n{}", kong.all_targets().len(), program.running.log());
    program.resident_after(AUDITED).await
}

/// The program with a configuration.
struct Program {
    running: RunningCauseway,
    /// Its configuration's folder.
    _folder: Causeway,
}

impl Program {
    fn start(registry: &str, namespace: &str, gateway: &str) -> Self {
        let causeway = Causeway::with(&format!(
            r#"
version: 1
admin: {{ listen: "127.0.0.1:0" }}
registries: [ {{ name: source, {registry} }} ]
gateways: [ {{ name: kong, type: kong, addresses: ["{gateway}"] }} ]
tasks: [ {{ name: t, source: source, destination: kong, match: [ {{ namespace: "{namespace}", service: "*" }} ] }} ]
"#
        ));
        Self { running: causeway.run(), _folder: causeway }
    }

    /// Waits until so many services are read, and nothing else is there.
    async fn until_read(&self, services: usize) {
        let begun = Instant::now();
        loop {
            let status = self.running.status().await;
            let registry = &status["registries"][0];
            if registry["state"] == "known"
                && registry["services"] == services
                && registry["read"] == services
            {
                return;
            }
            assert!(begun.elapsed() < LIMIT, "{registry:#}\n{}", self.running.log());
            sleep(LOOK_EVERY).await;
        }
    }

    /// In MB.
    async fn resident_after(&self, pause: Duration) -> f64 {
        sleep(pause).await;
        self.running.usage().resident * 1.048_576
    }
}
