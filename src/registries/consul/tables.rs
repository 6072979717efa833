//! Watches whole tables of the catalogue, to know when the services that have no query of their own may have changed.
//!
//! What `/v1/health/service/…` answers is made of three tables: services, checks and nodes. The list of services moves with the
//! first; the others are watched by queries whose filter fits nothing, so that each move of the table wakes them and the answer is
//! empty.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::http::Query;
use super::index::{Cursor, HELD, Step};
use super::reader::WAIT;
use super::shared::Shared;

const PATHS: [(&str, &str); 2] = [("the checks", "/health/state/any"), ("the nodes", "/catalog/nodes")];
/// Every node has a name.
const FITS_NOTHING: &str = "Node == \"\"";
/// Between two answers while the table moves all the time.
const GAP: Duration = Duration::from_millis(200);
/// While a table can't be watched, it is taken to move at this pace.
const BLIND: Duration = Duration::from_secs(5);

/// One watch for each table. Each never returns; dropping it is its end.
pub(super) fn watches(
    shared: &Arc<Shared>,
) -> impl Iterator<Item = impl Future<Output = ()> + Send + 'static> {
    PATHS.into_iter().map(|(what, path)| {
        let filter = Some(FITS_NOTHING.to_owned());
        watch(
            Arc::clone(shared),
            Query { what: what.to_owned(), path: path.to_owned(), filter, sorted: false, wait: WAIT },
        )
    })
}

async fn watch(shared: Arc<Shared>, query: Query) {
    let (mut cursor, mut crowded) = (Cursor::default(), shared.crowded.subscribe());
    // The sender is shared's own, so there is always something to wait for.
    while crowded.wait_for(|crowded| *crowded).await.is_ok() {
        let begun = Instant::now();
        let index = cursor.request();
        let answer = shared.http.get(&query, index).await;
        let waited = index.map(|_| begun.elapsed());
        match answer.map(|answer| cursor.answered(answer.index, waited)) {
            Ok(Step::Hurried) => sleep(HELD).await,
            Ok(Step::Unchanged) => {}
            Ok(Step::Changed | Step::Reset) => {
                shared.note_move();
                sleep(GAP).await;
                shared.view.put_off().over().await;
            }
            Err(error) => {
                tracing::debug!(registry = shared.view.registry(), %error, "a table can't be watched");
                cursor.ask_at_once();
                shared.note_move();
                sleep(BLIND).await;
            }
        }
    }
}
