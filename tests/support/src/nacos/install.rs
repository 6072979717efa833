//! Getting the server: jars by Maven, our main class by javac; once per machine and version.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

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
    require("java", "-version", "a Java 17 runtime (Debian: openjdk-17-jre-headless)")?;
    let cache = cache_folder()?;
    let root = cache.join(format!("nacos-3.1.0-bugfix-r{RECIPE}"));
    if root.is_dir() {
        return Ok(Installation { root });
    }
    fs::create_dir_all(&cache)?;
    let lock = File::create(cache.join("nacos.lock"))?;
    lock.lock()?;
    if !root.is_dir() {
        fetch_into(&cache, &root)?;
    }
    Ok(Installation { root })
}

fn fetch_into(cache: &Path, root: &Path) -> Result<(), Failure> {
    require("javac", "-version", "a JDK 17 (Debian: openjdk-17-jdk-headless)")?;
    require("mvn", "-version", "Maven (Debian: maven)")?;
    let work = tempfile::Builder::new().prefix("nacos-installing-").tempdir_in(cache)?;
    fs::write(work.path().join("pom.xml"), POM)?;
    fs::write(work.path().join("NacosMain.java"), MAIN)?;
    let mut maven = Command::new("mvn");
    maven.args([
        "-q",
        "-B",
        "dependency:copy-dependencies",
        "-DoutputDirectory=lib",
        "-DincludeScope=runtime",
    ]);
    run(maven.current_dir(&work), "mvn could not fetch Nacos 3.1.0 from Maven Central")?;
    let mut javac = Command::new("javac");
    javac.args(["-cp", "lib/*", "-d", "classes", "NacosMain.java"]);
    run(javac.current_dir(&work), "javac could not compile the server's main class")?;
    fs::rename(work.keep(), root)?;
    Ok(())
}

fn cache_folder() -> Result<PathBuf, Failure> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("CAUSEWAY_TEST_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("causeway-tests")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/causeway-tests")))
        .ok_or_else(|| "set CAUSEWAY_TEST_CACHE: there is no HOME to cache test servers in".into())
}

fn require(program: &str, argument: &str, package: &str) -> Result<(), Failure> {
    let found = Command::new(program).arg(argument).output();
    found.map_err(|error| format!("the Nacos test server needs {package}: `{program}`: {error}"))?;
    Ok(())
}

fn run(command: &mut Command, what: &str) -> Result<(), Failure> {
    let output = command.output().map_err(|error| format!("{what}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{what}:\n{}", String::from_utf8_lossy(&said)).into())
}
