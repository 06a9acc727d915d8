# Every target is a line or two; what is longer is a script beside the tests.
engines = $(shell tests/engines/fetch --root)

build:        ## the tool, optimised
	cargo build --release

test:         ## every test that needs no VM, nothing but Rust
	cargo test --workspace

conformance:  ## the fake engine's tests, on the real ones too
	tests/engines/fetch --all
	BOTTLE_FREEZE_REAL_ENGINES="$(engines)" cargo test --test conformance

e2e:          ## the scenarios, on real VMs in the lab
	tests/lab/e2e

demo:         ## freeze and thaw a real VM, and watch
	tests/lab/demo

docs:         ## completions/ and man/, anew from src/cli.rs
	BOTTLE_FREEZE_BLESS=1 cargo test --quiet --bin bottle-freeze generated

lint:         ## formatting and clippy
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

.PHONY: build test conformance e2e demo docs lint
