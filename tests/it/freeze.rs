//! `freeze`: a VM becomes a snapshot, and whatever happens on the way, nothing is lost.

use crate::support::{Running, World, manifest, names_in, stderr, stdout, wait_until};
use predicates::prelude::*;
use predicates::str::contains;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

// ------------------------------------------------------------------------------------- one row per state

#[test]
fn a_vm_that_was_never_started_cannot_be_frozen() {
    let world = World::new();
    world.vm("dev").created();
    world.run("freeze dev -o x.smolmachine").code(5).stderr(contains("never started"));
    assert_eq!(world.state("dev"), "created");
    world.assert_clean(&[]);
}

#[test]
fn a_name_that_promises_another_kind_of_file_is_refused() {
    let world = World::new();
    world.vm("dev").stopped();
    for name in ["dev.tar", "dev.tar.zst", "dev.tgz", "dev.TAR", "dev.qcow2", "a/dev.img", "dev.smolcheckpoint"] {
        let refused = world.run(&format!("freeze dev -o {name}")).code(2);
        let is_tar = name.to_lowercase().contains(".t");
        let said = stderr(&refused);
        assert!(said.contains("name it X.smolmachine"), "{name}: {said}");
        assert_eq!(said.contains("snapshot export VM -o X.tar"), is_tar, "{name}: {said}");
        world.run(&format!("pack alpine -o {name}")).code(2).stderr(contains("name it X.smolmachine"));
    }
    std::fs::create_dir(world.path("work/folder")).unwrap();
    world.run("freeze dev -o folder").code(7).stderr(contains("folder/NAME"));
    assert_eq!(world.state("dev"), "stopped");
    world.assert_clean(&["folder"]);
}

#[test]
fn the_launcher_is_named_in_the_result() {
    let world = World::new();
    world.vm("dev").stopped();
    for line in ["freeze dev -o tool-1.2", "pack alpine -o base"] {
        let said = stdout(&world.run(line).success());
        let name = line.rsplit(' ').next().unwrap();
        assert!(said.contains(&format!("/{name}.smolmachine and the launcher /")), "{said}");
        assert!(said.contains(&format!("/{name} (")), "{said}");
    }
}

#[test]
fn a_created_vm_with_a_disk_is_frozen() {
    let world = World::new();
    world.vm("dev").in_state("created");
    world.run("freeze dev -o x.smolmachine").success();
    world.assert_clean(&["x.smolmachine"]);
}

#[test]
fn a_running_vm_is_not_frozen_without_confirmation() {
    let world = World::new();
    world.vm("dev").running();
    world.warm().run("freeze dev -o x.smolmachine").code(6).stderr(contains("--yes"));
    assert_refused(&world, "running");
}

#[test]
fn a_stopped_vm_is_frozen_without_a_question() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -o x.smolmachine").success().stdout(contains("x.smolmachine"));
    assert_eq!(world.state("dev"), "stopped");
    world.assert_clean(&["x.smolmachine"]);
}

#[test]
fn a_failed_vm_is_frozen() {
    let world = World::new();
    world.vm("dev").in_state("failed");
    world.run("freeze dev -o x.smolmachine").success();
    assert_eq!(world.state("dev"), "failed");
    world.assert_clean(&["x.smolmachine"]);
}

#[test]
fn an_unreachable_vm_that_the_engine_would_pack_alive_is_stopped_first() {
    let world = World::new();
    world.vm("dev").running();
    let vmm = world.vmm("dev");
    world.edit("dev", "state", "unreachable".into());
    world.warm().run("freeze dev -o x.smolmachine --yes").success();
    let asked_again = ["machine ls", "machine ls", "machine exec"];
    let calls = ["machine data-dir", "machine exec", "machine exec", "machine stop", "pack create", "machine ls"];
    assert_eq!(world.commands(), [&asked_again[..], &calls[..]].concat());
    assert!(!crate::support::is_alive(vmm));
}

#[test]
fn a_paused_vm_is_refused() {
    assert_state_is_refused("paused");
}

#[test]
fn a_pausing_vm_is_refused() {
    assert_state_is_refused("pausing");
}

#[test]
fn a_frozen_branch_base_is_refused() {
    assert_state_is_refused("frozen");
}

#[test]
fn an_unknown_state_is_refused_by_its_name() {
    assert_state_is_refused("melting");
}

#[test]
fn an_ephemeral_vm_is_refused_and_not_stopped() {
    let world = World::new();
    world.vm("dev").running();
    world.edit("dev", "ephemeral", true.into());
    world.warm().run("freeze dev -o x.smolmachine --yes").code(5).stderr(contains("ephemeral"));
    assert_refused(&world, "running");
}

#[test]
fn a_missing_vm_cannot_be_frozen() {
    let world = World::new();
    world.run("freeze dev -o x.smolmachine --yes").code(4).stderr(contains("no VM named 'dev'"));
    world.assert_clean(&[]);
}

// ------------------------------------------------------------------------------------------ what is asked

#[test]
fn yes_stops_the_vm_and_leaves_it_stopped() {
    let world = World::new();
    world.vm("dev").running();
    world.run("freeze dev -o x.smolmachine --yes").success().stdout(contains("bottle-freeze start dev"));
    assert_eq!(world.state("dev"), "stopped");
    world.assert_clean(&["x.smolmachine"]);
}

