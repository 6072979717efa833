//! Getting the server: packed by Maven into one jar, once per machine and recipe.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::{installed, require, run};
use crate::process::Failure;

const POM: &str = include_str!("pom.xml");
const MAIN: &str = include_str!("EurekaMain.java");
/// Raised when `pom.xml` or `EurekaMain.java` changes, so that an old installation isn't taken for this one.
const RECIPE: u32 = 1;

/// The jar; packs it first where it is missing (a minute, from Maven Central).
///
/// # Errors
/// When Java, javac or Maven is missing, or one of them fails.
pub fn install() -> Result<PathBuf, Failure> {
    require("Eureka", "java", "-version", "a Java 17 runtime (Debian: openjdk-17-jre-headless)")?;
    let root = installed("eureka", &format!("eureka-2.0.5-r{RECIPE}"), pack_in)?;
    Ok(root.join("eureka.jar"))
}

fn pack_in(work: &Path) -> Result<(), Failure> {
    require("Eureka", "javac", "-version", "a JDK 17 (Debian: openjdk-17-jdk-headless)")?;
    require("Eureka", "mvn", "-version", "Maven (Debian: maven)")?;
    let project = tempfile::tempdir()?;
    let sources = project.path().join("src/main/java/local");
    fs::create_dir_all(&sources)?;
    fs::write(project.path().join("pom.xml"), POM)?;
    fs::write(sources.join("EurekaMain.java"), MAIN)?;
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "package"]).current_dir(&project);
    run(&mut maven, "mvn could not pack the Eureka server from Maven Central")?;
    fs::copy(project.path().join("target/eureka-1.jar"), work.join("eureka.jar"))?;
    Ok(())
}
