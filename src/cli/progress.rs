//! A first pass can be long: on a terminal one line shows how far it has come, elsewhere plain log lines do.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::reconcile::PassProgress;

const LOOK: Duration = Duration::from_millis(100);
const REDRAW: Duration = Duration::from_millis(200);
const LOG_EVERY: Duration = Duration::from_secs(10);
const CLEAR_LINE: &[u8] = b"\r\x1b[K";

static LINE_SHOWN: AtomicBool = AtomicBool::new(false);

/// Shows progress until the first pass is complete.
pub(super) async fn show(progress: impl Fn() -> PassProgress) {
    let terminal = io::stderr().is_terminal();
    let every = if terminal { REDRAW } else { LOG_EVERY };
    let begun = Instant::now();
    let mut last = (begun, 0);
    loop {
        let now = progress();
        if now.complete {
            clear();
            let seconds = begun.elapsed().as_secs_f64();
            tracing::info!(
                "first pass done: {} services, {} changes in {seconds:.1} s",
                now.all,
                now.changes
            );
            return;
        }
        if last.0.elapsed() >= every {
            let rate = ((now.changes - last.1) as f64 / last.0.elapsed().as_secs_f64()).round();
            last = (Instant::now(), now.changes);
            tell(
                terminal,
                &format!("first pass: {} of {} services, {rate} changes a second", now.done, now.all),
            );
        }
        sleep(LOOK).await;
    }
}

fn tell(terminal: bool, text: &str) {
    if terminal {
        draw(text);
    } else {
        tracing::info!("{text}");
    }
}

fn draw(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(CLEAR_LINE).and_then(|()| stderr.write_all(text.as_bytes()));
    let _ = stderr.flush();
    LINE_SHOWN.store(true, Ordering::Relaxed);
}

fn clear() {
    if LINE_SHOWN.swap(false, Ordering::Relaxed) {
        let _ = io::stderr().write_all(CLEAR_LINE);
    }
}

/// Stderr for log lines: takes the progress line away first, so that the two don't mix.
pub(super) struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        clear();
        io::stderr().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