#[test]
fn restart_starts_a_vm_that_ran() {
    let world = World::new();
    world.vm("dev").running();
    world.run("freeze dev -o x.smolmachine --yes --restart").success();
    assert_eq!(world.state("dev"), "running");
    world.assert_clean(&["x.smolmachine"]);
}

#[test]
fn restart_does_not_start_a_vm_that_did_not_run() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -o x.smolmachine --restart").success();
    assert_eq!(world.state("dev"), "stopped");
}

#[test]
fn a_failed_restart_has_its_own_status_and_the_snapshot_stays() {
    let world = World::new();
    world.vm("dev").running();
    world.fault(json!({"on": "machine start", "do": {"fail": {"status": 1, "stderr": "Error: no kvm"}}}));
    let run = world.run("freeze dev -o x.smolmachine --yes --restart");
    run.code(12).stderr(contains("no kvm").and(contains("bottle-freeze start dev")));
    assert_whole(&world, "x.smolmachine");
    assert_eq!(world.state("dev"), "stopped");
    world.assert_clean(&["x.smolmachine"]);
}

// ---------------------------------------------------------------------------------------------- the output

#[test]
fn a_pair_is_a_launcher_and_a_sidecar_that_only_the_owner_can_read() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -o snap").success();
    world.assert_clean(&["snap", "snap.smolmachine"]);
    let mode = |name: &str| fs::metadata(world.path("work").join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("snap"), mode("snap.smolmachine")), (0o700, 0o600));
    assert_whole(&world, "snap.smolmachine");
}

#[test]
fn a_name_with_a_dot_is_a_pair_too() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -o v1.2").success();
    world.assert_clean(&["v1.2", "v1.2.smolmachine"]);
}

#[test]
fn an_existing_output_is_not_replaced_and_nothing_is_stopped() {
    for (there, out) in [("x.smolmachine", "x.smolmachine"), ("x", "x"), ("x.smolmachine", "x")] {
        let world = World::new();
        world.vm("dev").running();
        world.write(there, "precious");
        world.warm().run(&format!("freeze dev -o {out} --yes")).code(7).stderr(contains("--force"));
        assert_eq!(world.read(there), "precious");
        assert_untouched(&world, "running");
        world.assert_clean(&[there]);
    }
}

#[test]
fn force_replaces_an_existing_output() {
    let world = World::new();
    world.vm("dev").stopped();
    world.write("snap", "old");
    world.write("snap.smolmachine", "old");
    world.run("freeze dev -o snap --force").success();
    assert_whole(&world, "snap.smolmachine");
    assert_ne!(world.read("snap"), "old");
    world.assert_clean(&["snap", "snap.smolmachine"]);
}

#[test]
fn a_folder_is_never_replaced() {
    for (folder, out) in [("x", "x"), ("x.smolmachine", "x"), ("x.smolmachine", "x.smolmachine")] {
        let world = World::new();
        world.vm("dev").running();
        fs::create_dir(world.path("work").join(folder)).unwrap();
        world.warm().run(&format!("freeze dev -o {out} --yes --force")).code(7).stderr(contains("folder"));
        assert_untouched(&world, "running");
        world.assert_clean(&[folder]);
    }
}

#[test]
fn an_unwritable_folder_is_noticed_before_anything_is_stopped() {
    for out in ["missing/x.smolmachine", "file/x.smolmachine", "/proc/x.smolmachine", "/proc/x"] {
        let world = World::new();
        world.vm("dev").running();
        world.write("file", "not a folder");
        world.warm().run(&format!("freeze dev -o {out} --yes --force")).code(8).stderr(contains("cannot be written"));
        assert_untouched(&world, "running");
        world.assert_clean(&["file"]);
    }
}

#[test]
fn json_is_a_single_value_and_nothing_else() {
    let world = World::new();
    world.vm("dev").running();
    let run = world.run("freeze dev -o snap --yes --json").success();
    let report: Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert_eq!(report["vm"], "dev");
    assert_eq!(report["sidecar"], json!(world.path("work/snap.smolmachine")));
    assert_eq!(report["launcher"], json!(world.path("work/snap")));
    assert_eq!(report["bytes"], fs::metadata(world.path("work/snap.smolmachine")).unwrap().len());
    assert_eq!(report["engine_version"], "1.32.2");
    assert!(report["downtime_seconds"].is_f64());
}

