//! Names that symbolic links give to files: `~/.netrc` may be a link to a file with any name, and `~/.ssh` one to a folder.

use std::collections::BTreeMap;

/// The most names of a file that are looked at: links may lead in a circle.
const MOST: usize = 32;

/// Symbolic links, by what they lead to.
#[derive(Default)]
pub struct Links {
    all: BTreeMap<Vec<u8>, Target>,
    /// Bytes that they take in memory, about.
    memory: usize,
}

/// What links lead to.
struct Target {
    is_folder: bool,
    /// The paths of the links.
    links: Vec<Vec<u8>>,
}

impl Links {
    /// Adds a link that leads to the file or the folder with this path. A folder that the link is in gets no new name.
    pub fn add(&mut self, link: &[u8], target: Vec<u8>, is_folder: bool) {
        if target != b"/" && !is_below(link, &target) {
            let paths = link.len().saturating_add(target.len());
            self.memory = self.memory.saturating_add(paths).saturating_add(size_of::<(Vec<u8>, Target, Vec<u8>)>());
            let target = self.all.entry(target).or_insert_with(|| Target { is_folder, links: Vec::new() });
            target.links.push(link.to_vec());
        }
    }

    /// Bytes that they take in memory, about.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// The paths of what links lead to, and whether it is a folder; without what is in such a folder.
    pub fn targets(&self) -> impl Iterator<Item = (&[u8], bool)> {
        let is_inside = |path: &[u8]| {
            parts(path).any(|(above, below)| !below.is_empty() && self.all.get(above).is_some_and(|one| one.is_folder))
        };
        let outer = self.all.iter().filter(move |(path, _)| !is_inside(path));
        outer.map(|(path, target)| (path.as_slice(), target.is_folder))
    }

    /// The names that links give to the file with this path, without the path itself: first those by one link.
    pub fn names(&self, path: &[u8]) -> Vec<Vec<u8>> {
        let (mut all, mut next) = (vec![path.to_vec()], 0);
        while let Some(path) = all.get(next).cloned() {
            // The deepest folder first: it has the fewest links.
            for (above, below) in parts(&path).collect::<Vec<_>>().into_iter().rev() {
                for link in self.all.get(above).into_iter().flat_map(|target| &target.links) {
                    if all.len() > MOST {
                        return all.split_off(1);
                    }
                    let name = [link, below].concat();
                    if !all.contains(&name) {
                        all.push(name);
                    }
                }
            }
            next = next.saturating_add(1);
        }
        all.split_off(1)
    }
}

/// The path with each folder on the way cut off: `/a/b` is `/a` and `/b`, and `/a/b` and nothing.
fn parts(path: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let is_end = |at: &usize| *at > 0 && path.get(*at).is_none_or(|byte| *byte == b'/');
    (0..=path.len()).filter(is_end).filter_map(|at| path.split_at_checked(at))
}

fn is_below(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(all: &[(&str, &str, bool)]) -> Links {
        let mut links = Links::default();
        for (link, target, is_folder) in all {
            links.add(link.as_bytes(), target.as_bytes().to_vec(), *is_folder);
        }
        links
    }

    fn names(links: &Links, path: &str) -> Vec<String> {
        links.names(path.as_bytes()).into_iter().map(|name| String::from_utf8(name).unwrap()).collect()
    }

    #[test]
    fn a_file_has_the_names_of_links_to_it_and_to_its_folders() {
        let links = links(&[
            ("/root/.netrc", "/work/netrc", false),
            ("/home/a/.netrc", "/work/netrc", false),
            ("/root/.config", "/srv/config", true),
            ("/srv/config/gh", "/x/gh", true),
        ]);
        assert_eq!(names(&links, "/work/netrc"), ["/root/.netrc", "/home/a/.netrc"]);
        assert_eq!(names(&links, "/work/netrc2"), [] as [&str; 0]);
        assert_eq!(names(&links, "/srv/config/a"), ["/root/.config/a"]);
        assert_eq!(names(&links, "/srv/config2/a"), [] as [&str; 0]);
        assert_eq!(names(&links, "/x/gh/hosts.yml"), ["/srv/config/gh/hosts.yml", "/root/.config/gh/hosts.yml"]);
    }

    #[test]
    fn links_with_long_paths_take_more_memory_than_others() {
        let memory = |link: &str| links(&[(link, "/file", false)]).memory();
        assert!((10..1000).contains(&memory("/link")));
        assert!((60_000..61_000).contains(&memory(&format!("/{}", "x".repeat(60_000)))));
        // A link that gives no new name is not kept.
        assert_eq!(links(&[("/srv/link", "/srv", true)]).memory(), 0);
    }

    #[test]
    fn links_in_a_circle_give_few_names() {
        let circle = links(&[("/a/x", "/b", true), ("/b/y", "/a", true)]);
        assert_eq!(names(&circle, "/a/file").len(), MOST);
        let above = links(&[("/a/b/up", "/a", true), ("/a/b/top", "/", true), ("/a/b/here", "/a/b", true)]);
        assert_eq!(names(&above, "/a/b/file"), [] as [&str; 0]);
    }

    #[test]
    fn many_links_to_a_folder_above_hide_no_name() {
        let many = (0..100).map(|number| (format!("/releases/{number}/shared"), "/srv", true)).collect::<Vec<_>>();
        let mut all: Vec<_> =
            many.iter().map(|(link, target, is_folder)| (link.as_str(), *target, *is_folder)).collect();
        all.push(("/root/.ssh", "/srv/ssh", true));
        assert!(names(&links(&all), "/srv/ssh/authorized_keys").contains(&"/root/.ssh/authorized_keys".to_owned()));
    }

    #[test]
    fn what_links_lead_to_is_gone_through_once() {
        let links = links(&[
            ("/1", "/srv", true),
            ("/2", "/srv/a", true),
            ("/3", "/srv/a/file", false),
            ("/4", "/srv-a/file", false),
            ("/5", "/srv", true),
        ]);
        let targets: Vec<_> = links.targets().collect();
        assert_eq!(targets, [(&b"/srv"[..], true), (b"/srv-a/file", false)]);
    }
}
