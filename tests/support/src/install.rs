//! Getting servers from package registries: once per machine and recipe, outside the checkout.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Failure;

/// The folder `name` in the cache of test servers. Where it is missing, `fill` fills a new folder, which takes that name when it is
/// whole. Other processes wait meanwhile.
///
/// # Errors
/// Those of `fill`, or of the file system.
pub(crate) fn installed(
    server: &str,
    name: &str,
    fill: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<PathBuf, Failure> {
    let cache = cache_folder()?;
    let root = cache.join(name);
    if root.is_dir() {
        return Ok(root);
    }
    fs::create_dir_all(&cache)?;
    let lock = File::create(cache.join(format!("{server}.lock")))?;
    lock.lock()?;
    if !root.is_dir() {
        let work = tempfile::Builder::new().prefix(&format!("{server}-installing-")).tempdir_in(&cache)?;
        fill(work.path())?;
        fs::rename(work.keep(), &root)?;
    }
    Ok(root)
}

fn cache_folder() -> Result<PathBuf, Failure> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("CAUSEWAY_TEST_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("causeway-tests")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/causeway-tests")))
        .ok_or_else(|| "set CAUSEWAY_TEST_CACHE: there is no HOME to cache test servers in".into())
}

/// Checks that `program` runs.
///
/// # Errors
/// What needs it, and the package that brings it.
pub(crate) fn require(server: &str, program: &str, argument: &str, package: &str) -> Result<(), Failure> {
    let found = Command::new(program).arg(argument).output();
    found.map_err(|error| format!("the {server} test server needs {package}: `{program}`: {error}"))?;
    Ok(())
}

/// Fetches with Maven what `pom` needs at run time into the folder `lib` of a new installation of `server`.
///
/// # Errors
/// When Maven is missing or fails.
pub(crate) fn fetch_jars(server: &str, work: &Path, pom: &str) -> Result<(), Failure> {
    require(server, "mvn", "-version", "Maven (Debian: maven)")?;
    fs::write(work.join("pom.xml"), pom)?;
    let mut maven = Command::new("mvn");
    let copy = ["dependency:copy-dependencies", "-DoutputDirectory=lib", "-DincludeScope=runtime"];
    maven.args(["-q", "-B"]).args(copy).current_dir(work);
    run(&mut maven, &format!("mvn could not fetch {server} from Maven Central"))
}

/// Compiles sources, by their names, against the jars that were fetched, into the folder `classes`.
///
/// # Errors
/// When javac is missing or fails.
pub(crate) fn compile(server: &str, work: &Path, sources: &[(&str, &str)]) -> Result<(), Failure> {
    require(server, "javac", "-version", "a JDK 17 (Debian: openjdk-17-jdk-headless)")?;
    let mut javac = Command::new("javac");
    javac.args(["-cp", "lib/*", "-d", "classes"]).current_dir(work);
    for (name, source) in sources {
        fs::write(work.join(name), source)?;
        javac.arg(name);
    }
    run(&mut javac, &format!("javac could not compile what runs {server}"))
}

/// Runs a command to its end.
///
/// # Errors
/// `what` went wrong, with all that the command printed.
pub(crate) fn run(command: &mut Command, what: &str) -> Result<(), Failure> {
    let output = command.output().map_err(|error| format!("{what}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{what}:\n{}", String::from_utf8_lossy(&said)).into())
}
