//! The file system's own events, where there are any.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

/// Wakes when something may have changed. Folders are watched rather than files, since files are replaced by renaming.
pub(super) struct Watcher {
    path: PathBuf,
    woken: Arc<Notify>,
    events: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
}

impl Watcher {
    pub(super) fn new(path: &Path) -> Self {
        let woken = Arc::new(Notify::new());
        let waker = Arc::clone(&woken);
        let events = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.as_ref().map_or(true, is_change) {
                waker.notify_one();
            }
        });
        if let Err(error) = &events {
            tracing::warn!("{} is looked at twice a second, not watched: {error}", path.display());
        }
        Self { path: path.to_owned(), woken, events: events.ok(), watched: BTreeSet::new() }
    }

    /// Resolves when something may have changed.
    pub(super) async fn event(&self) {
        self.woken.notified().await;
    }

    /// Watches the folders in which the files stand now: the path's own and, past links, the real ones.
    pub(super) async fn follow(&mut self) {
        let wanted = folders(&self.path).await;
        let Some(events) = &mut self.events else { return };
        for folder in self.watched.difference(&wanted) {
            // It may be gone, and its watch with it.
            let _ = events.unwatch(folder);
        }
        let added: Vec<PathBuf> = wanted.difference(&self.watched).cloned().collect();
        self.watched.retain(|folder| wanted.contains(folder));
        for folder in added {
            // What can't be watched is polled; the next turn tries again.
            if events.watch(&folder, RecursiveMode::NonRecursive).is_ok() {
                self.watched.insert(folder);
            }
        }
    }
}

/// Our own reading makes events too; they must not wake us.
fn is_change(event: &notify::Event) -> bool {
    match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

async fn folders(path: &Path) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    let mut candidates = vec![path.to_owned()];
    candidates.extend(tokio::fs::canonicalize(path).await);
    for candidate in candidates {
        // An empty parent is the working directory.
        let parent = candidate.parent().map(|parent| Path::new(".").join(parent));
        for folder in parent.into_iter().chain([candidate]) {
            if tokio::fs::metadata(&folder).await.is_ok_and(|metadata| metadata.is_dir()) {
                folders.extend(tokio::fs::canonicalize(&folder).await);
            }
        }
    }
    folders
}
