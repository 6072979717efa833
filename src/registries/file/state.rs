//! From the files' texts to the services that are in force. Pure.
//!
//! What a good file no longer says is meant to go. While any file is broken nothing goes, since what has vanished from one may
//! stand in the broken one; what is new or changed in the good ones comes in all the same.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::document::{self, Services};
use super::files::Settling;

/// The files as last understood, and what is in force.
#[derive(Debug, Default)]
pub(super) struct State {
    files: BTreeMap<PathBuf, File>,
    services: Services,
    complete_once: bool,
    mistakes: Vec<String>,
}

/// One file as last understood.
#[derive(Debug, Default)]
struct File {
    text: Option<String>,
    /// What it said when it was last good; none while it never was.
    said: Option<Services>,
    mistakes: Vec<String>,
}

impl State {
    /// What is in force.
    pub(super) fn services(&self) -> &Services {
        &self.services
    }

    /// Whether every file was good at some time, so that a service that is not there is known not to be.
    pub(super) fn complete_once(&self) -> bool {
        self.complete_once
    }

    /// Why the files cannot be trusted at present, for people; empty when they can.
    pub(super) fn mistakes(&self) -> &[String] {
        &self.mistakes
    }

    /// The mistakes in a sentence.
    pub(super) fn broken(&self) -> Option<String> {
        let first = self.mistakes.first()?;
        Some(match self.mistakes.len() {
            1 => first.clone(),
            2 => format!("{first} (and 1 more mistake)"),
            n => format!("{first} (and {} more mistakes)", n - 1),
        })
    }

    /// Takes in what has settled on the disk.
    pub(super) fn update(&mut self, disk: &Settling) {
        self.files.retain(|path, _| disk.taken().contains_key(path));
        for (path, content) in disk.taken() {
            let file = self.files.entry(path.clone()).or_default();
            match content {
                Ok(text) => file.understand(&path.display().to_string(), text),
                Err(reason) => file.fail(reason),
            }
        }
        let (said, mut mistakes) = unite(&self.files);
        mistakes.splice(0..0, disk.unlisted().map(str::to_owned));
        if mistakes.is_empty() {
            (self.services, self.complete_once) = (said, true);
        } else {
            keep_and_add(&mut self.services, said);
        }
        self.mistakes = mistakes;
    }
}

impl File {
    fn understand(&mut self, name: &str, text: &str) {
        if self.text.as_deref() == Some(text) {
            return;
        }
        self.text = Some(text.to_owned());
        match document::read(name, text) {
            Ok(services) => (self.said, self.mistakes) = (Some(services), Vec::new()),
            Err(mistakes) => {
                self.mistakes = mistakes.findings().iter().map(ToString::to_string).collect();
            }
        }
    }

    fn fail(&mut self, reason: &str) {
        (self.text, self.mistakes) = (None, vec![reason.to_owned()]);
    }
}

/// All that the files say. Where two say different things of one instance the first file's word counts and the other is told.
fn unite(files: &BTreeMap<PathBuf, File>) -> (Services, Vec<String>) {
    let (mut united, mut mistakes) = (Services::new(), Vec::new());
    for (path, file) in files {
        mistakes.extend(file.mistakes.iter().cloned());
        for (key, instances) in file.said.iter().flatten() {
            let there = united.entry(key.clone()).or_default();
            for (address, instance) in instances {
                let first = there.entry(address.clone()).or_insert_with(|| instance.clone());
                if first != instance {
                    let file = path.display();
                    mistakes.push(format!("{file}: {address} of {key} stands otherwise in another file"));
                }
            }
        }
    }
    (united, mistakes)
}

fn keep_and_add(services: &mut Services, said: Services) {
    for (key, instances) in said {
        services.entry(key).or_default().extend(instances);
    }
}
