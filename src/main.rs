//! `bottle-freeze`: see the library.

fn main() -> std::process::ExitCode {
    bottle_freeze::main()
}
