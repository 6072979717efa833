//! Getting the server: jars by Maven, our main class by javac; once per machine and version.

use std::path::{Path, PathBuf};

use crate::install::{compile, fetch_jars, installed, require};
use crate::process::Failure;

const POM: &str = include_str!("pom.xml");
const MAIN: &str = include_str!("NacosMain.java");
/// Raised when `pom.xml` or `NacosMain.java` changes, so that an old installation isn't taken for this one.
const RECIPE: u32 = 1;

/// An installed server.
#[derive(Clone, Debug)]
pub struct Installation {
    root: PathBuf,
}

impl Installation {
    /// The class path. `hessian-4.0.63` has to come first: the other Hessian has classes of the same names.
    pub fn class_path(&self) -> String {
        let root = self.root.display();
        format!("{root}/classes:{root}/lib/hessian-4.0.63.jar:{root}/lib/*")
    }
}

/// The installed server; installs it first where it is missing (a minute, from Maven Central).
///
/// # Errors
/// When Java, javac or Maven is missing, or one of them fails.
pub fn install() -> Result<Installation, Failure> {
    require("Nacos", "java", "-version", "a Java 17 runtime (Debian: openjdk-17-jre-headless)")?;
    let root = installed("nacos", &format!("nacos-3.1.0-bugfix-r{RECIPE}"), fetch_into)?;
    Ok(Installation { root })
}

fn fetch_into(work: &Path) -> Result<(), Failure> {
    fetch_jars("Nacos 3.1.0", work, POM)?;
    compile("Nacos", work, &[("NacosMain.java", MAIN)])
}
