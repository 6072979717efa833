//! Nacos' groups in the names of services: `group__service`.

use super::dubbo;

/// Between a group and the name within it.
pub const SEPARATOR: &str = "__";

/// The group that a name says, and the name within it. An interface of Dubbo's says none, whatever its own name holds.
pub fn split(name: &str) -> Option<(&str, &str)> {
    if name.starts_with(dubbo::PROVIDERS) { None } else { name.split_once(SEPARATOR) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_the_first_separator_is_a_group_but_for_interfaces() {
        for (name, parts) in [
            ("orders", None),
            ("TRADE__orders", Some(("TRADE", "orders"))),
            ("TRADE__a__b", Some(("TRADE", "a__b"))),
            ("__orders", Some(("", "orders"))),
            ("providers:lab.Outer___Inner::", None),
            ("TRADE__providers:lab.Outer___Inner::", Some(("TRADE", "providers:lab.Outer___Inner::"))),
        ] {
            assert_eq!(split(name), parts, "{name}");
        }
    }
}
