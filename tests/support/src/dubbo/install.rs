//! Getting Dubbo: jars by Maven, our applications by javac; once per machine and version.

use std::path::Path;

use crate::install::{compile, fetch_jars, installed, require};
use crate::process::Failure;

const POM: &str = include_str!("pom.xml");
const SOURCES: [(&str, &str); 2] =
    [("DubboMain.java", include_str!("DubboMain.java")), ("Greeter.java", include_str!("Greeter.java"))];
/// Raised when `pom.xml` or a source changes, so that an old installation isn't taken for this one.
const RECIPE: u32 = 2;

/// The class path of our applications; fetches and compiles them first where they are missing (ten seconds, from Maven Central).
///
/// # Errors
/// When Java, javac or Maven is missing, or one of them fails.
pub(super) fn class_path() -> Result<String, Failure> {
    require("Dubbo", "java", "-version", "a Java 17 runtime (Debian: openjdk-17-jre-headless)")?;
    let root = installed("dubbo", &format!("dubbo-3.3.2-r{RECIPE}"), fetch_into)?;
    let root = root.display();
    Ok(format!("{root}/classes:{root}/lib/*"))
}

fn fetch_into(work: &Path) -> Result<(), Failure> {
    fetch_jars("Dubbo 3.3.2", work, POM)?;
    compile("Dubbo", work, &SOURCES)
}
