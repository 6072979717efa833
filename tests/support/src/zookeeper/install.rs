//! Getting a server: jars by Maven, once per machine and version.

use std::path::Path;

use crate::install::{fetch_jars, installed, require};
use crate::process::Failure;

const POM: &str = include_str!("pom.xml");
/// Raised when `pom.xml` changes, so that an old installation isn't taken for this one.
const RECIPE: u32 = 1;

/// A release that tests run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// Before 3.6, so without persistent watches.
    V3_5_10,
    /// The newest line.
    #[default]
    V3_9_3,
}

impl Version {
    fn number(self) -> &'static str {
        match self {
            Self::V3_5_10 => "3.5.10",
            Self::V3_9_3 => "3.9.3",
        }
    }

    /// The server's class path; installs it first where it is missing (five seconds, from Maven Central).
    ///
    /// # Errors
    /// When Java or Maven is missing, or Maven fails.
    pub(super) fn class_path(self) -> Result<String, Failure> {
        require("ZooKeeper", "java", "-version", "a Java 17 runtime (Debian: openjdk-17-jre-headless)")?;
        let name = format!("zookeeper-{}-r{RECIPE}", self.number());
        let root = installed("zookeeper", &name, |work| self.fetch_into(work))?;
        Ok(format!("{}/lib/*", root.display()))
    }

    fn fetch_into(self, work: &Path) -> Result<(), Failure> {
        let number = self.number();
        fetch_jars(&format!("ZooKeeper {number}"), work, &POM.replace("@VERSION@", number))
    }
}
