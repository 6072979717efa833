//! Real applications of Dubbo 3.3.2: one that provides services, and one that calls them all the time, each a process of its own.
//!
//! ```text
//! install ── mvn, javac ──▶ {cache}/causeway-tests/dubbo-3.3.2-…   (once, under a file lock)
//! provider ── java ──▶ Provider (register, unregister)   ◀── calls ── Caller (every 50 ms) ◀── java ── caller
//! ```
//!
//! Registries are named by Dubbo's addresses: `zookeeper://host:port`, `nacos://host:port`.

mod caller;
mod install;
mod provider;

use std::process::Command;
use std::time::Duration;

pub use caller::{Call, Caller};
pub use provider::Provider;

use crate::process::Failure;
use crate::site::Site;

/// What they provide and call: the interface `lab.Greeter` alone, with a version and a group by the protocol Triple, and one within
/// another class.
pub const SERVICES: [&str; 3] = ["plain", "versioned", "nested"];

const START_LIMIT: Duration = Duration::from_secs(300);
/// They have nothing to finish.
const STOP_LIMIT: Duration = Duration::from_secs(3);
/// What Java says of a thread that nobody looks after.
const BROKEN: &str = "Exception in thread";

/// Starts one of our applications in its place and waits until it has told its registry and asked it.
async fn start(site: &mut Site, arguments: &[&str]) -> Result<(), Failure> {
    let mut java = Command::new("java");
    java.args(["-Xmx160m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .arg(format!("-Duser.home={}", site.home().display()))
        .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Ddubbo.application.logger=slf4j"])
        .args(["-cp", &install::class_path()?, "lab.DubboMain"])
        .args(arguments);
    site.launch(java)?;
    site.process_mut()?.wait_for_log("READY", BROKEN, START_LIMIT).await
}
