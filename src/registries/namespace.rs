//! Registries without namespaces.

/// What a service's key needs all the same.
const DEFAULT: &str = "default";

/// What stands for the namespace in the keys of all services: the one name that is configured, or `default`.
///
/// # Errors
/// When several are configured, in words for people.
pub(super) fn only_namespace(registry: &str, configured: &[String]) -> Result<String, String> {
    match configured {
        [] => Ok(DEFAULT.to_owned()),
        [one] => Ok(one.clone()),
        _ => Err(format!(
            "a {registry} has no namespaces of its own: `namespaces` may hold one name, under which its services are written"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_namespace_is_a_label() {
        let labelled = |names: &[&str]| {
            only_namespace("X", &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(labelled(&[]).unwrap(), "default");
        assert_eq!(labelled(&["prod"]).unwrap(), "prod");
        assert!(labelled(&["a", "b"]).unwrap_err().starts_with("a X has no namespaces of its own"));
    }
}
