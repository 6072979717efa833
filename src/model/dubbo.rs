//! Interfaces of Dubbo's as services, which are named `providers:{interface}:{version}:{group}`, in a group of Nacos' or not.

use std::ops::Range;

use super::group;

/// What their names begin with.
pub const PROVIDERS: &str = "providers:";

/// Between the names of a nested class and of its outer one.
const NESTED: &str = "$";
/// The same in a Nacos: Dubbo's `NacosNamingServiceWrapper` writes it so, from 2.7.10 on.
const NESTED_IN_NACOS: &str = "___";

/// The interface that a service's name says.
pub fn interface(service: &str) -> Option<&str> {
    Some(&service[interface_in(service)?])
}

/// The name by which Dubbo registers and looks for a service in a Nacos. Where that would be another service's too, it stays.
pub fn in_nacos(service: &str) -> String {
    respelled(service, NESTED, NESTED_IN_NACOS)
}

/// The service of a name in a Nacos: the inverse of [`in_nacos`].
pub fn of_nacos(name: &str) -> String {
    respelled(name, NESTED_IN_NACOS, NESTED)
}

fn respelled(service: &str, from: &str, to: &str) -> String {
    let Some(place) = interface_in(service) else { return service.to_owned() };
    let interface = &service[place.clone()];
    let respelled = interface.replace(from, to);
    if respelled.replace(to, from) != interface {
        return service.to_owned();
    }
    format!("{}{respelled}{}", &service[..place.start], &service[place.end..])
}

fn interface_in(service: &str) -> Option<Range<usize>> {
    let in_group = group::split(service).map_or(service, |(_, in_group)| in_group);
    let interface = in_group.strip_prefix(PROVIDERS)?;
    let interface = interface.split_once(':').map_or(interface, |(interface, _)| interface);
    let start = service.len() - in_group.len() + PROVIDERS.len();
    Some(start..start + interface.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nested_interfaces_are_spelled_as_dubbo_does_in_a_nacos() {
        for (service, name) in [
            ("providers:lab.Hello:1.0.0:blue", "providers:lab.Hello:1.0.0:blue"),
            ("providers:lab.Outer$Inner::", "providers:lab.Outer___Inner::"),
            ("TRADE__providers:lab.Outer$Inner::", "TRADE__providers:lab.Outer___Inner::"),
            ("providers:a$b$c:$1:$2", "providers:a___b___c:$1:$2"),
            ("providers:lab.Outer$Inner", "providers:lab.Outer___Inner"),
            ("providers:a$_b::", "providers:a____b::"),
            ("lab.Outer$Inner", "lab.Outer$Inner"),
        ] {
            assert_eq!(in_nacos(service), name);
            assert_eq!(of_nacos(name), service);
        }
        // It would be that of `a$_b`.
        assert_eq!(in_nacos("providers:a_$b::"), "providers:a_$b::");
    }

    #[test]
    fn a_service_says_its_interface() {
        for (service, said) in [
            ("providers:lab.Hello:1.0.0:blue", Some("lab.Hello")),
            ("TRADE__providers:a__b::", Some("a__b")),
            ("providers:", Some("")),
            ("orders", None),
        ] {
            assert_eq!(interface(service), said, "{service}");
        }
    }

    proptest! {
        #[test]
        fn no_two_services_have_one_name_and_each_is_found_again(
            one in "(G__)?providers:[a$_]{0,8}::", other in "(G__)?providers:[a$_]{0,8}::",
        ) {
            let is_own = |service: &str| of_nacos(&in_nacos(service)) == service;
            if is_own(&one) && is_own(&other) {
                prop_assert_eq!(in_nacos(&one) == in_nacos(&other), one == other);
            }
            prop_assert!(is_own(&one) || one.contains(NESTED_IN_NACOS));
        }
    }
}
