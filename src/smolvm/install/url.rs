//! URLs, as far as an index of packages needs them (RFC 3986, section 5).

/// The URL that `reference`, found on the page `base`, means.
pub fn join(base: &str, reference: &str) -> String {
    let reference = reference.split('#').next().unwrap_or_default();
    let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let path = path.split(['?', '#']).next().unwrap_or_default();
    if has_scheme(reference) {
        reference.to_owned()
    } else if let Some(rest) = reference.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if reference.starts_with('/') {
        format!("{scheme}://{host}{}", without_dots(reference))
    } else {
        let folder = path.rfind('/').map_or("/", |at| &path[..=at]);
        format!("{scheme}://{host}{}", without_dots(&format!("{folder}{reference}")))
    }
}

fn has_scheme(reference: &str) -> bool {
    reference.split_once(':').is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

fn without_dots(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The URL without the password that may be in it, and without its query, for people.
pub fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}{path}"),
        None => url.to_owned(),
    }
}

/// The host in it, with its port, and who logs in there.
pub fn authority(url: &str) -> (&str, Option<&str>) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or((authority, None), |(user, host)| (host, Some(user)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_joined_to_its_page() {
        let page = "https://u:p@mirror.example:8443/api/simple/smolmachines/?x#y";
        for (reference, url) in [
            ("https://files.example/a.whl#sha256=00", "https://files.example/a.whl"),
            ("//files.example/a.whl", "https://files.example/a.whl"),
            ("/a.whl", "https://u:p@mirror.example:8443/a.whl"),
            ("../../packages/./a.whl", "https://u:p@mirror.example:8443/api/packages/a.whl"),
            ("../../../../../a.whl", "https://u:p@mirror.example:8443/a.whl"),
            ("a.whl", "https://u:p@mirror.example:8443/api/simple/smolmachines/a.whl"),
        ] {
            assert_eq!(join(page, reference), url, "{reference}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(shown("https://u:p@mirror.example/a?token=t"), "https://***@mirror.example/a");
        assert_eq!(authority("http://u:p@h:1/x"), ("h:1", Some("u:p")));
    }
}
