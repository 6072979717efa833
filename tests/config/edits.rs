//! Whatever is typed into a document, it is read or its mistakes are told at places that it has.

use causeway::config;
use proptest::{prelude::*, sample::Index};

use crate::data;

const DOCUMENTS: &[&str] = &[
    "config/full.yaml",
    "config/bad.yaml",
    "examples/mse-sync.yaml",
    "examples/polaris-sync-kong.json",
    "examples/polaris-sync-two-way.json",
];

const TYPED: &[&str] = &[
    "", "\"", "'", "{", "}", "[", "]", ":", ",", "#", "//", "/*", "&a ", "*a ", "<<: ", "- ", "\n", "\r\n",
    "\t", "${", "}", "\\", "!x ", "|", ">", "%", "---\n", "null", "~", "服务", "\u{feff}", "🙂", "\0", "0x1",
    "? ", "@", "`",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn nothing_that_is_typed_makes_the_reader_fail(
        document in proptest::sample::select(DOCUMENTS),
        edits in prop::collection::vec((any::<Index>(), 0..4_usize, proptest::sample::select(TYPED)), 1..5),
    ) {
        let mut text: Vec<char> = data(document).chars().collect();
        for (at, removed, typed) in edits {
            let start = at.index(text.len());
            let end = (start + removed).min(text.len());
            text.splice(start..end, typed.chars());
        }
        let text: String = text.into_iter().collect();
        let lines: Vec<&str> = text.split('\n').collect();
        if let Err(mistakes) = config::parse(&text, "typed", &|_| None) {
            prop_assert!(!mistakes.findings().is_empty());
            for finding in mistakes.findings() {
                let (line, column) = finding.place.unwrap();
                prop_assert!(line <= lines.len(), "{finding}");
                prop_assert!(column <= lines[line - 1].chars().count() + 1, "{finding}");
            }
        }
    }
}
