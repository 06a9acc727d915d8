//! The owners of files that a user other than root unpacked.

use super::{flattened, members};
use crate::smolvm::image::Layer;
use std::fs;
use std::path::Path;

#[test]
fn recorded_owners_are_those_that_the_guest_sees() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "text").unwrap();
    std::os::unix::fs::symlink("file", folder.path().join("link")).unwrap();
    let set = |path: &Path, name: &str, value: &str| {
        rustix::fs::lsetxattr(path, name, value.as_bytes(), rustix::fs::XattrFlags::empty())
    };
    let record = |path: &Path, owner: &str| set(path, "user.containers.override_stat", owner);
    if record(folder.path(), "3:4:01777") == Err(rustix::io::Errno::NOTSUP) {
        println!("NOT RUN: this file system has no attributes");
        return;
    }
    record(&file, "999:998:04400").unwrap();
    let tar = || flattened(&[Layer::Host(folder.path().to_owned())]);
    let listed = members(&tar().unwrap());
    let has = |path: &str, text: &str| assert!(listed[path.as_bytes()].contains(text), "{listed:?}");
    has("./", "Directory 1777 [3, 4] ");
    has("./file", "Regular 4400 [999, 998] ");
    has("./link", "Symlink 777 [0, 0] ");
    for text in ["", "1:2", "1:2:0644:5", "1:2:100644", "1:x:0644", &"1".repeat(100)] {
        record(&file, text).unwrap();
        assert!(tar().unwrap_err().ends_with("has an owner in an unknown form"), "{text}: {:?}", tar());
    }
    record(&file, "0:0:0644").unwrap();
    let with_nul = |text: &str| text.replace('|', "\0");
    let longer = format!("{}|1:2|link|7:8|", "x".repeat(200));
    for (links, owner) in [("link|7:8|", "[7, 8]"), ("a|1:2|link 2|3:4|", "[0, 0]"), (&longer, "[7, 8]")] {
        set(folder.path(), "user.krun.symlink_owners", &with_nul(links)).unwrap();
        let listed = members(&tar().unwrap());
        assert!(listed[&b"./link"[..]].contains(&format!("Symlink 777 {owner} ")), "{listed:?}");
    }
    for links in ["", "link=1:1", "link|7:8", "link|7|", "link|", "link|7:x|", "link|-7:8|"] {
        set(folder.path(), "user.krun.symlink_owners", &with_nul(links)).unwrap();
        assert!(tar().unwrap_err().ends_with("has links with owners in an unknown form"), "{links:?}: {:?}", tar());
    }
}
