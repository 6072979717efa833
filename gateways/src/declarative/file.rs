//! A `kong.yml` as a gateway.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncWriteExt as _;

use super::commit::Declarative;
use super::document::Document;
use super::place::{Found, Look, Pace, Place, Refusal};
use crate::{Applied, Gateway, GatewayError, Plan, ReadScope, Retry, World, tags};

/// A declarative file, in decK's format.
///
/// Plans that come while the file is being written go into it together, with one write. What is somebody
/// else's in the file is kept in meaning, whenever it was put there.
pub struct KongFile(Declarative<FilePlace>);

impl KongFile {
    /// The file at this path, which need not exist; a new one tells decK to select entities by the owner's
    /// tag. Where a base is given, that file holds what is somebody else's.
    pub fn new(path: impl Into<PathBuf>, base: Option<PathBuf>, owner: &str) -> Self {
        let select_tag = tags::owner_tag(owner);
        let place =
            FilePlace { path: path.into(), select_tag, text: String::new(), lacks: false, told: false };
        Self(Declarative::new(place, base, owner))
    }
}

#[async_trait]
impl Gateway for KongFile {
    async fn read(&self, scope: &ReadScope) -> Result<World, GatewayError> {
        self.0.read(scope).await
    }

    async fn apply(&self, plan: &Plan) -> Applied {
        self.0.apply(plan).await
    }

    async fn check(&self) -> Result<String, GatewayError> {
        self.0.check().await
    }

    fn width(&self) -> usize {
        self.0.width()
    }

    async fn tend(&self) {
        self.0.tend().await;
    }
}

struct FilePlace {
    path: PathBuf,
    select_tag: String,
    /// As it was last read or written.
    text: String,
    /// It does not hold what it should.
    lacks: bool,
    /// That it cannot be mended was said.
    told: bool,
}

#[async_trait]
impl Place for FilePlace {
    async fn look(&mut self, _how: Look) -> Result<Found, GatewayError> {
        let text = match tokio::fs::read_to_string(&self.path).await {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(self.failed("cannot be read", &error)),
        };
        if text == self.text {
            return Ok(Found::Nothing);
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
        self.text = text;
        self.lacks = document.is_none();
        Ok(document.map_or(Found::Nothing, Found::Others))
    }

    fn outdated(&mut self) {
        self.lacks = true;
    }

    async fn put(&mut self, document: &Document) -> Result<(), Refusal> {
        let text = document.text();
        if let Err(error) = replace(&self.path, &text).await {
            return Err(Refusal::Whole(self.failed("cannot be written", &error)));
        }
        self.text = text;
        (self.lacks, self.told) = (false, false);
        Ok(())
    }

    async fn mend(&mut self, document: &Document) {
        if !self.lacks {
            return;
        }
        if let Err(Refusal::Whole(error)) = self.put(document).await
            && !std::mem::replace(&mut self.told, true)
        {
            tracing::warn!(reason = error.message, "the file does not hold what it should");
        }
    }

    fn empty(&self) -> Document {
        Document::new(&self.select_tag)
    }

    fn adapted(&self, document: Document) -> Document {
        document
    }

    fn remembers_ours(&self) -> bool {
        false
    }

    fn pace(&self) -> Pace {
        Pace { gather: Duration::ZERO, rest: Duration::ZERO }
    }

    fn describe(&self) -> String {
        format!("the file {}", self.path.display())
    }
}

impl FilePlace {
    fn failed(&self, what: &str, error: &io::Error) -> GatewayError {
        let message = format!("{} {what}: {error}; it is tried again", self.path.display());
        GatewayError { message, retry: Retry::Backoff(None) }
    }
}

/// Writes a whole new file beside the old one and puts it in its place, so that no reader ever sees a part.
async fn replace(path: &Path, text: &str) -> io::Result<()> {
    // A link stays a link: what it leads to is replaced.
    let path = tokio::fs::canonicalize(path).await.unwrap_or_else(|_| path.to_owned());
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