#[test]
fn json_has_null_for_a_missing_downtime_and_launcher() {
    let world = World::new();
    world.vm("dev").stopped();
    let run = world.run("freeze dev -o x.smolmachine --json").success();
    let report: Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert_eq!((&report["downtime_seconds"], &report["launcher"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_dry_run_prints_the_commands_of_the_run_and_changes_nothing() {
    let lines = [
        "freeze dev --yes",
        "freeze dev --yes --restart",
        "freeze dev -o x.smolmachine --yes",
        "freeze dev -o x --yes",
    ];
    for version in ["0.8.0", "1.4.0", "1.19.0", "1.28.1", "1.32.2"] {
        for line in lines {
            for running in [true, false] {
                let world = World::with_engine(version);
                let vm = world.vm("dev").with("--net --cpus 2");
                if running {
                    vm.running();
                } else {
                    vm.stopped();
                }
                let planned = stdout(&world.warm().run(&format!("{line} --dry-run")).success());
                assert_eq!(world.commands(), ["machine ls"], "{version}: {line}");
                assert_refused(&world, if running { "running" } else { "stopped" });
                world.forget_calls();
                world.run(line).success();
                let planned: Vec<Vec<String>> = planned.lines().map(arguments).collect();
                let made: Vec<Vec<String>> = world.calls().iter().map(|argv| normalized(argv)).collect();
                assert_eq!(planned, made, "{version}: {line}");
            }
        }
    }
}

#[test]
fn a_dry_run_of_any_vm_with_any_options_prints_the_commands_of_the_run() {
    let vms = ["", "--net", "--image alpine:3.20", "--net -p 8080:80 -e A=b"];
    let lines = [
        "freeze dev --yes --restart --launcher",
        "freeze dev --yes --no-workspace -t ready -m note",
        "freeze dev --yes --live=auto",
        "freeze dev --yes -o x.smolmachine --force --no-space-check --stop-timeout 5s",
        "freeze --all --yes",
    ];
    for (version, vms) in [("1.4.0", &vms[2..3]), ("1.32.2", &vms[..])] {
        for (vm, line) in vms.iter().flat_map(|vm| lines.map(|line| (*vm, line))) {
            let world = World::with_engine(version);
            world.vm("dev").with(vm).running();
            world.write("x.smolmachine", "old");
            assert_planned(&world, line, &format!("{version}: {vm}: {line}"));
        }
    }
}

/// The dry run of a line prints the commands that the line then runs, except the list that expands --all.
fn assert_planned(world: &World, line: &str, what: &str) {
    let planned = stdout(&world.warm().run(&format!("{line} --dry-run")).success());
    assert!(world.commands().iter().all(|command| command == "machine ls"), "{what}: {:?}", world.commands());
    world.forget_calls();
    world.run(line).success();
    let planned: Vec<Vec<String>> = planned.lines().map(arguments).collect();
    let mut made: Vec<Vec<String>> = world.calls().iter().map(|argv| normalized(argv)).collect();
    if line.contains("--all") {
        assert_eq!(made.remove(0)[1], "ls");
    }
    assert_eq!(planned, made, "{what}");
}

#[test]
fn the_disks_of_an_engine_that_is_newer_than_this_program_are_left_to_it() {
    let planned = |world: &World| {
        let report = stdout(&world.warm().run("freeze dev --yes --dry-run --json").success());
        let report: Value = serde_json::from_str(&report).unwrap();
        let packs = report["commands"].to_string().contains("pack create");
        (report["way"].as_str().unwrap().to_owned(), packs)
    };
    for (version, way, packs) in [("1.32.2", "disks", false), ("1.32.3", "engine", true), ("1.33.0", "engine", true)] {
        let world = World::with_engine(version);
        world.vm("dev").running();
        world.record_as_real_engines_do("dev");
        assert_eq!(planned(&world), (way.to_owned(), packs), "{version}");
        if !packs {
            continue;
        }
        assert_planned(&world, "freeze dev --yes", version);
        assert!(world.calls().iter().flatten().any(|word| word.contains("fstrim")), "{version}: {:?}", world.calls());
        world
            .run("freeze dev --progress=json --verbose")
            .success()
            .stderr(contains("\"trial\"").not().and(contains(format!("does not know the disks of smolvm {version}"))));
    }
}

#[test]
fn a_stopped_vm_of_a_newer_engine_is_packed_with_a_warning_that_deleted_files_may_be_in_it() {
    let world = World::with_engine("1.33.0");
    world.vm("dev").stopped();
    let warning = "what was deleted in it may be in the snapshot: smolvm packs its disks as they are";
    for (options, is_said) in [(" -o kept.smolmachine --no-trim", false), ("", true)] {
        let run = world.run(&format!("freeze dev{options}")).success();
        assert_eq!(stderr(&run).contains(warning), is_said, "{options}: {}", stderr(&run));
    }
}

/// The arguments of a printed engine command, without its variables and its program.
fn arguments(line: &str) -> Vec<String> {
    let words = shlex::split(line).unwrap();
    let is_variable =
        |word: &&String| word.split('=').next().is_some_and(|key| !key.contains(['/', '-']) && word.contains('='));
    let variables = words.iter().take_while(is_variable).count();
    normalized(&words[variables + 1..])
}

/// The same text for every private folder.
fn normalized(words: &[String]) -> Vec<String> {
    let settle = |word: &String| match word.find(".bottle-freeze-") {
        Some(at) => {
            let end = word[at..].find('/').map_or(word.len(), |end| at + end);
            format!("{}PRIVATE{}", &word[..at], &word[end..])
        }
        None => word.clone(),
    };
    words.iter().map(settle).collect()
}

// ----------------------------------------------------------------------------------- what a snapshot holds

#[test]
fn a_bare_vm_comes_back_with_its_files_and_its_workspace() {
    let world = World::new();
    world.vm("dev").running();
    world.write_guest("dev", "root/a", "alpha");
    world.write_guest("dev", "workspace/b", "beta");
    world.run("freeze dev -o x.smolmachine --yes").success();
    world.run("create dev2 --from x.smolmachine").success();
    world.run("start dev2").success();
    assert_eq!(stdout(&world.run("exec dev2 -- cat /root/a /workspace/b").success()), "alphabeta");
}

#[test]
fn an_image_vm_comes_back_with_its_workspace_unless_that_is_left_out() {
    let world = World::new();
    world.vm("web").with("--image alpine:3.20 --net").running();
    world.write_guest("web", "root/a", "alpha");
    world.write_guest("web", "workspace/b", "beta");
    world.run("freeze web -o with.smolmachine --yes").success();
    let run = world.run("freeze web -o without.smolmachine --no-workspace").success();
    assert!(stderr(&run).contains("/workspace"), "{}", stderr(&run));
    for name in ["with", "without"] {
        world.run(&format!("create {name} --from {name}.smolmachine --net")).success();
        assert_eq!(world.read_guest(name, "root/a").as_deref(), Some("alpha"));
    }
    assert_eq!(world.read_guest("with", "workspace/b").as_deref(), Some("beta"));
    assert_eq!(world.read_guest("without", "workspace/b"), None);
}

#[test]
fn a_warning_names_what_an_old_engine_cannot_pack() {
    let world = World::with_engine("1.4.0");
    world.vm("dev").stopped();
    world.run("freeze dev -o x.smolmachine").success().stderr(contains("will not hold /workspace"));
    let world = World::with_engine("1.14.0");
    world.vm("web").with("--image alpine:3.20 --net").stopped();
    world.run("freeze web -o x.smolmachine").success().stderr(contains("will not hold /workspace"));
}

#[test]
fn the_network_of_the_snapshot_is_closed() {
    for version in ["1.4.0", "1.14.0", "1.32.2"] {
        for network in ["--net", "--net --allow-cidr 10.0.0.0/8"] {
            let world = World::with_engine(version);
            world.vm("dev").with(network).stopped();
            world.run("freeze dev -o x.smolmachine").success().stderr(contains("network"));
            assert_eq!(manifest(&world.path("work/x.smolmachine"))["network"], false);
            let calls = world.calls();
            let pack = calls.iter().find(|argv| argv[0] == "pack").unwrap();
            assert!(pack.iter().any(|word| word.starts_with("--smolfile=")), "{pack:?}");
            world.run("create dev2 --from x.smolmachine").success();
            assert_eq!(world.record("dev2")["network"], false);
            world.assert_clean(&["x.smolmachine"]);
        }
    }
}

#[test]
fn cpus_and_memory_are_recorded_where_the_engine_forgets_them() {
    let world = World::with_engine("1.14.0");
    world.vm("dev").with("--cpus 2 --mem 1024").stopped();
    world.run("freeze dev -o x.smolmachine").success();
    let manifest = manifest(&world.path("work/x.smolmachine"));
    assert_eq!((&manifest["cpus"], &manifest["mem"]), (&json!(2), &json!(1024)));
}

#[test]
fn the_engine_writes_only_into_one_private_folder() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -o x.smolmachine").success();
    let log = world.call_log();
    let pack = log.iter().find(|call| call["argv"][0] == "pack").unwrap();
    let folder = pack["cwd"].as_str().unwrap();
    assert!(folder.starts_with(world.path("work/.bottle-freeze-").to_str().unwrap()), "{folder}");
    assert_eq!(pack["env"]["TMPDIR"], folder);
    assert_eq!(pack["pid"], pack["pgid"], "a process group of its own");
}

#[test]
fn a_vm_of_a_local_image_is_not_stopped_if_the_engine_cannot_pack_it() {
    let world = World::with_engine("1.4.0");
    world.vm("web").running();
    world.edit("web", "image", "local-dir:/rootfs".into());
    world.warm().run("freeze web -o x.smolmachine --yes").code(13).stderr(contains("local image"));
    assert_untouched(&world, "running");
    world.assert_clean(&[]);
}

#[test]
fn a_vm_whose_image_is_gone_is_not_stopped() {
    for options in ["", " --engine-pack", " -o x.smolmachine", " --dry-run"] {
        let world = World::new();
        let image = fs::canonicalize(world.path("work")).unwrap().join("rootfs");
        fs::create_dir(&image).unwrap();
        world.vm("web").with(&format!("--image {}", image.display())).running();
        world.record_of_real_engines("web", &json!({"image": format!("local-dir:{}", image.display())}));
        fs::remove_dir(&image).unwrap();
        let run = world.warm().run(&format!("freeze web --yes{options}")).code(5);
        run.stderr(
            contains(format!("the image of 'web' is missing: there is no folder {}", image.display()))
                .and(contains("nothing was changed").and(contains("put it back there"))),
        );
        assert_untouched(&world, "running");
        world.assert_clean(&[]);
        // A link is enough.
        fs::create_dir(world.path("moved")).unwrap();
        std::os::unix::fs::symlink(world.path("moved"), &image).unwrap();
        world.run(&format!("freeze web --yes{options}")).success();
    }
}

// ------------------------------------------------------------------------------------------------ faults

#[test]
fn a_pack_that_fails_leaves_the_old_snapshot_and_a_running_vm() {
    let world =
        world_with_fault(json!({"on": "pack create", "do": {"fail": {"status": 1, "stderr": "Error: it broke"}}}));
    world.run(FORCED).code(1).stderr(contains("it broke").and(contains("running again")));
    assert_as_before(&world);
}

#[test]
fn a_pack_that_fails_with_no_restart_leaves_the_vm_stopped() {
    let world =
        world_with_fault(json!({"on": "pack create", "do": {"fail": {"status": 1, "stderr": "Error: it broke"}}}));
    world.run(&format!("{FORCED} --no-restart")).code(1).stderr(contains("is stopped"));
    assert_eq!(world.state("dev"), "stopped");
    assert_eq!(world.read("x.smolmachine"), "old");
    world.assert_clean(&["x.smolmachine"]);
}

#[test]
fn a_helper_vm_that_fails_to_boot_is_tried_again() {
    let said = "Error: agent operation failed: monitor agent: boot process exited (code 0) before the agent was ready";
    let world = world_with_fault(json!({"on": "pack create", "nth": 1, "do": {"fail": {"status": 1, "stderr": said}}}));
    world.run(FORCED).success();
    assert_eq!(world.commands().iter().filter(|command| *command == "pack create").count(), 2);
    assert_ne!(world.read("x.smolmachine"), "old");
}

#[test]
fn a_full_disk_has_its_own_status() {
    let said = "Error: agent operation failed: pack binary: I/O error: No space left on device (os error 28)";
    let world =
        world_with_fault(json!({"on": "pack create", "at": "half", "do": {"fail": {"status": 1, "stderr": said}}}));
    world.run(FORCED).code(8).stderr(contains("No space left"));
    assert_as_before(&world);
}

#[test]
fn a_success_without_a_file_is_not_trusted() {
    let world = world_with_fault(json!({"on": "pack create", "do": {"lie": true}}));
    world.run(FORCED).code(1).stderr(contains("reported success"));
    assert_as_before(&world);
}

#[test]
fn half_a_snapshot_is_not_published() {
    for point in ["launcher", "half"] {
        let world = world_with_fault(json!({"on": "pack create", "at": point, "do": {"lie": true}}));
        world.run(FORCED).code(1).stderr(contains("reported success"));
        assert_as_before(&world);
    }
}

#[test]
fn an_engine_that_is_killed_leaves_the_old_snapshot_and_nothing_else() {
    for point in ["staged", "half", "end"] {
        let world = world_with_fault(json!({"on": "pack create", "at": point, "do": {"kill": 9}}));
        world.run(FORCED).code(1).stderr(contains("SIGKILL"));
        assert_as_before(&world);
    }
}

#[test]
fn a_pack_is_discarded_if_the_vm_was_started_meanwhile() {
    let world = world_with_fault(json!({"on": "pack create", "at": "staged", "do": {"start_vm": "dev"}}));
    world.run(FORCED).code(1).stderr(contains("started or replaced").and(contains("thrown away")));
    assert_as_before(&world);
}

#[test]
fn a_pack_is_discarded_if_the_vm_was_started_and_stopped_meanwhile() {
    let world = world_with_fault(json!([
        {"on": "pack create", "at": "staged", "do": {"start_vm": "dev"}},
        {"on": "pack create", "at": "end", "do": {"stop_vm": "dev"}},
    ]));
    world.run(FORCED).code(1).stderr(contains("started or replaced").and(contains("thrown away")));
    assert_as_before(&world);
}

#[test]
fn a_pack_is_discarded_if_the_vm_was_replaced_meanwhile() {
    let world = World::new();
    world.vm("dev").stopped();
    world.write("x.smolmachine", "old");
    world.fault(json!({"on": "pack create", "at": "staged", "do": {"replace_vm": "dev"}}));
    world.run("freeze dev -o x.smolmachine --force").code(1).stderr(contains("thrown away"));
    assert_eq!(world.read("x.smolmachine"), "old");
    world.assert_clean(&["x.smolmachine"]);
}

#[test]
fn an_output_that_names_a_folder_is_refused_before_anything_is_stopped() {
    let world = World::new();
    world.vm("dev").running();
    for out in ["x.smolmachine/", "./y/", "nosuch/"] {
        world.warm().run(&format!("freeze dev -o {out} --yes")).code(7).stderr(contains("is a folder"));
        assert_refused(&world, "running");
    }
}

#[test]
fn a_folder_of_the_user_is_not_removed_as_a_leftover() {
    let world = World::new();
    world.vm("dev").stopped();
    fs::create_dir(world.path("work/.bottle-freeze-notes")).unwrap();
    world.write(".bottle-freeze-notes/mine", "precious");
    world.run("freeze dev -o x.smolmachine").success();
    assert_eq!(world.read(".bottle-freeze-notes/mine"), "precious");
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_printed_is_a_failure() {
    let world = World::new();
    world.vm("dev").stopped();
    for line in ["ls --json", "freeze dev --json"] {
        let mut command = world.line(line);
        command.stdout(fs::File::options().write(true).open("/dev/full").unwrap()).stderr(std::process::Stdio::null());
        assert_eq!(command.status().unwrap().code(), Some(1), "{line}");
    }
}

#[test]
fn a_pack_is_discarded_if_the_vm_was_deleted_meanwhile() {
    let world = World::new();
    world.vm("dev").stopped();
    world.write("x.smolmachine", "old");
    world.fault(json!({"on": "pack create", "at": "end", "do": {"delete_vm": "dev"}}));
    let run = world.run("freeze dev -o x.smolmachine --force").code(1);
    run.stderr(contains("thrown away").and(contains("was deleted while it was packed")));
    assert_eq!(world.read("x.smolmachine"), "old");
    world.assert_clean(&["x.smolmachine"]);
}

#[test]
fn a_pack_is_discarded_if_the_vm_cannot_be_listed_afterwards() {
    let world = world_with_fault(json!({"on": "machine ls", "nth": 2, "do": "half_json"}));
    world.run(FORCED).code(1);
    assert_as_before(&world);
}

#[test]
fn a_vm_that_does_not_stop_in_time_is_not_packed() {
    let world = world_with_fault(json!({"on": "machine stop", "at": "before", "do": "hang"}));
    world.warm().run(&format!("{FORCED} --stop-timeout 1s")).code(9);
    assert!(!world.commands().contains(&"pack create".to_owned()));
    assert_as_before(&world);
}

#[test]
fn a_guest_writes_its_files_to_disk_before_it_is_stopped() {
    let world = World::new();
    world.vm("dev").running();
    world.warm().run(FORCED).success();
    let calls = world.calls();
    let sync = calls.iter().position(|argv| argv.last().is_some_and(|word| word == "sync"));
    let stop = calls.iter().position(|argv| argv[..2] == ["machine", "stop"]);
    assert!(sync.is_some() && sync < stop, "{calls:?}");
}

#[test]
fn a_guest_that_cannot_sync_in_time_is_stopped_with_a_warning() {
    let world = world_with_fault(json!({"on": "machine exec", "nth": 2, "do": "hang"}));
    world.run(FORCED).success().stderr(contains("did not write its files to disk in time"));
    assert_eq!(world.state("dev"), "stopped");
    world.assert_clean(&["x.smolmachine"]);
}

#[test]
fn a_guest_without_a_sync_command_is_still_frozen() {
    let said = "Error: agent operation failed: exec interactive: No such file or directory (os error 2)";
    let world =
        world_with_fault(json!({"on": "machine exec", "nth": 2, "do": {"fail": {"status": 1, "stderr": said}}}));
    world.run(FORCED).success().stderr(contains("warning").not());
}

#[test]
fn leftovers_of_a_killed_freeze_are_removed_by_a_freeze_elsewhere() {
    let world = world_with_fault(json!({"on": "pack create", "nth": 1, "at": "half", "do": "hang"}));
    world.vm("other").stopped();
    let freeze = freeze_until_half_written(&world);
    freeze.signal(Signal::KILL);
    drop(freeze);
    fs::create_dir(world.path("elsewhere")).unwrap();
    world.run("freeze other -o ../elsewhere/x.smolmachine").success();
    assert_eq!(names_in(&world.path("work")), ["x.smolmachine"]);
    assert_eq!(names_in(&world.path("elsewhere")), ["x.smolmachine"]);
}

#[test]
fn the_helper_vm_of_an_interrupted_pack_is_killed() {
    for signal in [Signal::INT, Signal::TERM] {
        let world = image_world_with_fault();
        let freeze = freeze_until_half_written(&world);
        let helper = helper_vm(&world).expect("a helper VM");
        freeze.signal(signal);
        freeze.wait().failure();
        assert!(!crate::support::is_alive(helper));
        assert_eq!(names_in(&world.path("fake/vms")), ["dev"]);
        assert_as_before(&world);
    }
}

#[test]
fn the_helper_vm_of_a_killed_freeze_is_killed_by_the_next_freeze() {
    let world = image_world_with_fault();
    world.vm("other").stopped();
    let freeze = freeze_until_half_written(&world);
    let helper = helper_vm(&world).expect("a helper VM");
    freeze.signal(Signal::KILL);
    drop(freeze);
    fs::create_dir(world.path("elsewhere")).unwrap();
    world.run("freeze other -o ../elsewhere/y.smolmachine").success();
    assert!(!crate::support::is_alive(helper));
    assert_eq!(names_in(&world.path("fake/vms")), ["dev", "other"]);
}

#[test]
fn leftovers_of_a_run_that_died_during_cleanup_are_removed() {
    let world = World::new();
    world.vm("dev").stopped();
    for (folder, file) in [(".bottle-freeze-aaaaaa", Some("snapshot.smolmachine")), (".bottle-freeze-bbbbbb", None)] {
        fs::create_dir(world.path("work").join(folder)).unwrap();
        file.map(|file| world.write(&format!("{folder}/{file}"), "left"));
    }
    world.run("freeze dev -o x.smolmachine").success();
    // The empty one may belong to a run that has just begun.
    assert_eq!(names_in(&world.path("work")), [".bottle-freeze-bbbbbb", "x.smolmachine"]);
}

#[test]
fn a_fifo_in_a_folder_that_looks_like_ours_blocks_no_command() {
    let world = World::new();
    world.vm("dev").stopped();
    let folder = world.path("work/.bottle-freeze-xxxxxx");
    fs::create_dir(&folder).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(folder.join("alive")).status().unwrap().success());
    world.run("freeze dev -o x.smolmachine").success();
}

#[test]
fn a_vm_that_was_replaced_meanwhile_is_not_started() {
    let world = world_with_fault(json!([
        {"on": "pack create", "at": "staged", "do": {"replace_vm": "dev"}},
        {"on": "pack create", "at": "half", "do": {"kill": 9}},
    ]));
    world.run(FORCED).code(1).stderr(contains("replaced by another command"));
    assert_eq!(world.state("dev"), "stopped");
}

#[test]
fn the_files_of_a_running_freeze_are_not_removed() {
    let world = world_with_fault(json!([]));
    let others_are_done = world.path("others-are-done");
    world.fault(json!({"on": "pack create", "nth": 1, "at": "half", "do": {"await": &others_are_done}}));
    world.vm("other").stopped();
    let freeze = freeze_until_half_written(&world);
    for file in ["y", "z"] {
        world.run(&format!("freeze other -o {file}.smolmachine")).success();
    }
    fs::write(&others_are_done, "").unwrap();
    freeze.wait().success();
    world.assert_clean(&["x.smolmachine", "y.smolmachine", "z.smolmachine"]);
}

#[test]
fn a_signal_after_the_snapshot_is_published_says_that_it_came_too_late() {
    let world = world_with_fault(json!([]));
    let (heard, log) = (world.path("heard"), world.path("log"));
    world.fault(json!({"on": "machine start", "at": "before", "do": {"await": &heard}}));
    let mut freeze = world.line(&format!("{FORCED} --restart"));
    let mut freeze = freeze.stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
    wait_until("the VM is being started", || world.commands().contains(&"machine start".to_owned()));
    crate::support::signal(i32::try_from(freeze.id()).unwrap(), Signal::TERM);
    wait_until("the signal is handled", || fs::read_to_string(&log).unwrap().contains("interrupted"));
    fs::write(&heard, "").unwrap();
    assert_eq!(freeze.wait().unwrap().code(), Some(143));
    assert!(fs::read_to_string(&log).unwrap().contains("is whole"));
    assert_eq!(world.state("dev"), "running");
    world.run("verify x.smolmachine").success();
    world.assert_clean(&["x.smolmachine"]);
}

#[test]
fn each_phase_is_a_line_in_a_log_that_asks_for_it() {
    let world = world_with_fault(json!([]));
    let log = stderr(&world.run(&format!("{FORCED} --restart --progress=plain")).success());
    let phases = ["stopping dev", "packing dev", "packing dev: compressing", "checking the snapshot of dev"];
    let more = ["writing the snapshot of dev to disk", "starting dev again"];
    let mut lines = log.lines();
    for phase in phases.iter().chain(&more) {
        assert!(lines.any(|line| line == *phase), "{phase}: {log}");
    }
    world.run(&format!("{FORCED} --restart --verbose")).success().stderr(contains("\npacking dev: compressing\n"));
    assert_eq!(stderr(&world.run(&format!("{FORCED} --restart")).success()), "");
    assert_eq!(stderr(&world.run(&format!("{FORCED} --restart --quiet")).success()), "");
}

#[test]
fn a_stop_that_works_but_never_returns_restarts_the_vm() {
    let world = world_with_fault(json!({"on": "machine stop", "at": "after", "do": "hang"}));
    world.warm().run(&format!("{FORCED} --stop-timeout 1s")).code(9);
    assert!(!world.commands().contains(&"pack create".to_owned()));
    assert_as_before(&world);
}

#[test]
fn a_failed_stop_ends_the_freeze() {
    let world =
        world_with_fault(json!({"on": "machine stop", "do": {"fail": {"status": 1, "stderr": "Error: will not"}}}));
    world.run(FORCED).code(1).stderr(contains("will not"));
    assert_as_before(&world);
}

#[test]
fn a_false_success_of_a_stop_gives_no_snapshot_of_a_running_vm() {
    let world = world_with_fault(json!({"on": "machine stop", "do": {"lie": true}}));
    world.run(FORCED).failure();
    assert_as_before(&world);
}

#[test]
fn an_interrupted_pack_leaves_everything_as_it_was() {
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let world = world_with_fault(json!({"on": "pack create", "at": "half", "do": "hang"}));
        let freeze = freeze_until_half_written(&world);
        freeze.signal(signal);
        freeze.wait().code(status).stderr(contains("running again"));
        assert_as_before(&world);
    }
}

#[test]
fn an_interrupted_stop_leaves_everything_as_it_was() {
    let world = world_with_fault(json!({"on": "machine stop", "at": "before", "do": "hang"}));
    let freeze = world.spawn(FORCED);
    wait_until("the stop hangs", || world.commands().contains(&"machine stop".to_owned()));
    freeze.signal(Signal::INT);
    freeze.wait().code(130);
    assert_as_before(&world);
}

#[test]
fn leftovers_of_a_killed_freeze_are_removed_by_the_next_one() {
    let world = world_with_fault(json!({"on": "pack create", "nth": 1, "at": "half", "do": "hang"}));
    let freeze = freeze_until_half_written(&world);
    freeze.signal(Signal::KILL);
    drop(freeze);
    assert_eq!(world.read("x.smolmachine"), "old");
    world.run(FORCED).success();
    world.assert_clean(&["x.smolmachine"]);
}

#[test]
fn of_two_freezes_of_one_vm_one_succeeds() {
    let world = world_with_fault(json!({"on": "pack create", "at": "half", "do": "hang"}));
    let first = freeze_until_half_written(&world);
    world.run("freeze dev -o other.smolmachine --yes").code(11).stderr(contains("in use"));
    first.signal(Signal::INT);
    first.wait().code(130);
    assert_as_before(&world);
}

#[test]
fn of_two_freezes_to_one_output_one_succeeds() {
    let world = world_with_fault(json!({"on": "pack create", "at": "half", "do": "hang"}));
    world.vm("other").stopped();
    let first = freeze_until_half_written(&world);
    world.run("freeze other -o ../work/x.smolmachine --yes --force").code(11).stderr(contains("in use"));
    first.signal(Signal::INT);
    first.wait().code(130);
    assert_as_before(&world);
}

// ------------------------------------------------------------------------------------------------- helpers

const FORCED: &str = "freeze dev -o x.smolmachine --yes --force";

/// A running VM, an old snapshot, and an engine that fails in this way.
#[allow(clippy::needless_pass_by_value)]
fn world_with_fault(fault: Value) -> World {
    let world = World::new();
    world.vm("dev").made_here().running();
    world.write("x.smolmachine", "old");
    world.fault(fault);
    world
}

/// The same with a VM made from an image, whose first pack hangs halfway.
fn image_world_with_fault() -> World {
    let world = World::new();
    world.vm("dev").with("--image alpine").running();
    world.write("x.smolmachine", "old");
    world.warm().fault(json!({"on": "pack create", "nth": 1, "at": "half", "do": "hang"}));
    world
}

/// The process of the engine's helper VM.
fn helper_vm(world: &World) -> Option<i32> {
    let name = names_in(&world.path("fake/vms")).into_iter().find(|name| name.starts_with("pack-fromvm-"))?;
    let booted = format!("{name}/boot-config.json");
    let runs_it = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&booted)
    };
    names_in(std::path::Path::new("/proc")).iter().filter_map(|pid| pid.parse().ok()).find(runs_it)
}

