# Every target is a line or two; what is longer is a script beside the tests.
engines = $(shell tests/engines/fetch --root)
PREFIX ?= /usr/local

build:        ## the tool, optimised
	cargo build --release

test:         ## every test that needs no VM, nothing but Rust
	cargo test --workspace

conformance:  ## the fake engine's tests, on the real ones too, and on a real registry
	tests/engines/fetch --all
	BOTTLE_FREEZE_REAL_ENGINES="$(engines)" cargo test --test it -- conformance:: every_option:: registry:: engine_install::

facts:        ## each fact about engine versions, on real engines on both sides of its line (700 MB from PyPI)
	tests/engines/fetch --boundaries
	BOTTLE_FREEZE_REAL_ENGINES="$(engines)" cargo test --bin bottle-freeze -- facts::

faults:       ## kills, power cuts, damage, full disks, races and fuzzing, the long versions (SEED=N repeats a run)
	tests/engines/fetch 1.32.2
	BOTTLE_FREEZE_FAULTS=long cargo test --test it --bin bottle-freeze -- --nocapture crash:: create_races:: power_cut:: streams:: concurrency:: readers:: damage:: full_disk:: signals:: no_panic:: completion:: doctor:: retention:: smolvm:: snapshot::

e2e:          ## the scenarios, on real VMs in the lab
	tests/lab/e2e

bench:        ## how fast it is, beside the bare engine and a script
	bench/run

demo:         ## freeze and thaw a real VM, and watch
	tests/lab/demo

recording:    ## man/demo.svg anew, from a real run in the lab; its text on stdout
	tests/lab/record

install:      ## the tool, its man pages and completions, into PREFIX (/usr/local); by root without cargo after `make build`
	! command -v cargo > /dev/null || cargo build --release
	man/install $(DESTDIR)$(PREFIX)

uninstall:    ## what install has put into PREFIX
	man/install --remove $(DESTDIR)$(PREFIX)

deb:          ## a Debian package, and a check that it installs and uninstalls cleanly
	cargo deb --version > /dev/null 2>&1 || cargo install --locked cargo-deb
	tests/deb "$$(cargo deb)"

docs:         ## completions/ and man/, anew from src/cli.rs
	BOTTLE_FREEZE_BLESS=1 cargo test --quiet --bin bottle-freeze generated

deny:         ## licenses, sources and doubles of the crates (`cargo deny check` asks for advisories too)
	cargo deny check bans licenses sources

lint:         ## formatting, clippy, rustdoc and shellcheck
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --quiet
	tests/shell

.PHONY: build test conformance facts faults e2e bench demo recording install uninstall deb docs deny lint
