//! A `kong.yml` as a gateway.

use std::future::ready;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex as StdMutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Mutex, oneshot};
use tokio::time::Instant;

use super::document::Document;
use crate::apply::apply;
use crate::{
    Applied, ApplyError, Change, Effect, Failure, Gateway, GatewayError, Plan, ReadScope, Retry, World, tags,
};

/// A declarative file, in decK's format.
///
/// Plans that come while the file is being written go into it together, with one write. What is somebody
/// else's in the file is kept in meaning, whenever it was put there.
pub struct KongFile {
    path: PathBuf,
    select_tag: String,
    waiting: StdMutex<Vec<Job>>,
    /// Held by whoever writes the file.
    writing: Mutex<Written>,
}

struct Job {
    plan: Plan,
    done: oneshot::Sender<Applied>,
}

/// The file as it was last read or written here.
#[derive(Default)]
struct Written {
    text: String,
    /// None when there was no file, or nothing in it.
    document: Option<Document>,
    /// When the last write ended, and how long it took.
    last: Option<(Instant, Duration)>,
}

impl KongFile {
    /// The file at this path, which need not exist; a new one tells decK to select entities by the owner's
    /// tag.
    pub fn new(path: impl Into<PathBuf>, owner: &str) -> Self {
        Self {
            path: path.into(),
            select_tag: tags::owner_tag(owner),
            waiting: StdMutex::default(),
            writing: Mutex::default(),
        }
    }

    /// Takes over what the file holds now, if that is not what was last read or written.
    async fn refresh(&self, written: &mut Written) -> Result<(), GatewayError> {
        let text = match tokio::fs::read_to_string(&self.path).await {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(self.failed("cannot be read", &error)),
        };
        if text == written.text && (written.document.is_some() || text.is_empty()) {
            return Ok(());
        }
        let document = Document::read(&text).map_err(|broken| GatewayError {
            message: format!(
                "{}:{}:{}: {}; the file is left as it is, and read again later",
                self.path.display(),
                broken.at.line,
                broken.at.column,
                broken.reason
            ),
            retry: Retry::Backoff(None),
        })?;
        written.document = document;
        written.text = text;
        Ok(())
    }

    fn failed(&self, what: &str, error: &io::Error) -> GatewayError {
        let message = format!("{} {what}: {error}; it is tried again", self.path.display());
        GatewayError { message, retry: Retry::Backoff(None) }
    }

    /// Puts plans into the file with one write, or none if they change nothing.
    async fn write(&self, written: &mut Written, plans: &[&Plan]) -> Vec<Applied> {
        if let Err(error) = self.refresh(written).await {
            return plans.iter().map(|plan| all_failed(&plan.changes, &error)).collect();
        }
        // Taken out: should this be cut off, what was not written is read from the file again.
        let document = written.document.take().unwrap_or_else(|| Document::new(&self.select_tag));
        let document = StdMutex::new(document);
        let mut applied = Vec::with_capacity(plans.len());
        for plan in plans {
            applied.push(apply(plan, 1, |change| ready(make(&document, change))).await);
        }
        let document = document.into_inner().unwrap_or_else(PoisonError::into_inner);
        let text = document.text();
        let changed = applied.iter().any(|applied| !applied.done.is_empty()) && text != written.text;
        if changed && let Err(error) = self.replace(&text).await {
            let error = self.failed("cannot be written", &error);
            return plans.iter().map(|plan| all_failed(&plan.changes, &error)).collect();
        }
        written.document = Some(document);
        if changed {
            written.text = text;
        }
        applied
    }

    /// Writes a whole new file beside the old one and puts it in its place, so that no reader ever sees a
    /// part.
    async fn replace(&self, text: &str) -> io::Result<()> {
        // A link stays a link: what it leads to is replaced.
        let path = tokio::fs::canonicalize(&self.path).await.unwrap_or_else(|_| self.path.clone());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        tokio::fs::create_dir_all(folder).await?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".causeway-").suffix(".tmp");
        let permissions = tokio::fs::metadata(&path).await.ok().map(|metadata| metadata.permissions());
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let temporary = builder.tempfile_in(folder)?;
        let mut file = tokio::fs::File::from_std(temporary.as_file().try_clone()?);
        file.write_all(text.as_bytes()).await?;
        if let Some(permissions) = permissions {
            file.set_permissions(permissions).await?;
        }
        file.sync_all().await?;
        temporary.persist(&path)?;
        Ok(())
    }
}

#[async_trait]
impl Gateway for KongFile {
    async fn read(&self, scope: &ReadScope) -> Result<World, GatewayError> {
        let mut written = self.writing.lock().await;
        self.refresh(&mut written).await?;
        Ok(written.document.as_ref().map(|document| document.world(scope)).unwrap_or_default())
    }

    async fn apply(&self, plan: &Plan) -> Applied {
        if plan.is_empty() {
            return Applied::default();
        }
        let (done, mut answer) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Job { plan: plan.clone(), done });
        let mut written = self.writing.lock().await;
        if let Ok(applied) = answer.try_recv() {
            return applied;
        }
        written.pause().await;
        let jobs = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let plans: Vec<&Plan> = jobs.iter().map(|job| &job.plan).collect();
        let began = Instant::now();
        let applied = self.write(&mut written, &plans).await;
        written.last = Some((Instant::now(), began.elapsed()));
        for (job, applied) in jobs.into_iter().zip(applied) {
            // Whoever no longer waits does not need the answer.
            let _ = job.done.send(applied);
        }
        drop(written);
        // One that was cut off may have taken our plan with it.
        answer.await.unwrap_or_else(|_| all_failed(&plan.changes, &cut_off()))
    }

    async fn check(&self) -> Result<String, GatewayError> {
        self.refresh(&mut *self.writing.lock().await).await?;
        Ok(format!("the file {}", self.path.display()))
    }
}

impl Written {
    /// Never faster than the last write took: those that come meanwhile go into the next one together.
    async fn pause(&self) {
        if let Some((ended, took)) = self.last {
            tokio::time::sleep_until(ended + took).await;
        }
    }
}

fn make(document: &StdMutex<Document>, change: &Change) -> Result<Effect, ApplyError> {
    document.lock().unwrap_or_else(PoisonError::into_inner).apply(change)
}

fn all_failed(changes: &[Change], error: &GatewayError) -> Applied {
    let failure = |change: &Change| Failure {
        change: change.clone(),
        error: ApplyError { message: error.message.clone(), retry: error.retry },
    };
    Applied { done: Vec::new(), failed: changes.iter().map(failure).collect() }
}

fn cut_off() -> GatewayError {
    GatewayError {
        message: "the write of the file was cut off; it is tried again".into(),
        retry: Retry::Backoff(None),
    }
}