fn freeze_until_half_written(world: &World) -> Running {
    let freeze = world.spawn(FORCED);
    let half = |name: &String| {
        let sidecar = world.path("work").join(name).join("snapshot.smolmachine");
        fs::metadata(sidecar).is_ok_and(|meta| meta.len() > 0)
    };
    wait_until("half a sidecar is written", || names_in(&world.path("work")).iter().any(half));
    freeze
}

fn assert_as_before(world: &World) {
    assert_eq!(world.read("x.smolmachine"), "old");
    assert_eq!(world.state("dev"), "running");
    world.assert_clean(&["x.smolmachine"]);
}

/// The engine was only asked for a list.
fn assert_untouched(world: &World, state: &str) {
    let asks = |command: &String| ["machine ls", "machine data-dir"].contains(&command.as_str());
    assert!(world.commands().iter().all(asks), "{:?}", world.commands());
    assert!(world.list().iter().all(|vm| vm["state"] == state), "{:?}", world.list());
}

fn assert_refused(world: &World, state: &str) {
    assert_untouched(world, state);
    world.assert_clean(&[]);
}

fn assert_state_is_refused(state: &str) {
    let world = World::new();
    world.vm("dev").in_state(state);
    world.warm().run("freeze dev -o x.smolmachine --yes --force").code(5).stderr(contains(state));
    assert_refused(&world, state);
}

