# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_bottle_freeze_global_optspecs
    string join \n smolvm= q/quiet v/verbose json error-format= progress= no-input h/help V/version
end

function __fish_bottle_freeze_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_bottle_freeze_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_bottle_freeze_using_subcommand
    set -l cmd (__fish_bottle_freeze_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -f -a "create" -d 'Make a VM: bare, from an image, or from a snapshot'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -f -a "start" -d 'Start VMs and wait until they run commands'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -f -a "stop" -d 'Stop VMs'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -f -a "exec" -d 'Run a command in a VM'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -f -a "cp" -d 'Copy a file between the host and a VM'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -f -a "ls" -d 'List VMs'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -f -a "list" -d 'List VMs'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -f -a "freeze" -d 'Freeze VMs into snapshots'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -f -a "thaw" -d 'Make a VM from a snapshot, as it was frozen, and start it'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -f -a "pause" -d 'Save the RAM of running VMs and shut them down until you resume them'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -f -a "resume" -d 'Continue paused VMs'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -f -a "snapshot" -d 'List, check, tag, remove and share the snapshots in the library'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -f -a "rm" -d 'Delete VMs and their disks'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -f -a "pack" -d 'Pack an image into a file from which you can make VMs'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -f -a "verify" -d 'Check that snapshots are whole'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -f -a "doctor" -d 'Check that freezing works here, and print how to fix what does not'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -f -a "engine" -d 'Install smolvm engines and choose one'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -f -a "completions" -d 'Print the shell completion script'
complete -c bottle-freeze -n "__fish_bottle_freeze_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -s I -l image -d 'OCI image, `docker save` archive or unpacked rootfs folder to make it from' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -l from -d 'Snapshot to make it from: a .smolmachine file, or from the library VM (its newest), VM@TAG or VM@ID' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -l cpus -d 'Virtual CPUs [default: the engine\'s or the snapshot\'s]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -l mem -d 'Memory in MiB [default: the engine\'s or the snapshot\'s]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -l storage -d 'Size of the storage disk in GiB [default: the engine\'s, 20]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -l overlay -d 'Size of the overlay disk in GiB [default: the engine\'s, 10]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -l allow-cidr -d 'Enable the network, limited to this CIDR block (repeatable)' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -s e -l env -d 'Set a variable; without `=VALUE`, use its value in this environment (repeatable)' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -l env-file -d 'Read variables from a file of KEY=VALUE lines (repeatable)' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -l volume -d 'Mount a host folder (repeatable)' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -s p -l port -d 'Publish a port (repeatable)' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -l label -d 'Attach a label (repeatable)' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -s w -l workdir -d 'Folder in the guest in which its commands start' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -l net -d 'Enable the network, without limits'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand create" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand start" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand start" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand start" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand start" -l label -d 'Select VMs with this label (repeatable; a VM must have all of them)' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand start" -s j -l jobs -d 'Number of VMs to work on at the same time [default: half of the cores]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand start" -l timeout -d 'Longest time to wait until the VM runs commands; includes pulling an image' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand start" -l wait -d 'Wait up to this long if another bottle-freeze uses the VM, output or snapshot [default: fail at once]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand start" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand start" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand start" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand start" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand start" -l all -d 'All VMs'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand start" -l no-wait -d 'Do not wait until the VM runs commands'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand start" -s h -l help -d 'Print help'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand start" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand stop" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand stop" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand stop" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand stop" -l label -d 'Select VMs with this label (repeatable; a VM must have all of them)' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand stop" -s j -l jobs -d 'Number of VMs to work on at the same time [default: half of the cores]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand stop" -l wait -d 'Wait up to this long if another bottle-freeze uses the VM, output or snapshot [default: fail at once]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand stop" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand stop" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand stop" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand stop" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand stop" -l all -d 'All VMs'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand stop" -s h -l help -d 'Print help'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand stop" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand exec" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand exec" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand exec" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand exec" -s w -l workdir -d 'Folder in the guest in which to run the command' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand exec" -s e -l env -d 'Set a variable; without `=VALUE`, use its value in this environment (repeatable)' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand exec" -l env-file -d 'Read variables from a file of KEY=VALUE lines (repeatable)' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand exec" -l timeout -d 'Kill the command after this time (2s, 5m …)' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand exec" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand exec" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand exec" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand exec" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand exec" -s i -l interactive -d 'Pass standard input to the command'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand exec" -s t -l tty -d 'Give the command a terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand exec" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand exec" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand cp" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand cp" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand cp" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand cp" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand cp" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand cp" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand cp" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand cp" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand cp" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand ls" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand ls" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand ls" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand ls" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand ls" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand ls" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand ls" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand ls" -s h -l help -d 'Print help'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand ls" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand list" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand list" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand list" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand list" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand list" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand list" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand list" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand list" -s h -l help -d 'Print help'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand list" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l vm-label -d 'Freeze VMs with this label (repeatable; a VM must have all of them)' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -s j -l jobs -d 'Number of VMs to work on at the same time [default: half of the cores]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l live -d 'Freeze without stopping: keep RAM and processes too; the VM goes on after a short pause. With `auto`, freeze the ordinary way, after you confirm, if that is not possible' -r -f -a "auto\t'Where the engine and the VM can'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -s o -l output -d 'Write the snapshot to a file instead of the library: X.smolmachine (with --live: X.checkpoint), or any other name for a launcher and NAME.smolmachine beside it' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -s t -l tag -d 'Tag for the snapshot in the library (repeatable)' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -s m -l note -d 'Note to store with the snapshot' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l label -d 'Label to store with the snapshot (repeatable)' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l pre-freeze -d 'Run this command after you confirm and before the VM stops; if it fails, nothing is frozen (repeatable). guest:COMMAND runs in the VM, if that is running, host:COMMAND on this host; both by `sh -c`' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l post-freeze -d 'Run this command at the end, also after a failure or an interrupt (repeatable); in the VM only if that is running. On the host it gets `$BOTTLE_FREEZE_VM`, `$BOTTLE_FREEZE_SNAPSHOT` (empty if there is none) and `$BOTTLE_FREEZE_STATUS`' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l hook-timeout -d 'Time limit for each hook' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l stop-timeout -d 'Time limit for stopping the VM' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l wait -d 'Wait up to this long if another bottle-freeze uses the VM, output or snapshot [default: fail at once]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l all -d 'Freeze all VMs'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l launcher -d 'Store the launcher in the library too'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -s y -l yes -d 'Stop a running VM without asking'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l allow-unresponsive -d 'Freeze a VM that does not answer, and lose what its guest has not written to disk; --yes does not confirm this'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -s f -l force -d 'Replace existing files at OUT, and move tags from other snapshots'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l restart -d 'Start the VM again, if this freeze stopped it'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l no-restart -d 'Leave the VM stopped even if the freeze fails'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l no-workspace -d 'Leave out /workspace (VMs made from an image; engines that cannot pack it)'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l no-space-check -d 'Freeze even if there may not be enough space'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -l dry-run -d 'Print the engine commands that would run, and change nothing'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand freeze" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand thaw" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand thaw" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand thaw" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand thaw" -l cpus -d 'Virtual CPUs [default: as frozen]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand thaw" -l mem -d 'Memory in MiB [default: as frozen]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand thaw" -l allow-cidr -d 'Enable the network, limited to this CIDR block (repeatable) [default: as frozen]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand thaw" -s p -l port -d 'Publish this port, and none of the recorded ones (repeatable) [default: as frozen]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand thaw" -l timeout -d 'Longest time to wait until the VM runs commands' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand thaw" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand thaw" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand thaw" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand thaw" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand thaw" -l start -d 'Start it and wait until it runs commands (the default)'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand thaw" -l no-start -d 'Do not start it'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand thaw" -l replace -d 'Replace the VM of that name; it is frozen into the library first (asks for confirmation)'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand thaw" -s y -l yes -d 'With --replace, do not ask'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand thaw" -l net -d 'Enable the network, without limits'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand thaw" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand thaw" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pause" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pause" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pause" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pause" -l label -d 'Select VMs with this label (repeatable; a VM must have all of them)' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pause" -s j -l jobs -d 'Number of VMs to work on at the same time [default: half of the cores]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pause" -l wait -d 'Wait up to this long if another bottle-freeze uses the VM, output or snapshot [default: fail at once]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pause" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pause" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pause" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pause" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pause" -l all -d 'All VMs'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pause" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pause" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand resume" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand resume" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand resume" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand resume" -l label -d 'Select VMs with this label (repeatable; a VM must have all of them)' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand resume" -s j -l jobs -d 'Number of VMs to work on at the same time [default: half of the cores]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand resume" -l wait -d 'Wait up to this long if another bottle-freeze uses the VM, output or snapshot [default: fail at once]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand resume" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand resume" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand resume" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand resume" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand resume" -l all -d 'All VMs'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand resume" -s h -l help -d 'Print help'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand resume" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -s h -l help -d 'Print help'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -f -a "ls" -d 'List snapshots'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -f -a "list" -d 'List snapshots'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -f -a "show" -d 'Print everything recorded about a snapshot, as JSON'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -f -a "verify" -d 'Check that snapshots are whole: SHA-256, footer, CRC-32, manifest'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -f -a "tag" -d 'Add tags to a snapshot, or remove them'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -f -a "rm" -d 'Remove snapshots (asks for confirmation)'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -f -a "prune" -d 'Remove the snapshots that no --keep option keeps (asks for confirmation)'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -f -a "push" -d 'Push a snapshot to a registry (asks for confirmation)'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -f -a "pull" -d 'Pull a snapshot from a registry into the library, and check it'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -f -a "export" -d 'Write a snapshot to one file, to import it on another machine'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -f -a "import" -d 'Import an exported snapshot into the library, and check it'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and not __fish_seen_subcommand_from ls list show verify tag rm prune push pull export import help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from ls" -l tag -d 'Only snapshots with this tag' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from ls" -l label -d 'Only snapshots with this label' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from ls" -l sort -d 'Sort order' -r -f -a "age\t'Oldest first'
size\t'Largest last'
vm\t'By name of the VM, oldest first'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from ls" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from ls" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from ls" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from ls" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from ls" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from ls" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from ls" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from list" -l tag -d 'Only snapshots with this tag' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from list" -l label -d 'Only snapshots with this label' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from list" -l sort -d 'Sort order' -r -f -a "age\t'Oldest first'
size\t'Largest last'
vm\t'By name of the VM, oldest first'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from list" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from list" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from list" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from list" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from list" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from show" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from show" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from show" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from show" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from show" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from verify" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from verify" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from verify" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from verify" -l all -d 'Check all snapshots in the library'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from verify" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from verify" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from verify" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from verify" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from verify" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from tag" -l remove -d 'Tag to remove (repeatable)' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from tag" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from tag" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from tag" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from tag" -s f -l force -d 'Move a tag that another snapshot has'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from tag" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from tag" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from tag" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from tag" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from tag" -s h -l help -d 'Print help'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from tag" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from rm" -l wait -d 'Wait up to this long if another bottle-freeze uses the VM, output or snapshot [default: fail at once]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from rm" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from rm" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from rm" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from rm" -s y -l yes -d 'Do not ask'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from rm" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from rm" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from rm" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from rm" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from rm" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l keep-last -d 'Keep the N newest' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l keep-hourly -d 'Keep the newest of each of the last N hours that have a snapshot' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l keep-daily -d 'Keep the newest of each of the last N days that have a snapshot' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l keep-weekly -d 'Keep the newest of each of the last N weeks that have a snapshot' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l keep-monthly -d 'Keep the newest of each of the last N months that have a snapshot' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l keep-yearly -d 'Keep the newest of each of the last N years that have a snapshot' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l keep-within -d 'Keep all snapshots within this time before the newest (30d, 6m, 1y5m7d2h)' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l keep-within-hourly -d 'Keep the newest of each hour within this time before the newest' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l keep-within-daily -d 'Keep the newest of each day within this time before the newest' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l keep-within-weekly -d 'Keep the newest of each week within this time before the newest' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l keep-within-monthly -d 'Keep the newest of each month within this time before the newest' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l keep-within-yearly -d 'Keep the newest of each year within this time before the newest' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l keep-tag -d 'Keep snapshots with this tag, with all tags of a list TAG,TAG, or without any tag (\'\') (repeatable)' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l tag -d 'Also remove snapshots with this tag (repeatable)' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l wait -d 'Wait up to this long if another bottle-freeze uses the VM, output or snapshot [default: fail at once]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l dry-run -d 'Print what would be removed, and remove nothing'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -s y -l yes -d 'Do not ask'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from prune" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from push" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from push" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from push" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from push" -s y -l yes -d 'Do not ask'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from push" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from push" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from push" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from push" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from push" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from push" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from pull" -l as -d 'Store it as a snapshot of this VM [default: the VM that was frozen]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from pull" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from pull" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from pull" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from pull" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from pull" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from pull" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from pull" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from pull" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from pull" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from export" -s o -l output -d 'File to write; `-` is standard output' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from export" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from export" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from export" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from export" -s f -l force -d 'Replace the file'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from export" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from export" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from export" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from export" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from export" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from import" -l as -d 'Store it as a snapshot of this VM [default: the VM that was frozen]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from import" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from import" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from import" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from import" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from import" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from import" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from import" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from import" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from help" -f -a "ls" -d 'List snapshots'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from help" -f -a "show" -d 'Print everything recorded about a snapshot, as JSON'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Check that snapshots are whole: SHA-256, footer, CRC-32, manifest'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from help" -f -a "tag" -d 'Add tags to a snapshot, or remove them'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from help" -f -a "rm" -d 'Remove snapshots (asks for confirmation)'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from help" -f -a "prune" -d 'Remove the snapshots that no --keep option keeps (asks for confirmation)'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from help" -f -a "push" -d 'Push a snapshot to a registry (asks for confirmation)'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from help" -f -a "pull" -d 'Pull a snapshot from a registry into the library, and check it'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from help" -f -a "export" -d 'Write a snapshot to one file, to import it on another machine'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from help" -f -a "import" -d 'Import an exported snapshot into the library, and check it'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand snapshot; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand rm" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand rm" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand rm" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand rm" -l label -d 'Select VMs with this label (repeatable; a VM must have all of them)' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand rm" -s j -l jobs -d 'Number of VMs to work on at the same time [default: half of the cores]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand rm" -l wait -d 'Wait up to this long if another bottle-freeze uses the VM, output or snapshot [default: fail at once]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand rm" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand rm" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand rm" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand rm" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand rm" -l all -d 'All VMs'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand rm" -s y -l yes -d 'Do not ask'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand rm" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pack" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pack" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pack" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pack" -s o -l output -d 'File to write: X.smolmachine, or any other name for a launcher and NAME.smolmachine beside it' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pack" -l cpus -d 'Virtual CPUs for VMs made from it' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pack" -l mem -d 'Memory in MiB for VMs made from it' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pack" -l wait -d 'Wait up to this long if another bottle-freeze uses the VM, output or snapshot [default: fail at once]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pack" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pack" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pack" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pack" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pack" -s f -l force -d 'Replace the files at OUT'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pack" -s h -l help -d 'Print help'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand pack" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand verify" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand verify" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand verify" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand verify" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand verify" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand verify" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand verify" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand verify" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand doctor" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand doctor" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand doctor" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand doctor" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand doctor" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand doctor" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand doctor" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand doctor" -l fix -d 'Remove leftovers of killed commands that no process uses'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand doctor" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and not __fish_seen_subcommand_from install ls list use rm help" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and not __fish_seen_subcommand_from install ls list use rm help" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and not __fish_seen_subcommand_from install ls list use rm help" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and not __fish_seen_subcommand_from install ls list use rm help" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and not __fish_seen_subcommand_from install ls list use rm help" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and not __fish_seen_subcommand_from install ls list use rm help" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and not __fish_seen_subcommand_from install ls list use rm help" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and not __fish_seen_subcommand_from install ls list use rm help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and not __fish_seen_subcommand_from install ls list use rm help" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and not __fish_seen_subcommand_from install ls list use rm help" -f -a "install" -d 'Download an engine from PyPI'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and not __fish_seen_subcommand_from install ls list use rm help" -f -a "ls" -d 'List the installed engines'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and not __fish_seen_subcommand_from install ls list use rm help" -f -a "list" -d 'List the installed engines'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and not __fish_seen_subcommand_from install ls list use rm help" -f -a "use" -d 'Choose the installed engine to use'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and not __fish_seen_subcommand_from install ls list use rm help" -f -a "rm" -d 'Remove installed engines'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and not __fish_seen_subcommand_from install ls list use rm help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from install" -l version -d 'Version to install [default: the newest]' -r
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from install" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from install" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from install" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from install" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from install" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from install" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from install" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from install" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from ls" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from ls" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from ls" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from ls" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from ls" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from ls" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from ls" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from list" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from list" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from list" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from list" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from list" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from use" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from use" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from use" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from use" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from use" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from use" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from use" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from use" -s h -l help -d 'Print help'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from use" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from rm" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from rm" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from rm" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from rm" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from rm" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from rm" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from rm" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from rm" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from help" -f -a "install" -d 'Download an engine from PyPI'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from help" -f -a "ls" -d 'List the installed engines'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from help" -f -a "use" -d 'Choose the installed engine to use'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from help" -f -a "rm" -d 'Remove installed engines'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand engine; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand completions" -l smolvm -d 'The engine to use [default: $SMOLVM, then `smolvm` on PATH, then the one installed by `bottle-freeze engine`]' -r -F
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand completions" -l error-format -d 'Print errors as text, or as JSON, one object per line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand completions" -l progress -d 'Print progress and warnings to suit the terminal or log, or as JSON, one object per line' -r -f -a "auto\t'Drawn on a terminal, in lines elsewhere'
json\t'For programs'"
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand completions" -s q -l quiet -d 'Print only the bare result, warnings and errors: the name of each VM, snapshot or file, one per line'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand completions" -s v -l verbose -d 'Print each engine command before it runs, with environment values masked'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand completions" -l json -d 'Print the result as a single JSON value (see bottle-freeze-json(7))'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand completions" -l no-input -d 'Never prompt; behave as if there were no terminal'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand completions" -s V -l version -d 'Print version'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand help; and not __fish_seen_subcommand_from create start stop exec cp ls freeze thaw pause resume snapshot rm pack verify doctor engine completions help" -f -a "create" -d 'Make a VM: bare, from an image, or from a snapshot'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand help; and not __fish_seen_subcommand_from create start stop exec cp ls freeze thaw pause resume snapshot rm pack verify doctor engine completions help" -f -a "start" -d 'Start VMs and wait until they run commands'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand help; and not __fish_seen_subcommand_from create start stop exec cp ls freeze thaw pause resume snapshot rm pack verify doctor engine completions help" -f -a "stop" -d 'Stop VMs'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand help; and not __fish_seen_subcommand_from create start stop exec cp ls freeze thaw pause resume snapshot rm pack verify doctor engine completions help" -f -a "exec" -d 'Run a command in a VM'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand help; and not __fish_seen_subcommand_from create start stop exec cp ls freeze thaw pause resume snapshot rm pack verify doctor engine completions help" -f -a "cp" -d 'Copy a file between the host and a VM'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand help; and not __fish_seen_subcommand_from create start stop exec cp ls freeze thaw pause resume snapshot rm pack verify doctor engine completions help" -f -a "ls" -d 'List VMs'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand help; and not __fish_seen_subcommand_from create start stop exec cp ls freeze thaw pause resume snapshot rm pack verify doctor engine completions help" -f -a "freeze" -d 'Freeze VMs into snapshots'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand help; and not __fish_seen_subcommand_from create start stop exec cp ls freeze thaw pause resume snapshot rm pack verify doctor engine completions help" -f -a "thaw" -d 'Make a VM from a snapshot, as it was frozen, and start it'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand help; and not __fish_seen_subcommand_from create start stop exec cp ls freeze thaw pause resume snapshot rm pack verify doctor engine completions help" -f -a "pause" -d 'Save the RAM of running VMs and shut them down until you resume them'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand help; and not __fish_seen_subcommand_from create start stop exec cp ls freeze thaw pause resume snapshot rm pack verify doctor engine completions help" -f -a "resume" -d 'Continue paused VMs'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand help; and not __fish_seen_subcommand_from create start stop exec cp ls freeze thaw pause resume snapshot rm pack verify doctor engine completions help" -f -a "snapshot" -d 'List, check, tag, remove and share the snapshots in the library'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand help; and not __fish_seen_subcommand_from create start stop exec cp ls freeze thaw pause resume snapshot rm pack verify doctor engine completions help" -f -a "rm" -d 'Delete VMs and their disks'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand help; and not __fish_seen_subcommand_from create start stop exec cp ls freeze thaw pause resume snapshot rm pack verify doctor engine completions help" -f -a "pack" -d 'Pack an image into a file from which you can make VMs'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand help; and not __fish_seen_subcommand_from create start stop exec cp ls freeze thaw pause resume snapshot rm pack verify doctor engine completions help" -f -a "verify" -d 'Check that snapshots are whole'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand help; and not __fish_seen_subcommand_from create start stop exec cp ls freeze thaw pause resume snapshot rm pack verify doctor engine completions help" -f -a "doctor" -d 'Check that freezing works here, and print how to fix what does not'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand help; and not __fish_seen_subcommand_from create start stop exec cp ls freeze thaw pause resume snapshot rm pack verify doctor engine completions help" -f -a "engine" -d 'Install smolvm engines and choose one'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand help; and not __fish_seen_subcommand_from create start stop exec cp ls freeze thaw pause resume snapshot rm pack verify doctor engine completions help" -f -a "completions" -d 'Print the shell completion script'
complete -c bottle-freeze -n "__fish_bottle_freeze_using_subcommand help; and not __fish_seen_subcommand_from create start stop exec cp ls freeze thaw pause resume snapshot rm pack verify doctor engine completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
