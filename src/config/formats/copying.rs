//! Forms of what is carried from registry to registry.

use super::Form;
use crate::model::dubbo;

/// A Nacos group, as it is written before `__` in a service's name.
pub(crate) enum NacosGroup {}

impl Form for NacosGroup {
    type Parsed = String;
    const NAME: &'static str = "causeway-nacos-group";
    const ABOUT: &'static str = "A Nacos group: letters, digits, `-`, `_`, `.` and `:`.";

    fn parse(text: &str) -> Result<String, String> {
        if text.is_empty() {
            return Err("must not be empty".to_owned());
        }
        let takes = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        if !text.bytes().all(takes) {
            return Err("is no Nacos group: letters, digits, `-`, `_`, `.` and `:`".to_owned());
        }
        if text.contains("__") || text.ends_with('_') {
            return Err(
                "can't be told from the name behind it: `group__service` has `__` between the two".to_owned()
            );
        }
        if text.starts_with(dubbo::PROVIDERS) {
            return Err(
                "begins as the names of Dubbo's interfaces do, which would be taken to be in no group"
                    .to_owned(),
            );
        }
        Ok(text.to_owned())
    }
}

/// A whole name, in which one star may stand for any run of characters.
pub(crate) enum RenamePattern {}

impl Form for RenamePattern {
    type Parsed = String;
    const NAME: &'static str = "causeway-rename-pattern";
    const ABOUT: &'static str = "A whole name, in which one `*` may stand for any run of characters.";

    fn parse(text: &str) -> Result<String, String> {
        if text.is_empty() {
            return Err("must not be empty".to_owned());
        }
        if text.matches('*').count() > 1 {
            return Err("has more than one `*`".to_owned());
        }
        if text.contains('?') {
            return Err("has a `?`: here only `*` stands for other characters".to_owned());
        }
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, NacosGroup, RenamePattern};

    #[test]
    fn a_group_can_be_told_from_the_name_behind_it() {
        for good in ["TRADE", "DEFAULT_GROUP", "a-b.c:d", "_a"] {
            assert_eq!(NacosGroup::parse(good).as_deref(), Ok(good));
        }
        for bad in ["", "a b", "a@@b", "空", "a__b", "a_", "providers:a"] {
            assert!(NacosGroup::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_rename_has_one_star_at_most() {
        for good in ["old-*", "*", "orders", "*.v1"] {
            assert_eq!(RenamePattern::parse(good).as_deref(), Ok(good));
        }
        for bad in ["", "*-*", "old?"] {
            assert!(RenamePattern::parse(bad).is_err(), "{bad}");
        }
    }
}
