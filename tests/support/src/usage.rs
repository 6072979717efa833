//! What a process uses, as Linux tells it.

use std::fs;

use crate::process::Failure;

/// Ticks of the scheduler's accounting in a second: USER_HZ, which is 100 in Linux' interface to programs.
const TICKS: f64 = 100.0;
/// Of the fields of /proc/PID/stat behind the program's name: user and system time (proc(5), 14 and 15).
const CPU_FIELDS: std::ops::RangeInclusive<usize> = 11..=12;

/// Memory and time of one process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Resident now, in MiB.
    pub resident: f64,
    /// The most that it ever was, in MiB.
    pub peak: f64,
    /// User and system time, in seconds.
    pub cpu: f64,
}

/// Of a process by its id, or `self`.
///
/// # Errors
/// When there is no such process, or no Linux.
pub fn of(pid: &str) -> Result<Usage, Failure> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        kib.unwrap_or_default() / 1024.0
    };
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name stands in parentheses and may hold anything.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = fields.get(CPU_FIELDS).into_iter().flatten().filter_map(|field| field.parse::<f64>().ok());
    Ok(Usage { resident: mib("VmRSS:"), peak: mib("VmHWM:"), cpu: ticks.sum::<f64>() / TICKS })
}
