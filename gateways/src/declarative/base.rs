//! The part of a document that is not ours, where its user keeps it in a file.

use std::path::PathBuf;

use super::document::Document;
use crate::{GatewayError, Retry};

/// A file that is read again whenever it changes.
pub(super) struct Base {
    path: Option<PathBuf>,
    text: Option<String>,
    document: Option<Document>,
    /// What was last said about it.
    told: Option<String>,
}

impl Base {
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { path, text: None, document: None, told: None }
    }

    /// What it holds, and whether that is new; none when no file is configured. One that cannot be read or understood
    /// any more leaves what it held before in force.
    pub(super) async fn refresh(
        &mut self,
        adapt: impl FnOnce(Document) -> Document,
        empty: impl FnOnce() -> Document,
    ) -> Result<Option<(&Document, bool)>, GatewayError> {
        let Some(path) = &self.path else { return Ok(None) };
        let read = tokio::fs::read_to_string(path).await.map_err(|error| format!("cannot be read: {error}"));
        let read = read.and_then(|text| {
            if self.text.as_ref() == Some(&text) {
                return Ok(None);
            }
            let document =
                Document::read(&text).map_err(|broken| format!("cannot be understood: {broken}"))?;
            Ok(Some((text, document)))
        });
        let is_new = matches!(read, Ok(Some(_)));
        match read {
            Ok(None) => self.told = None,
            Ok(Some((text, document))) => {
                self.document = Some(document.map_or_else(empty, adapt));
                (self.text, self.told) = (Some(text), None);
            }
            Err(reason) if self.document.is_none() => {
                return Err(GatewayError {
                    message: format!("the base {} {reason}; it is read again later", path.display()),
                    retry: Retry::Backoff(None),
                });
            }
            Err(reason) => self.warn(reason),
        }
        Ok(self.document.as_ref().map(|document| (document, is_new)))
    }

    fn warn(&mut self, reason: String) {
        if self.told.as_ref() != Some(&reason) {
            let base = self.path.clone().unwrap_or_default();
            tracing::warn!(base = %base.display(), %reason, "what the base held before stays in force");
            self.told = Some(reason);
        }
    }
}
