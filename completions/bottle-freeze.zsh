#compdef bottle-freeze

autoload -U is-at-least

_bottle-freeze() {
    typeset -A opt_args
    typeset -a _arguments_options
    local ret=1

    if is-at-least 5.2; then
        _arguments_options=(-s -S -C)
    else
        _arguments_options=(-s -C)
    fi

    local context curcontext="$curcontext" state line
    _arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
":: :_bottle-freeze_commands" \
"*::: :->bottle-freeze" \
&& ret=0
    case $state in
    (bottle-freeze)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:bottle-freeze-command-$line[1]:"
        case $line[1] in
            (create)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(--from)-I+[OCI image, \`docker save\` archive or unpacked rootfs folder to make it from]:IMAGE:_default' \
'(--from)--image=[OCI image, \`docker save\` archive or unpacked rootfs folder to make it from]:IMAGE:_default' \
'--from=[Snapshot to make it from\: a .smolmachine file, or from the library VM (its newest), VM@TAG or VM@ID]:SNAPSHOT:_files' \
'--cpus=[Virtual CPUs \[default\: the engine'\''s or the snapshot'\''s\]]:N:_default' \
'--mem=[Memory in MiB \[default\: the engine'\''s or the snapshot'\''s\]]:MIB:_default' \
'--storage=[Size of the storage disk in GiB \[default\: the engine'\''s, 20\]]:GIB:_default' \
'--overlay=[Size of the overlay disk in GiB \[default\: the engine'\''s, 10\]]:GIB:_default' \
'*--allow-cidr=[Enable the network, limited to this CIDR block (repeatable)]:CIDR:_default' \
'*-e+[Set a variable; without \`=VALUE\`, use its value in this environment (repeatable)]:KEY[=VALUE]:_default' \
'*--env=[Set a variable; without \`=VALUE\`, use its value in this environment (repeatable)]:KEY[=VALUE]:_default' \
'*--env-file=[Read variables from a file of KEY=VALUE lines (repeatable)]:FILE:_files' \
'*--volume=[Mount a host folder (repeatable)]:HOST:GUEST[:ro]:_default' \
'*-p+[Publish a port (repeatable)]:HOST[:GUEST]:_default' \
'*--port=[Publish a port (repeatable)]:HOST[:GUEST]:_default' \
'*--label=[Attach a label (repeatable)]:KEY=VALUE:_default' \
'-w+[Folder in the guest in which its commands start]:DIR:_default' \
'--workdir=[Folder in the guest in which its commands start]:DIR:_default' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'--net[Enable the network, without limits]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
':name -- Name of the new VM:_default' \
&& ret=0
;;
(start)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'()*--label=[Select VMs with this label (repeatable; a VM must have all of them)]:KEY=VALUE:_default' \
'-j+[Number of VMs to work on at the same time \[default\: half of the cores\]]:N:_default' \
'--jobs=[Number of VMs to work on at the same time \[default\: half of the cores\]]:N:_default' \
'--timeout=[Longest time to wait until the VM runs commands; includes pulling an image]:DURATION:_default' \
'--wait=[Wait up to this long if another bottle-freeze uses the VM, output or snapshot \[default\: fail at once\]]:DURATION:_default' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'(--label)--all[All VMs]' \
'--no-wait[Do not wait until the VM runs commands]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
'*::names -- Names of VMs:_default' \
&& ret=0
;;
(stop)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'()*--label=[Select VMs with this label (repeatable; a VM must have all of them)]:KEY=VALUE:_default' \
'-j+[Number of VMs to work on at the same time \[default\: half of the cores\]]:N:_default' \
'--jobs=[Number of VMs to work on at the same time \[default\: half of the cores\]]:N:_default' \
'--wait=[Wait up to this long if another bottle-freeze uses the VM, output or snapshot \[default\: fail at once\]]:DURATION:_default' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'(--label)--all[All VMs]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
'*::names -- Names of VMs:_default' \
&& ret=0
;;
(exec)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'-w+[Folder in the guest in which to run the command]:DIR:_default' \
'--workdir=[Folder in the guest in which to run the command]:DIR:_default' \
'*-e+[Set a variable; without \`=VALUE\`, use its value in this environment (repeatable)]:KEY[=VALUE]:_default' \
'*--env=[Set a variable; without \`=VALUE\`, use its value in this environment (repeatable)]:KEY[=VALUE]:_default' \
'*--env-file=[Read variables from a file of KEY=VALUE lines (repeatable)]:FILE:_files' \
'--timeout=[Kill the command after this time (2s, 5m …)]:DURATION:_default' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-i[Pass standard input to the command]' \
'--interactive[Pass standard input to the command]' \
'-t[Give the command a terminal]' \
'--tty[Give the command a terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
':name -- VM in which to run the command:_default' \
'*::command -- Command and arguments:_cmdambivalent' \
&& ret=0
;;
(cp)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
':source -- File to copy:_files' \
':target -- Where to copy it:_files' \
&& ret=0
;;
(ls)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
&& ret=0
;;
(freeze)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'()*--vm-label=[Freeze VMs with this label (repeatable; a VM must have all of them)]:KEY=VALUE:_default' \
'-j+[Number of VMs to work on at the same time \[default\: half of the cores\]]:N:_default' \
'--jobs=[Number of VMs to work on at the same time \[default\: half of the cores\]]:N:_default' \
'--live=[Freeze without stopping\: keep RAM and processes too; the VM goes on after a short pause. With \`auto\`, freeze the ordinary way, after you confirm, if that is not possible]::auto:((auto\:"Where the engine and the VM can"))' \
'-o+[Write the snapshot to a file instead of the library\: X.smolmachine (with --live\: X.checkpoint), or any other name for a launcher and NAME.smolmachine beside it]:OUT:_files' \
'--output=[Write the snapshot to a file instead of the library\: X.smolmachine (with --live\: X.checkpoint), or any other name for a launcher and NAME.smolmachine beside it]:OUT:_files' \
'(-o --output)*-t+[Tag for the snapshot in the library (repeatable)]:TAG:_default' \
'(-o --output)*--tag=[Tag for the snapshot in the library (repeatable)]:TAG:_default' \
'(-o --output)-m+[Note to store with the snapshot]:NOTE:_default' \
'(-o --output)--note=[Note to store with the snapshot]:NOTE:_default' \
'(-o --output)*--label=[Label to store with the snapshot (repeatable)]:KEY=VALUE:_default' \
'*--pre-freeze=[Run this command after you confirm and before the VM stops; if it fails, nothing is frozen (repeatable). guest\:COMMAND runs in the VM, if that is running, host\:COMMAND on this host; both by \`sh -c\`]:WHERE:COMMAND:_default' \
'*--post-freeze=[Run this command at the end, also after a failure or an interrupt (repeatable); in the VM only if that is running. On the host it gets \`\$BOTTLE_FREEZE_VM\`, \`\$BOTTLE_FREEZE_SNAPSHOT\` (empty if there is none) and \`\$BOTTLE_FREEZE_STATUS\`]:WHERE:COMMAND:_default' \
'--hook-timeout=[Time limit for each hook]:DURATION:_default' \
'--stop-timeout=[Time limit for stopping the VM]:DURATION:_default' \
'--wait=[Wait up to this long if another bottle-freeze uses the VM, output or snapshot \[default\: fail at once\]]:DURATION:_default' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'(--vm-label)--all[Freeze all VMs]' \
'(-o --output --live)--launcher[Store the launcher in the library too]' \
'-y[Stop a running VM without asking]' \
'--yes[Stop a running VM without asking]' \
'--allow-unresponsive[Freeze a VM that does not answer, and lose what its guest has not written to disk; --yes does not confirm this]' \
'-f[Replace existing files at OUT, and move tags from other snapshots]' \
'--force[Replace existing files at OUT, and move tags from other snapshots]' \
'(--no-restart)--restart[Start the VM again, if this freeze stopped it]' \
'--no-restart[Leave the VM stopped even if the freeze fails]' \
'--no-workspace[Leave out /workspace (VMs made from an image; engines that cannot pack it)]' \
'--no-space-check[Freeze even if there may not be enough space]' \
'--dry-run[Print the engine commands that would run, and change nothing]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
'*::names -- VMs to freeze:_default' \
&& ret=0
;;
(thaw)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'--cpus=[Virtual CPUs \[default\: as frozen\]]:N:_default' \
'--mem=[Memory in MiB \[default\: as frozen\]]:MIB:_default' \
'*--allow-cidr=[Enable the network, limited to this CIDR block (repeatable) \[default\: as frozen\]]:CIDR:_default' \
'*-p+[Publish this port, and none of the recorded ones (repeatable) \[default\: as frozen\]]:HOST[:GUEST]:_default' \
'*--port=[Publish this port, and none of the recorded ones (repeatable) \[default\: as frozen\]]:HOST[:GUEST]:_default' \
'--timeout=[Longest time to wait until the VM runs commands]:DURATION:_default' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'(--no-start)--start[Start it and wait until it runs commands (the default)]' \
'--no-start[Do not start it]' \
'--replace[Replace the VM of that name; it is frozen into the library first (asks for confirmation)]' \
'-y[With --replace, do not ask]' \
'--yes[With --replace, do not ask]' \
'--net[Enable the network, without limits]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
':snapshot -- Snapshot\: VM (its newest), VM@TAG, VM@ID, or a .smolmachine file:_files' \
'::name -- Name of the new VM \[default\: the frozen VM'\''s name if that is free, or NAME-2, NAME-3 …\]:_default' \
&& ret=0
;;
(pause)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'()*--label=[Select VMs with this label (repeatable; a VM must have all of them)]:KEY=VALUE:_default' \
'-j+[Number of VMs to work on at the same time \[default\: half of the cores\]]:N:_default' \
'--jobs=[Number of VMs to work on at the same time \[default\: half of the cores\]]:N:_default' \
'--wait=[Wait up to this long if another bottle-freeze uses the VM, output or snapshot \[default\: fail at once\]]:DURATION:_default' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'(--label)--all[All VMs]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
'*::names -- Names of VMs:_default' \
&& ret=0
;;
(resume)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'()*--label=[Select VMs with this label (repeatable; a VM must have all of them)]:KEY=VALUE:_default' \
'-j+[Number of VMs to work on at the same time \[default\: half of the cores\]]:N:_default' \
'--jobs=[Number of VMs to work on at the same time \[default\: half of the cores\]]:N:_default' \
'--wait=[Wait up to this long if another bottle-freeze uses the VM, output or snapshot \[default\: fail at once\]]:DURATION:_default' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'(--label)--all[All VMs]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
'*::names -- Names of VMs:_default' \
&& ret=0
;;
(snapshot)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
":: :_bottle-freeze__subcmd__snapshot_commands" \
"*::: :->snapshot" \
&& ret=0

    case $state in
    (snapshot)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:bottle-freeze-snapshot-command-$line[1]:"
        case $line[1] in
            (ls)
_arguments "${_arguments_options[@]}" : \
'--tag=[Only snapshots with this tag]:TAG:_default' \
'--label=[Only snapshots with this label]:KEY=VALUE:_default' \
'--sort=[Sort order]:SORT:((age\:"Oldest first"
size\:"Largest last"
vm\:"By name of the VM, oldest first"))' \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
'::vm -- Only snapshots of this VM:_default' \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
'--tag=[Only snapshots with this tag]:TAG:_default' \
'--label=[Only snapshots with this label]:KEY=VALUE:_default' \
'--sort=[Sort order]:SORT:((age\:"Oldest first"
size\:"Largest last"
vm\:"By name of the VM, oldest first"))' \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
'::vm -- Only snapshots of this VM:_default' \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
':snapshot -- Snapshot\: VM (its newest), VM@TAG or VM@ID:_default' \
&& ret=0
;;
(verify)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'--all[Check all snapshots in the library]' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
'*::snapshots -- Snapshots\: VM (its newest), VM@TAG or VM@ID:_default' \
&& ret=0
;;
(tag)
_arguments "${_arguments_options[@]}" : \
'*--remove=[Tag to remove (repeatable)]:TAG:_default' \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'-f[Move a tag that another snapshot has]' \
'--force[Move a tag that another snapshot has]' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
':snapshot -- Snapshot\: VM (its newest), VM@TAG or VM@ID:_default' \
'*::tags -- Tags to add:_default' \
&& ret=0
;;
(rm)
_arguments "${_arguments_options[@]}" : \
'--wait=[Wait up to this long if another bottle-freeze uses the VM, output or snapshot \[default\: fail at once\]]:DURATION:_default' \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'-y[Do not ask]' \
'--yes[Do not ask]' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
'*::snapshots -- Snapshots\: VM@TAG or VM@ID, or VM (its newest):_default' \
&& ret=0
;;
(prune)
_arguments "${_arguments_options[@]}" : \
'--keep-last=[Keep the N newest]:N:_default' \
'--keep-hourly=[Keep the newest of each of the last N hours that have a snapshot]:N:_default' \
'--keep-daily=[Keep the newest of each of the last N days that have a snapshot]:N:_default' \
'--keep-weekly=[Keep the newest of each of the last N weeks that have a snapshot]:N:_default' \
'--keep-monthly=[Keep the newest of each of the last N months that have a snapshot]:N:_default' \
'--keep-yearly=[Keep the newest of each of the last N years that have a snapshot]:N:_default' \
'--keep-within=[Keep all snapshots within this time before the newest (30d, 6m, 1y5m7d2h)]:DURATION:_default' \
'--keep-within-hourly=[Keep the newest of each hour within this time before the newest]:DURATION:_default' \
'--keep-within-daily=[Keep the newest of each day within this time before the newest]:DURATION:_default' \
'--keep-within-weekly=[Keep the newest of each week within this time before the newest]:DURATION:_default' \
'--keep-within-monthly=[Keep the newest of each month within this time before the newest]:DURATION:_default' \
'--keep-within-yearly=[Keep the newest of each year within this time before the newest]:DURATION:_default' \
'*--keep-tag=[Keep snapshots with this tag, with all tags of a list TAG,TAG, or without any tag ('\'''\'') (repeatable)]:TAGS:_default' \
'*--tag=[Also remove snapshots with this tag (repeatable)]:TAG:_default' \
'--wait=[Wait up to this long if another bottle-freeze uses the VM, output or snapshot \[default\: fail at once\]]:DURATION:_default' \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'--dry-run[Print what would be removed, and remove nothing]' \
'-y[Do not ask]' \
'--yes[Do not ask]' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
'::vm -- Only snapshots of this VM:_default' \
&& ret=0
;;
(push)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'-y[Do not ask]' \
'--yes[Do not ask]' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
':snapshot -- Snapshot\: VM (its newest), VM@TAG, VM@ID, or a .smolmachine file:_files' \
':reference -- Destination HOST/NAME\[\:TAG\]; without HOST, the engine'\''s own registry, registry.smolmachines.com:_default' \
&& ret=0
;;
(pull)
_arguments "${_arguments_options[@]}" : \
'--as=[Store it as a snapshot of this VM \[default\: the VM that was frozen\]]:VM:_default' \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
':reference -- Source HOST/NAME\[\:TAG\] or HOST/NAME@DIGEST:_default' \
&& ret=0
;;
(export)
_arguments "${_arguments_options[@]}" : \
'-o+[File to write; \`-\` is standard output]:FILE:_files' \
'--output=[File to write; \`-\` is standard output]:FILE:_files' \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'-f[Replace the file]' \
'--force[Replace the file]' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
':snapshot -- Snapshot\: VM (its newest), VM@TAG or VM@ID:_default' \
&& ret=0
;;
(import)
_arguments "${_arguments_options[@]}" : \
'--as=[Store it as a snapshot of this VM \[default\: the VM that was frozen\]]:VM:_default' \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
':file -- File that `snapshot export` wrote; `-` is standard input:_files' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_bottle-freeze__subcmd__snapshot__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:bottle-freeze-snapshot-help-command-$line[1]:"
        case $line[1] in
            (ls)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(verify)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(tag)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(rm)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(prune)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(push)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(pull)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(export)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(import)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
;;
(rm)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'()*--label=[Select VMs with this label (repeatable; a VM must have all of them)]:KEY=VALUE:_default' \
'-j+[Number of VMs to work on at the same time \[default\: half of the cores\]]:N:_default' \
'--jobs=[Number of VMs to work on at the same time \[default\: half of the cores\]]:N:_default' \
'--wait=[Wait up to this long if another bottle-freeze uses the VM, output or snapshot \[default\: fail at once\]]:DURATION:_default' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'(--label)--all[All VMs]' \
'-y[Do not ask]' \
'--yes[Do not ask]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
'*::names -- Names of VMs:_default' \
&& ret=0
;;
(pack)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'-o+[File to write\: X.smolmachine, or any other name for a launcher and NAME.smolmachine beside it]:OUT:_files' \
'--output=[File to write\: X.smolmachine, or any other name for a launcher and NAME.smolmachine beside it]:OUT:_files' \
'--cpus=[Virtual CPUs for VMs made from it]:N:_default' \
'--mem=[Memory in MiB for VMs made from it]:MIB:_default' \
'--wait=[Wait up to this long if another bottle-freeze uses the VM, output or snapshot \[default\: fail at once\]]:DURATION:_default' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-f[Replace the files at OUT]' \
'--force[Replace the files at OUT]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
':image -- OCI image, `docker save` archive or unpacked rootfs folder:_default' \
&& ret=0
;;
(verify)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
'*::snapshots -- Snapshots to check\: .smolmachine files, or from the library VM (its newest), VM@TAG or VM@ID:_files' \
&& ret=0
;;
(doctor)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'--fix[Remove leftovers of killed commands that no process uses]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
&& ret=0
;;
(engine)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
":: :_bottle-freeze__subcmd__engine_commands" \
"*::: :->engine" \
&& ret=0

    case $state in
    (engine)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:bottle-freeze-engine-command-$line[1]:"
        case $line[1] in
            (install)
_arguments "${_arguments_options[@]}" : \
'--version=[Version to install \[default\: the newest\]]:VERSION:_default' \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(ls)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
&& ret=0
;;
(use)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
':engine -- Version to use:_default' \
&& ret=0
;;
(rm)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
'*::versions -- Versions to remove:_default' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_bottle-freeze__subcmd__engine__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:bottle-freeze-engine-help-command-$line[1]:"
        case $line[1] in
            (install)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(ls)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(use)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(rm)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
;;
(completions)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one installed by \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[Print errors as text, or as JSON, one object per line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[Print progress and warnings to suit the terminal or log, or as JSON, one object per line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'(-v --verbose)--quiet[Print only the bare result, warnings and errors\: the name of each VM, snapshot or file, one per line]' \
'-v[Print each engine command before it runs, with environment values masked]' \
'--verbose[Print each engine command before it runs, with environment values masked]' \
'--json[Print the result as a single JSON value (see bottle-freeze-json(7))]' \
'--no-input[Never prompt; behave as if there were no terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
':shell -- The shell:(bash elvish fish powershell zsh)' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_bottle-freeze__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:bottle-freeze-help-command-$line[1]:"
        case $line[1] in
            (create)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(start)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(stop)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(exec)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(cp)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(ls)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(freeze)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(thaw)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(pause)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(resume)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(snapshot)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(rm)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(pack)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(verify)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(doctor)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(engine)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(completions)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
}

(( $+functions[_bottle-freeze_commands] )) ||
_bottle-freeze_commands() {
    local commands; commands=(
'create:Make a VM\: bare, from an image, or from a snapshot' \
'start:Start VMs and wait until they run commands' \
'stop:Stop VMs' \
'exec:Run a command in a VM' \
'cp:Copy a file between the host and a VM' \
'ls:List VMs' \
'list:List VMs' \
'freeze:Freeze VMs into snapshots' \
'thaw:Make a VM from a snapshot, as it was frozen, and start it' \
'pause:Save the RAM of running VMs and shut them down until you resume them' \
'resume:Continue paused VMs' \
'snapshot:List, check, tag, remove and share the snapshots in the library' \
'rm:Delete VMs and their disks' \
'pack:Pack an image into a file from which you can make VMs' \
'verify:Check that snapshots are whole' \
'doctor:Check that freezing works here, and print how to fix what does not' \
'engine:Install smolvm engines and choose one' \
'completions:Print the shell completion script' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'bottle-freeze commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__completions_commands] )) ||
_bottle-freeze__subcmd__completions_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze completions commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__cp_commands] )) ||
_bottle-freeze__subcmd__cp_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze cp commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__create_commands] )) ||
_bottle-freeze__subcmd__create_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze create commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__doctor_commands] )) ||
_bottle-freeze__subcmd__doctor_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze doctor commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__engine_commands] )) ||
_bottle-freeze__subcmd__engine_commands() {
    local commands; commands=(
'install:Download an engine from PyPI' \
'ls:List the installed engines' \
'list:List the installed engines' \
'use:Choose the installed engine to use' \
'rm:Remove installed engines' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'bottle-freeze engine commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__engine__subcmd__help_commands] )) ||
_bottle-freeze__subcmd__engine__subcmd__help_commands() {
    local commands; commands=(
'install:Download an engine from PyPI' \
'ls:List the installed engines' \
'use:Choose the installed engine to use' \
'rm:Remove installed engines' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'bottle-freeze engine help commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__engine__subcmd__help__subcmd__help_commands] )) ||
_bottle-freeze__subcmd__engine__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze engine help help commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__engine__subcmd__help__subcmd__install_commands] )) ||
_bottle-freeze__subcmd__engine__subcmd__help__subcmd__install_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze engine help install commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__engine__subcmd__help__subcmd__ls_commands] )) ||
_bottle-freeze__subcmd__engine__subcmd__help__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze engine help ls commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__engine__subcmd__help__subcmd__rm_commands] )) ||
_bottle-freeze__subcmd__engine__subcmd__help__subcmd__rm_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze engine help rm commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__engine__subcmd__help__subcmd__use_commands] )) ||
_bottle-freeze__subcmd__engine__subcmd__help__subcmd__use_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze engine help use commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__engine__subcmd__install_commands] )) ||
_bottle-freeze__subcmd__engine__subcmd__install_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze engine install commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__engine__subcmd__ls_commands] )) ||
_bottle-freeze__subcmd__engine__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze engine ls commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__engine__subcmd__rm_commands] )) ||
_bottle-freeze__subcmd__engine__subcmd__rm_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze engine rm commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__engine__subcmd__use_commands] )) ||
_bottle-freeze__subcmd__engine__subcmd__use_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze engine use commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__exec_commands] )) ||
_bottle-freeze__subcmd__exec_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze exec commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__freeze_commands] )) ||
_bottle-freeze__subcmd__freeze_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze freeze commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__help_commands] )) ||
_bottle-freeze__subcmd__help_commands() {
    local commands; commands=(
'create:Make a VM\: bare, from an image, or from a snapshot' \
'start:Start VMs and wait until they run commands' \
'stop:Stop VMs' \
'exec:Run a command in a VM' \
'cp:Copy a file between the host and a VM' \
'ls:List VMs' \
'freeze:Freeze VMs into snapshots' \
'thaw:Make a VM from a snapshot, as it was frozen, and start it' \
'pause:Save the RAM of running VMs and shut them down until you resume them' \
'resume:Continue paused VMs' \
'snapshot:List, check, tag, remove and share the snapshots in the library' \
'rm:Delete VMs and their disks' \
'pack:Pack an image into a file from which you can make VMs' \
'verify:Check that snapshots are whole' \
'doctor:Check that freezing works here, and print how to fix what does not' \
'engine:Install smolvm engines and choose one' \
'completions:Print the shell completion script' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'bottle-freeze help commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__help__subcmd__completions_commands] )) ||
_bottle-freeze__subcmd__help__subcmd__completions_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze help completions commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__help__subcmd__cp_commands] )) ||
_bottle-freeze__subcmd__help__subcmd__cp_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze help cp commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__help__subcmd__create_commands] )) ||
_bottle-freeze__subcmd__help__subcmd__create_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze help create commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__help__subcmd__doctor_commands] )) ||
_bottle-freeze__subcmd__help__subcmd__doctor_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze help doctor commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__help__subcmd__engine_commands] )) ||
_bottle-freeze__subcmd__help__subcmd__engine_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze help engine commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__help__subcmd__exec_commands] )) ||
_bottle-freeze__subcmd__help__subcmd__exec_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze help exec commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__help__subcmd__freeze_commands] )) ||
_bottle-freeze__subcmd__help__subcmd__freeze_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze help freeze commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__help__subcmd__help_commands] )) ||
_bottle-freeze__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze help help commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__help__subcmd__ls_commands] )) ||
_bottle-freeze__subcmd__help__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze help ls commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__help__subcmd__pack_commands] )) ||
_bottle-freeze__subcmd__help__subcmd__pack_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze help pack commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__help__subcmd__pause_commands] )) ||
_bottle-freeze__subcmd__help__subcmd__pause_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze help pause commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__help__subcmd__resume_commands] )) ||
_bottle-freeze__subcmd__help__subcmd__resume_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze help resume commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__help__subcmd__rm_commands] )) ||
_bottle-freeze__subcmd__help__subcmd__rm_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze help rm commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__help__subcmd__snapshot_commands] )) ||
_bottle-freeze__subcmd__help__subcmd__snapshot_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze help snapshot commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__help__subcmd__start_commands] )) ||
_bottle-freeze__subcmd__help__subcmd__start_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze help start commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__help__subcmd__stop_commands] )) ||
_bottle-freeze__subcmd__help__subcmd__stop_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze help stop commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__help__subcmd__thaw_commands] )) ||
_bottle-freeze__subcmd__help__subcmd__thaw_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze help thaw commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__help__subcmd__verify_commands] )) ||
_bottle-freeze__subcmd__help__subcmd__verify_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze help verify commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__ls_commands] )) ||
_bottle-freeze__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze ls commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__pack_commands] )) ||
_bottle-freeze__subcmd__pack_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze pack commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__pause_commands] )) ||
_bottle-freeze__subcmd__pause_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze pause commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__resume_commands] )) ||
_bottle-freeze__subcmd__resume_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze resume commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__rm_commands] )) ||
_bottle-freeze__subcmd__rm_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze rm commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot_commands] )) ||
_bottle-freeze__subcmd__snapshot_commands() {
    local commands; commands=(
'ls:List snapshots' \
'list:List snapshots' \
'show:Print everything recorded about a snapshot, as JSON' \
'verify:Check that snapshots are whole\: SHA-256, footer, CRC-32, manifest' \
'tag:Add tags to a snapshot, or remove them' \
'rm:Remove snapshots (asks for confirmation)' \
'prune:Remove the snapshots that no --keep option keeps (asks for confirmation)' \
'push:Push a snapshot to a registry (asks for confirmation)' \
'pull:Pull a snapshot from a registry into the library, and check it' \
'export:Write a snapshot to one file, to import it on another machine' \
'import:Import an exported snapshot into the library, and check it' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'bottle-freeze snapshot commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__export_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__export_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot export commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__help_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__help_commands() {
    local commands; commands=(
'ls:List snapshots' \
'show:Print everything recorded about a snapshot, as JSON' \
'verify:Check that snapshots are whole\: SHA-256, footer, CRC-32, manifest' \
'tag:Add tags to a snapshot, or remove them' \
'rm:Remove snapshots (asks for confirmation)' \
'prune:Remove the snapshots that no --keep option keeps (asks for confirmation)' \
'push:Push a snapshot to a registry (asks for confirmation)' \
'pull:Pull a snapshot from a registry into the library, and check it' \
'export:Write a snapshot to one file, to import it on another machine' \
'import:Import an exported snapshot into the library, and check it' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'bottle-freeze snapshot help commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__export_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__export_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot help export commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__help_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot help help commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__import_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__import_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot help import commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__ls_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot help ls commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__prune_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__prune_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot help prune commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__pull_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__pull_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot help pull commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__push_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__push_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot help push commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__rm_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__rm_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot help rm commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__show_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot help show commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__tag_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__tag_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot help tag commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__verify_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__help__subcmd__verify_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot help verify commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__import_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__import_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot import commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__ls_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot ls commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__prune_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__prune_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot prune commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__pull_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__pull_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot pull commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__push_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__push_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot push commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__rm_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__rm_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot rm commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__show_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot show commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__tag_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__tag_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot tag commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__snapshot__subcmd__verify_commands] )) ||
_bottle-freeze__subcmd__snapshot__subcmd__verify_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze snapshot verify commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__start_commands] )) ||
_bottle-freeze__subcmd__start_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze start commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__stop_commands] )) ||
_bottle-freeze__subcmd__stop_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze stop commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__thaw_commands] )) ||
_bottle-freeze__subcmd__thaw_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze thaw commands' commands "$@"
}
(( $+functions[_bottle-freeze__subcmd__verify_commands] )) ||
_bottle-freeze__subcmd__verify_commands() {
    local commands; commands=()
    _describe -t commands 'bottle-freeze verify commands' commands "$@"
}

if [ "$funcstack[1]" = "_bottle-freeze" ]; then
    _bottle-freeze "$@"
else
    compdef _bottle-freeze bottle-freeze
fi
