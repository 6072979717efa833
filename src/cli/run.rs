use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Failed, Outcome, progress};
use crate::admin::Server;
use crate::config::Config;
use crate::reconcile::Supervisor;

/// How long what is under way at SIGTERM may take.
const GRACE: Duration = Duration::from_secs(8);

pub(super) async fn run(config: Config) -> Outcome {
    let supervisor = Supervisor::new(&config).map_err(Failed::work)?;
    let server = Server::bind(config.admin.listen, config.admin.token.clone(), Arc::clone(&supervisor) as _)
        .await
        .map_err(Failed::work)?;
    let listen = server.address().unwrap_or(config.admin.listen);
    tracing::info!(owner = %config.owner, admin = %format_args!("http://{listen}"), "causeway {} starts", env!("CARGO_PKG_VERSION"));
    let stop = CancellationToken::new();
    let serving = tokio::spawn(server.serve(stop.clone()));
    let shown = tokio::spawn({
        let supervisor = Arc::clone(&supervisor);
        async move { progress::show(|| supervisor.progress()).await }
    });
    let running = supervisor.start();
    terminated().await.map_err(Failed::work)?;
    shown.abort();
    let cut_off = running.stop(GRACE).await;
    stop.cancel();
    let _ = serving.await;
    if cut_off.is_empty() {
        tracing::info!("stopped; what stands in the destinations stays as it is");
        Ok(ExitCode::SUCCESS)
    } else {
        Err(Failed::work(format!(
            "stopped while this was being applied: {}; the next start finds out how far it came and goes on",
            cut_off.join(", ")
        )))
    }
}

async fn terminated() -> std::io::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let name = tokio::select! {
        _ = term.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    tracing::info!("{name}: stops watching and finishes what is being applied");
    Ok(())
}
