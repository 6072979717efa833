//! Golden traces: the shortest histories known to break a guard that lacks one of its rules, as data in `tests/data/guard`.

use std::path::Path;

use serde::Deserialize;

use crate::guard_model::{Report, Script, run};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trace {
    why: String,
    script: Script,
    expect: Expect,
}

/// What must have been seen; what isn't named isn't looked at, but for live and stale targets, of which there are none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// Live instances taken away, at most.
    #[serde(default)]
    live: usize,
    /// Targets left at the end that shouldn't be.
    #[serde(default)]
    stale: usize,
    /// The longest that a dead target stood, at most, in seconds.
    longest_wait: Option<u64>,
    /// Whether the breaker opened at all.
    opens: Option<bool>,
    /// Whether it was open at the end.
    ends_open: Option<bool>,
    /// Targets taken away from the upstreams of all instances, whatever they were.
    removed: Option<usize>,
    /// Upstreams of live instances that lost their last target.
    #[serde(default)]
    emptied: usize,
}

fn complaints(trace: &Trace, report: &Report) -> Vec<String> {
    let Expect { live, stale, longest_wait, opens, ends_open, removed, emptied } = &trace.expect;
    let ends = report.open.last() == Some(&trace.script.until);
    let all = report.removals.iter().filter(|removal| removal.group == 0).count();
    let checks = [
        (report.live().len() <= *live, format!("live ones removed (second, id): {:?}", report.live())),
        (report.stale.len() == *stale, format!("stale at the end: {:?}", report.stale)),
        (report.lacking.is_empty(), format!("lacking at the end: {:?}", report.lacking)),
        (report.emptied.len() == *emptied, format!("emptied (second, service): {:?}", report.emptied)),
        (
            longest_wait.is_none_or(|most| report.longest_wait() <= most),
            format!("longest wait: {}", report.longest_wait()),
        ),
        (
            opens.is_none_or(|opens| opens != report.open.is_empty()),
            format!("breaker open: {:?} to {:?}", report.open.first(), report.open.last()),
        ),
        (ends_open.is_none_or(|open| open == ends), format!("breaker open at the end: {ends}")),
        (removed.is_none_or(|count| count == all), format!("removed: {all}")),
    ];
    checks.into_iter().filter(|(fine, _)| !fine).map(|(_, text)| text).collect()
}

#[test]
fn every_golden_trace_ends_as_it_should() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/guard/traces");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 30, "only {} traces found", files.len());
    let mut failed = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let trace: Trace =
            serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let wrong = complaints(&trace, &run(&trace.script));
        if !wrong.is_empty() {
            failed.push(format!("{name} ({}):\n    {}", trace.why, wrong.join("\n    ")));
        }
    }
    assert!(failed.is_empty(), "{} traces failed:\n{}", failed.len(), failed.join("\n"));
}
