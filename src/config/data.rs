//! Other documents, such as a `file` registry's, by the rules of the configuration.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;

use super::{
    check::{self, Manners},
    mistakes::Mistakes,
    tree::{self, Source},
};

pub(crate) use super::{
    mistakes::{Findings, Path},
    tree::Node,
};

/// Reads a document along `T`'s schema. `meaning` tells what is wrong with it beyond its shape.
///
/// # Errors
/// Everything that is wrong with the document.
pub(crate) fn read<T: DeserializeOwned + JsonSchema>(
    file: &str,
    text: &str,
    meaning: impl FnOnce(&Node, &mut Findings),
) -> Result<T, Mistakes> {
    let source = Source::new(file, text);
    let mut root =
        tree::parse(&source, |_| false).map_err(|syntax| Mistakes::at(&source, syntax.at, syntax.message))?;
    let mut findings = Findings::default();
    tree::settle_doubles(&mut root, true, &mut findings);
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
    let checked = check::check(&root, &schema, Manners::Strict, &no_files, &mut findings);
    meaning(&root, &mut findings);
    findings.settle(&source)?;
    serde_json::from_value(checked).map_err(|_| {
        let message = "passes every check, yet cannot be read: a bug in Causeway, please report it";
        Mistakes::of_file(file, message.to_owned())
    })
}

/// Data holds no secrets, so none is read from a file.
fn no_files(_: &str) -> Result<String, String> {
    Err("no file is read here".to_owned())
}
