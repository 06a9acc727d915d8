//! Secrets: the engine puts references to them into a pack, and then refuses to create a VM from it. A snapshot has
//! none.

use crate::support::library::artifact;
use crate::support::{World, forged, manifest, real, stderr, stdout};
use serde_json::{Value, json};
use std::fs;

const OPTIONS: &str = "--secret-env TOKEN=HOST_TOKEN --secret-file CERT=/etc/hostname";

fn world() -> World {
    let world = World::new();
    world.vm("dev").with(OPTIONS).stopped();
    world
}

type Change = fn(&mut Value);

fn json_of(world: &World, line: &str) -> Value {
    serde_json::from_str(&stdout(&world.run(line).success())).unwrap()
}

fn text(warnings: &Value) -> String {
    warnings.as_array().unwrap().iter().map(|warning| warning.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_vm_with_secrets_is_frozen_without_references_and_can_be_thawed() {
    let world = world();
    let report = json_of(&world, "freeze dev --json");
    world.write("exported.smolmachine", artifact(&world, "dev"));
    let frozen = manifest(&world.path("work/exported.smolmachine"));
    assert!(frozen.get("secret_refs").is_none(), "{frozen}");
    assert!(!frozen.to_string().contains("HOST_TOKEN") && !frozen.to_string().contains("/etc/hostname"), "{frozen}");
    assert_eq!(report["snapshot"]["machine"]["secrets"], json!(["CERT", "TOKEN"]));
    for warnings in [&report["warnings"], &report["snapshot"]["warnings"]] {
        assert!(
            text(warnings).contains("CERT, TOKEN") && text(warnings).contains("exec -e CERT -e TOKEN"),
            "{warnings}"
        );
    }
    world.run("snapshot verify --all").success();
    let thawed = json_of(&world, "thaw dev new --no-start --json");
    let said = text(&thawed["warnings"]);
    assert!(
        said.contains("CERT, TOKEN") && said.contains("bottle-freeze exec -e CERT -e TOKEN new -- COMMAND"),
        "{said}"
    );
    assert_eq!(world.state("new"), "created");
}

#[test]
fn the_suggested_command_passes_the_secrets() {
    let world = world();
    world.run("freeze dev").success();
    world.run("thaw dev new").success();
    let mut exec = world.line("exec -e CERT -e TOKEN new -- sh -c 'echo $TOKEN-$CERT'");
    let run = crate::support::finish({
        exec.env("TOKEN", "t0k").env("CERT", "c3rt");
        exec
    });
    assert_eq!(stdout(&run.success()), "t0k-c3rt\n");
}

#[test]
fn creating_from_a_file_names_the_missing_secrets() {
    let world = world();
    let said = stderr(&world.run("freeze dev -o dev.smolmachine").success());
    assert!(said.contains("CERT, TOKEN"), "{said}");
    world.run("freeze dev -o pair").success();
    for (name, file) in [("a", "dev.smolmachine"), ("b", "pair.smolmachine")] {
        assert!(manifest(&world.path("work").join(file)).get("secret_refs").is_none());
        let said = stderr(&world.run(&format!("create {name} --from {file}")).success());
        assert!(said.contains("CERT, TOKEN") && said.contains(&format!("-e TOKEN {name} -- COMMAND")), "{said}");
        let said = stderr(&world.run(&format!("thaw ./{file} {name}{name} --no-start")).success());
        assert!(said.contains("CERT, TOKEN"), "{said}");
    }
}

#[test]
fn a_snapshot_from_a_tar_or_registry_still_names_them() {
    let world = world();
    world.run("freeze dev").success();
    world.run("snapshot export dev -o dev.tar").success();
    fs::create_dir_all(world.path("fake/registry/registry.test")).unwrap();
    world.run("snapshot push dev registry.test/dev:1 --yes").success();
    for (line, name) in
        [("snapshot import dev.tar --as one", "one"), ("snapshot pull registry.test/dev:1 --as two", "two")]
    {
        world.run(line).success();
        let said = stderr(&world.run(&format!("thaw {name} --no-start")).success());
        assert!(said.contains("CERT, TOKEN"), "{line}: {said}");
    }
}

#[test]
fn a_vm_without_secrets_is_packed_as_the_engine_packs_it() {
    let world = World::new();
    world.vm("dev").made_here().stopped();
    let report = json_of(&world, "freeze dev --json");
    assert_eq!(text(&report["warnings"]), "");
    assert!(report["snapshot"]["machine"].get("secrets").is_none(), "{report}");
    let bytes = artifact(&world, "dev");
    let text = bytes[..bytes.len() - 64].to_vec();
    assert!(String::from_utf8_lossy(&text).contains("\n  \"mode\": \"vm\""), "the manifest is not the engine's");
}

#[test]
fn an_artifact_that_no_engine_accepts_is_refused_everywhere() {
    let world = World::new();
    let whole = fs::read(world.snapshot("whole.smolmachine")).unwrap();
    let cases: [(&str, Change); 9] = [
        ("secrets", |it| it["secret_refs"] = json!({"A": {"from_env": "B"}})),
        ("no CPU", |it| it["cpus"] = json!(0)),
        ("u8", |it| it["cpus"] = json!(300)),
        ("memory", |it| it["mem"] = json!(63)),
        ("unknown variant", |it| it["mode"] = json!("cluster")),
        ("missing field `digest`", |it| drop(it.as_object_mut().unwrap().remove("digest"))),
        ("sequence", |it| it["env"] = json!({"A": "B"})),
        ("outside", |it| it["assets"]["overlay_template"]["path"] = json!("../overlay.raw")),
        ("outside", |it| it["assets"]["storage_template"]["path"] = json!("/etc/passwd")),
    ];
    for (why, change) in cases {
        world.write("bad.smolmachine", forged::with_manifest(&whole, change));
        for line in ["verify bad.smolmachine", "thaw ./bad.smolmachine new", "create new --from bad.smolmachine"] {
            world.forget_calls();
            let said = stderr(&world.run(line).code(10));
            assert!(said.contains("cannot become a VM") && said.contains(why), "{line}: {said}");
            // A thaw asks what to do about a VM of that name first.
            let listed: &[&str] = if line.starts_with("thaw") { &["machine ls"] } else { &[] };
            assert_eq!(world.commands(), listed, "{line}");
        }
    }
}

#[test]
fn a_pack_that_the_engine_would_refuse_is_not_published() {
    let world = World::new();
    world.vm("dev").stopped();
    world.edit("dev", "mem", json!(32));
    let said = stderr(&world.run("freeze dev").code(1));
    assert!(said.contains("cannot become a VM: it has 32 MiB"), "{said}");
    assert!(!world.path("home/library/snapshots/dev").exists());
    let said = stderr(&world.run("freeze dev -o dev.smolmachine").code(1));
    assert!(said.contains("cannot become a VM"), "{said}");
    world.assert_clean(&[]);
}

#[test]
fn a_snapshot_for_another_processor_is_refused_before_replacing_a_vm() {
    let world = World::new();
    let whole = fs::read(world.snapshot("whole.smolmachine")).unwrap();
    world.write("other.smolmachine", forged::with_manifest(&whole, |it| it["platform"] = json!("linux/riscv64")));
    world.run("verify other.smolmachine").success();
    world.vm("dev").stopped();
    for line in ["thaw ./other.smolmachine dev --replace --yes", "create new --from other.smolmachine"] {
        let said = stderr(&world.run(line).code(1));
        assert!(said.contains("it was made for riscv64"), "{line}: {said}");
        assert_eq!(world.list().len(), 1, "{line}");
    }
    assert!(!world.path("home/library/snapshots/dev").exists());
}

#[test]
fn a_real_vm_with_secrets_is_frozen_and_thawed() {
    if crate::support::chaos::is_long() {
        let world = World::new();
        let options = format!("--cpus 1 --mem 256 {OPTIONS} --secret-keychain KEY=service");
        real::vm_with(&world, "dev", &options, 1);
        for line in ["freeze dev", "thaw dev one --no-start", "freeze dev -o dev", "create two --from dev.smolmachine"]
        {
            let said = stderr(&crate::support::finish(real::line(&world, line)).success());
            assert!(said.contains("CERT, KEY, TOKEN"), "{line}: {said}");
        }
    }
}
