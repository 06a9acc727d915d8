//! The part of RFC 3986, section 5, that an index of packages needs.

/// The URL of `reference` on the page `base`.
pub fn join(base: &str, reference: &str) -> String {
    let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    if reference.contains("://") {
        reference.to_owned()
    } else if reference.starts_with("//") {
        format!("{scheme}:{reference}")
    } else if reference.starts_with('/') {
        format!("{scheme}://{host}{reference}")
    } else {
        let mut folders: Vec<&str> = path.split('/').skip(1).collect();
        folders.pop();
        for part in reference.split('/') {
            match part {
                "." => {}
                ".." => drop(folders.pop()),
                part => folders.push(part),
            }
        }
        format!("{scheme}://{host}/{}", folders.join("/"))
    }
}

/// The URL without login and query, for messages.
pub fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = host.rsplit_once('@').map_or_else(|| host.to_owned(), |(_, host)| format!("***@{host}"));
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_joined_to_its_page() {
        let page = "https://u:p@mirror.example:8443/api/simple/smolmachines/?x#y";
        for (reference, url) in [
            ("https://files.example/a.whl", "https://files.example/a.whl"),
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
        assert_eq!(shown("https://mirror.example"), "https://mirror.example");
    }
}
