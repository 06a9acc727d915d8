//! Help for the user: examples, the likely next command, and "did you mean".

use crate::support::{World, stdout};

#[test]
fn a_success_ends_with_the_likely_next_command_and_that_works() {
    let world = World::new();
    for (line, next) in [
        ("create dev", "start dev"),
        ("start dev", "exec -it dev -- sh"),
        ("pause dev", "resume dev"),
        ("resume dev", "exec -it dev -- sh"),
        ("stop dev", "start dev"),
        ("start dev", "exec -it dev -- sh"),
        ("freeze dev --yes", "start dev"),
        ("freeze dev -t ready", "thaw dev@"),
        ("start dev", "exec -it dev -- sh"),
        ("freeze dev --yes --restart", "thaw dev@"),
        ("freeze dev --live", "thaw dev@"),
        ("freeze dev --yes --restart -o 'my dev.smolmachine'", "thaw '/"),
        ("snapshot tag dev@ready again", "thaw dev@again"),
        ("thaw dev@ready tuesday", "exec -it tuesday -- sh"),
        ("thaw dev@ready wednesday --no-start", "start wednesday"),
        ("snapshot export dev@ready -o 'my dev.tar'", "snapshot import 'my dev.tar'"),
        ("snapshot import 'my dev.tar' --as other", "thaw other@"),
        ("pack alpine -o alpine.smolmachine", "create NAME --from /"),
    ] {
        let said = stdout(&world.run(line).success());
        let next_line = said.trim_end().rsplit_once(": bottle-freeze ").unwrap_or_else(|| panic!("{line}: {said}")).1;
        assert!(next_line.starts_with(next), "{line}: {said}");
        world.run(&format!("{next_line} --help").replace("-- sh --help", "--help")).success();
    }
}
