//! What stands on the disk: the files of the registry and their texts, taken only once they have stopped changing.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

/// For how long a file must stand unchanged before it is taken: editors truncate, then write.
pub(super) const SETTLE: Duration = Duration::from_millis(20);

/// A file's text, or why it cannot be read.
pub(super) type Content = Result<String, String>;

/// The registry's files with their contents, or why they cannot be listed.
pub(super) type Disk = Result<BTreeMap<PathBuf, Content>, String>;

/// Reads the file, or every YAML and JSON file of the folder. Hidden ones are passed over (a mounted ConfigMap keeps its
/// versions in such). A folder without any such file cannot be told from one whose volume is not mounted, so it is an error.
pub(super) async fn read(path: &Path) -> Disk {
    let failed = |error: io::Error| format!("{} cannot be read: {error}", path.display());
    if !tokio::fs::metadata(path).await.map_err(failed)?.is_dir() {
        return Ok(BTreeMap::from([(path.to_owned(), content(path).await)]));
    }
    let mut entries = tokio::fs::read_dir(path).await.map_err(failed)?;
    let mut files = BTreeMap::new();
    while let Some(entry) = entries.next_entry().await.map_err(failed)? {
        if is_services_file(&entry.path()) {
            files.insert(entry.path(), content(&entry.path()).await);
        }
    }
    if files.is_empty() {
        return Err(format!("the folder {} holds no .yaml, .yml or .json file", path.display()));
    }
    Ok(files)
}

fn is_services_file(path: &Path) -> bool {
    let hidden = path.file_name().and_then(|name| name.to_str()).is_none_or(|name| name.starts_with('.'));
    let extension = path.extension().and_then(|extension| extension.to_str());
    !hidden && matches!(extension, Some("yaml" | "yml" | "json"))
}

async fn content(path: &Path) -> Content {
    let bytes =
        tokio::fs::read(path).await.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8 text", path.display()))
}

/// Lets changes through that have stood for [`SETTLE`], each file by itself.
#[derive(Debug, Default)]
pub(super) struct Settling {
    taken: BTreeMap<PathBuf, Content>,
    unlisted: Option<String>,
    pending: BTreeMap<Option<PathBuf>, (Option<Content>, Instant)>,
}

/// What became of a look at the disk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    /// Something that stood long enough was taken.
    pub(super) changed: bool,
    /// When to look again, since something has not stood long enough.
    pub(super) again: Option<Instant>,
}

impl Settling {
    /// The files as last taken.
    pub(super) fn taken(&self) -> &BTreeMap<PathBuf, Content> {
        &self.taken
    }

    /// Why the files could not be listed when last taken.
    pub(super) fn unlisted(&self) -> Option<&str> {
        self.unlisted.as_deref()
    }

    /// Takes note of what stands on the disk now.
    pub(super) fn observe(&mut self, disk: Disk, now: Instant) -> Settled {
        let mut settled = Settled::default();
        let differing = self.differing(disk);
        self.pending.retain(|path, (seen, _)| differing.get(path) == Some(seen));
        for (path, seen) in differing {
            let (_, since) = self.pending.entry(path.clone()).or_insert((seen.clone(), now));
            let due = *since + SETTLE;
            if due > now {
                settled.again = Some(settled.again.map_or(due, |earlier| earlier.min(due)));
                continue;
            }
            self.pending.remove(&path);
            self.take(path, seen);
            settled.changed = true;
        }
        settled
    }

    /// What stands there otherwise than was taken, by file; the listing itself goes under no file. While it fails, that alone is told.
    fn differing(&self, disk: Disk) -> BTreeMap<Option<PathBuf>, Option<Content>> {
        let (files, unlisted) = match disk {
            Ok(files) => (files, None),
            Err(reason) => (self.taken.clone(), Some(reason)),
        };
        let mut differing = BTreeMap::new();
        if unlisted != self.unlisted {
            differing.insert(None, unlisted.map(Err));
        }
        for gone in self.taken.keys().filter(|path| !files.contains_key(*path)) {
            differing.insert(Some(gone.clone()), None);
        }
        for (path, content) in files {
            if self.taken.get(&path) != Some(&content) {
                differing.insert(Some(path), Some(content));
            }
        }
        differing
    }

    fn take(&mut self, path: Option<PathBuf>, seen: Option<Content>) {
        match (path, seen) {
            (None, seen) => self.unlisted = seen.and_then(Result::err),
            (Some(path), Some(content)) => {
                self.taken.insert(path, content);
            }
            (Some(path), None) => {
                self.taken.remove(&path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(files: &[(&str, &str)]) -> Disk {
        Ok(files.iter().map(|(path, text)| (PathBuf::from(path), Ok((*text).to_owned()))).collect())
    }

    fn texts(settling: &Settling) -> Vec<&str> {
        settling.taken().values().map(|content| content.as_deref().unwrap()).collect()
    }

    #[test]
    fn a_change_is_taken_once_it_has_stood() {
        let (mut settling, start) = (Settling::default(), Instant::now());
        let ms = |ms| start + Duration::from_millis(ms);
        let waits = Settled { changed: false, again: Some(ms(20)) };
        assert_eq!(settling.observe(disk(&[("a", "1")]), ms(0)), waits);
        assert_eq!(settling.observe(disk(&[("a", "1")]), ms(20)), Settled { changed: true, again: None });
        assert_eq!(settling.observe(disk(&[("a", "1")]), ms(30)), Settled::default());
        settling.observe(disk(&[("a", "")]), ms(40));
        let still = settling.observe(disk(&[("a", "2")]), ms(61));
        assert_eq!(still, Settled { changed: false, again: Some(ms(81)) }, "the truncated text is forgotten");
        assert_eq!(texts(&settling), ["1"]);
        assert!(settling.observe(disk(&[("a", "2")]), ms(81)).changed);
        assert_eq!(texts(&settling), ["2"]);
    }

    #[test]
    fn files_settle_by_themselves_and_a_short_absence_is_none() {
        let (mut settling, start) = (Settling::default(), Instant::now());
        let ms = |ms| start + Duration::from_millis(ms);
        let mut turn = |files: Disk, at: u64| settling.observe(files, ms(at)).changed;
        turn(disk(&[("a", "1"), ("b", "1")]), 0);
        assert!(turn(disk(&[("a", "1"), ("b", "2")]), 20), "a is taken though b is being written");
        assert!(!turn(disk(&[("b", "2")]), 30) && !turn(disk(&[("a", "1"), ("b", "3")]), 39));
        assert!(!turn(disk(&[("a", "1")]), 45) && !turn(disk(&[("a", "1"), ("b", "3")]), 59));
        assert_eq!(texts(&settling), ["1"]);
    }

    #[test]
    fn what_cannot_be_listed_takes_no_file_away() {
        let (mut settling, start) = (Settling::default(), Instant::now());
        let ms = |ms| start + Duration::from_millis(ms);
        settling.observe(disk(&[("a", "1")]), ms(0));
        settling.observe(disk(&[("a", "1")]), ms(20));
        settling.observe(Err("gone".to_owned()), ms(30));
        assert!(settling.observe(Err("gone".to_owned()), ms(50)).changed);
        assert_eq!((texts(&settling), settling.unlisted()), (vec!["1"], Some("gone")));
        settling.observe(disk(&[("a", "1")]), ms(60));
        assert!(settling.observe(disk(&[("a", "1")]), ms(80)).changed);
        assert_eq!(settling.unlisted(), None);
    }
}
