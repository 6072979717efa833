//! Getting the server: built by Go from the module proxy, once per machine and version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::{installed, require, run};
use crate::process::Failure;

/// The last release whose tag Go can reach: those of 2.x lack the `/v2` in their module's path.
const VERSION: &str = "1.4.8";
/// Raised when the way it is built changes, so that an old installation isn't taken for this one.
const RECIPE: u32 = 1;
/// A module whose only task is to require service-center, since `go install` refuses a module with replacements. This one is
/// service-center's own.
const GO_MOD: &str = "module local/servicecenter\n\ngo 1.21\n\n\
    require github.com/apache/servicecomb-service-center v1.4.8\n\n\
    replace github.com/golang/glog v0.0.0-20160126235308-23def4e6c14b => \
    github.com/go-chassis/glog v0.0.0-20180920075250-95a09b2413e9\n";
const SERVER: &str = "github.com/apache/servicecomb-service-center/cmd/scserver";
const KEYS: &str = include_str!("keys.go");

/// The folder with the installed program `scserver` and the keys `private.pem` and `public.pem` for servers with accounts; makes
/// them first where they are missing (two minutes of two cores, from the Go module proxy).
///
/// # Errors
/// When Go is missing or fails.
pub fn install() -> Result<PathBuf, Failure> {
    installed("servicecenter", &format!("servicecenter-{VERSION}-r{RECIPE}"), build_in)
}

fn build_in(work: &Path) -> Result<(), Failure> {
    require("service-center", "go", "version", "Go 1.21 or newer (Debian: golang-go)")?;
    let source = tempfile::tempdir()?;
    fs::write(source.path().join("go.mod"), GO_MOD)?;
    // What isn't imported isn't looked up, and the server is a program that nothing can import in earnest.
    fs::write(
        source.path().join("tools.go"),
        format!("//go:build tools\n\npackage tools\n\nimport _ \"{SERVER}\"\n"),
    )?;
    let keys = source.path().join("keys.go");
    fs::write(&keys, KEYS)?;
    let go = || {
        let mut go = Command::new("go");
        go.current_dir(&source).env("CGO_ENABLED", "0").env("GOFLAGS", "-buildvcs=false -mod=mod");
        go
    };
    let mut build = go();
    build.args(["build", "-trimpath", "-ldflags", "-s -w", "-o"]).arg(work.join("scserver")).arg(SERVER);
    run(&mut build, "go could not build service-center")?;
    run(go().arg("run").arg(keys).arg(work), "go could not make the keys of service-center")
}
