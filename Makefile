# Every target is a line or two; anything longer is a script in tests/.
engines = $(shell tests/engines/fetch --root)
# Most tests wait for other programs most of the time.
threads = $$((2 * $$(getconf _NPROCESSORS_ONLN)))
PREFIX ?= /usr/local

build:        ## build the program, optimized
	cargo build --release

test:         ## run every test that needs no VM; requires only Rust
	RUST_TEST_THREADS=$(threads) cargo test --workspace

conformance:  ## check the fake engine against real engines, and run the registry tests on a real registry
	tests/engines/fetch --all
	RUST_TEST_THREADS=$(threads) BOTTLE_FREEZE_REAL_ENGINES="$(engines)" cargo test --test it -- conformance:: facts:: same_vm:: image_vm:: unread:: unchanged:: every_option:: registry:: engine_install::

facts:        ## check each fact about engine versions on real engines on both sides of its line (1.5 GB from PyPI; BOTTLE_FREEZE_BLESS=ROW,… records them)
	tests/engines/fetch --boundaries
	BOTTLE_FREEZE_REAL_ENGINES="$(engines)" cargo test --test it -- facts::

faults:       ## run the long tests: kills, power cuts, damage, full disks, races, fuzzing (SEED=N repeats a run)
	tests/engines/fetch 1.32.2
	RUST_TEST_THREADS=$(threads) BOTTLE_FREEZE_FAULTS=long cargo test --test it --lib -- --nocapture crash:: crash_store:: create_races:: power_cut:: streams:: concurrency:: readers:: damage:: damage_store:: model_store:: full_disk:: signals:: no_panic:: completion:: doctor:: retention:: fuzz:: fuzz_files:: contents:: journal:: trim:: mounted::

e2e:          ## run the scenarios on real VMs in the lab
	tests/lab/e2e

bench:        ## measure speed, compared with the bare engine and a script
	bench/run

demo:         ## freeze and thaw a real VM as a demonstration
	tests/lab/demo

recording:    ## record man/demo.svg from a real run in the lab, and print its text
	tests/lab/record

install:      ## install the program, man pages and completions into PREFIX (/usr/local); after `make build`, root needs no cargo
	! command -v cargo > /dev/null || cargo build --release
	man/install $(DESTDIR)$(PREFIX)

uninstall:    ## remove what install put into PREFIX
	man/install --remove $(DESTDIR)$(PREFIX)

deb:          ## build a Debian package, and check that it installs and uninstalls cleanly
	cargo deb --version > /dev/null 2>&1 || cargo install --locked cargo-deb
	tests/deb "$$(cargo deb)"

docs:         ## regenerate man/, schemas/ and completions/ from the source
	cargo xtask docs

deny:         ## check licenses, sources and duplicates of crates (`cargo deny check` also checks advisories)
	cargo deny check bans licenses sources

lint:         ## check formatting, clippy, rustdoc, generated files, shell scripts, words and man pages
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --quiet
	cargo xtask docs --check
	tests/shell
	tests/words
	tests/pages

.PHONY: build test conformance facts faults e2e bench demo recording install uninstall deb docs deny lint
