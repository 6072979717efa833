//! Getting the server: built by Go from the module proxy, once per machine and version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::{installed, require, run};
use crate::process::Failure;

/// The last release whose every part is under the MPL and builds from the module proxy. Later patch releases of the old lines are
/// under the BUSL as well (1.15.10, 1.16.6), so "at most 1.16" would be no rule.
const VERSION: &str = "1.15.4";
const LICENCE: &str = "Mozilla Public License";
/// Raised when the way it is built changes, so that an old installation isn't taken for this one.
const RECIPE: u32 = 1;
/// A module whose only task is to require Consul, since `go install` refuses a module with replacements. The exclusions are Consul's.
const GO_MOD: &str = "module local/consul\n\ngo 1.19\n\n\
    exclude github.com/hashicorp/go-msgpack v1.1.5\nexclude github.com/hashicorp/go-msgpack v1.1.6\n";
const CONSUL: &str = "github.com/hashicorp/consul";
/// The API version that 1.15.4 names lacks symbols that its server needs.
const API: &str = "github.com/hashicorp/consul/api@v1.21.1";

/// The installed program; builds it first where it is missing (three minutes of two cores, from the Go module proxy).
///
/// # Errors
/// When Go is missing or fails, or the licence isn't the one that is expected.
pub fn install() -> Result<PathBuf, Failure> {
    let root = installed("consul", &format!("consul-{VERSION}-r{RECIPE}"), build_in)?;
    Ok(root.join("consul"))
}

fn build_in(work: &Path) -> Result<(), Failure> {
    require("Consul", "go", "version", "Go 1.19 or newer (Debian: golang-go)")?;
    let source = tempfile::tempdir()?;
    fs::write(source.path().join("go.mod"), GO_MOD)?;
    let go = |arguments: &[&str]| {
        let mut go = Command::new("go");
        go.args(arguments).current_dir(&source).env("CGO_ENABLED", "0");
        go
    };
    let consul = format!("{CONSUL}@v{VERSION}");
    run(&mut go(&["get", &consul, API]), "go could not fetch Consul from the module proxy")?;
    check_licence(&mut go(&["list", "-m", "-f", "{{.Dir}}", CONSUL]))?;
    let program = work.join("consul");
    let mut build = go(&["build", "-trimpath", "-ldflags", "-s -w", "-o"]);
    run(build.arg(program).arg(CONSUL), "go could not build Consul")
}

fn check_licence(list: &mut Command) -> Result<(), Failure> {
    let folder = String::from_utf8(list.output()?.stdout)?;
    let licence = fs::read_to_string(Path::new(folder.trim()).join("LICENSE"))?;
    if licence.contains(LICENCE) {
        return Ok(());
    }
    Err(format!("the licence of Consul {VERSION} is not the {LICENCE}").into())
}
