//! The bare client of a registry that has to be asked: it asks all the time.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::RequestBuilder;
use tokio::time::sleep;

use crate::propagation::Watcher;

/// Between an answer and the next question.
const PAUSE: Duration = Duration::from_millis(2);

/// Sends the same request again and again.
pub struct Poller(pub RequestBuilder);

#[async_trait]
impl Watcher for Poller {
    async fn next(&mut self) -> Bytes {
        sleep(PAUSE).await;
        let request = self.0.try_clone().expect("its body isn't a stream");
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let body = answer.bytes().await.unwrap();
        assert!(status.is_success(), "{status}: {body:?}");
        body
    }
}