fn assert_whole(world: &World, file: &str) {
    world.run(&format!("create is-whole --from {file}")).success();
}

/// A `start` that was ended early can leave a VMM that the engine does not list (seen with a slow boot, 1.32.2).
#[cfg(target_os = "linux")]
#[test]
fn disks_that_a_process_has_open_are_not_frozen() {
    let world = World::new();
    world.vm("dev").stopped();
    let folder = String::from_utf8(world.smolvm("machine data-dir --name dev").stdout).unwrap();
    let disk = fs::File::create_new(std::path::Path::new(folder.trim()).join("extra.raw")).unwrap();
    let backup = fs::File::open(std::path::Path::new(folder.trim()).join("extra.raw")).unwrap();
    // One that reads them does no harm.
    let mut reader = std::process::Command::new("sleep").arg("60").stdin(backup).spawn().unwrap();
    let mut user = std::process::Command::new("sleep").arg("60").stdin(disk).spawn().unwrap();
    let run = world.run("freeze dev -o x.smolmachine --yes").code(5);
    run.stderr(
        contains(format!("process {} has the disks of 'dev' open", user.id())).and(contains("bottle-freeze stop dev")),
    );
    world.assert_clean(&[]);
    user.kill().unwrap();
    user.wait().unwrap();
    world.run("freeze dev -o x.smolmachine --yes").success();
    reader.kill().unwrap();
    reader.wait().unwrap();
}
