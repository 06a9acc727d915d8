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
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
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
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(--from)-I+[Make it from this OCI image, \`docker save\` archive or unpacked rootfs folder]:IMAGE:_default' \
'(--from)--image=[Make it from this OCI image, \`docker save\` archive or unpacked rootfs folder]:IMAGE:_default' \
'--from=[Make it from this snapshot\: a .smolmachine file, or of the library VM (its newest), VM@TAG, VM@ID]:SNAPSHOT:_files' \
'--cpus=[Virtual CPUs \[default\: the engine'\''s or the snapshot'\''s\]]:N:_default' \
'--mem=[Memory in MiB \[default\: the engine'\''s or the snapshot'\''s\]]:MIB:_default' \
'--storage=[Size of the storage disk in GiB \[default\: the engine'\''s, 20\]]:GIB:_default' \
'--overlay=[Size of the overlay disk in GiB \[default\: the engine'\''s, 10\]]:GIB:_default' \
'*--allow-cidr=[Let it reach only this network (repeatable)]:CIDR:_default' \
'*-e+[Set a variable; without \`=VALUE\` it is taken from this environment (repeatable)]:KEY[=VALUE]:_default' \
'*--env=[Set a variable; without \`=VALUE\` it is taken from this environment (repeatable)]:KEY[=VALUE]:_default' \
'*--env-file=[Read variables from a file of KEY=VALUE lines (repeatable)]:FILE:_files' \
'*--volume=[Mount a host folder (repeatable)]:HOST:GUEST[:ro]:_default' \
'*-p+[Publish a port (repeatable)]:HOST[:GUEST]:_default' \
'*--port=[Publish a port (repeatable)]:HOST[:GUEST]:_default' \
'*--label=[Attach a label (repeatable)]:KEY=VALUE:_default' \
'-w+[Folder in the guest where its commands start]:DIR:_default' \
'--workdir=[Folder in the guest where its commands start]:DIR:_default' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'--net[Give it the whole network]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
':name -- Name of the new VM:_default' \
&& ret=0
;;
(start)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'()*--label=[The VMs that have this label (repeatable; all of them then)]:KEY=VALUE:_default' \
'-j+[How many at a time \[default\: half of the cores\]]:N:_default' \
'--jobs=[How many at a time \[default\: half of the cores\]]:N:_default' \
'--timeout=[How long it may take until commands can be executed, pulling an image included]:DURATION:_default' \
'--wait=[Wait this long for another bottle-freeze that uses the same VM, output or snapshot, instead of failing at once]:DURATION:_default' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'(--label)--all[All VMs]' \
'--no-wait[Do not wait until commands can be executed]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
'*::names -- Names of VMs:_default' \
&& ret=0
;;
(stop)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'()*--label=[The VMs that have this label (repeatable; all of them then)]:KEY=VALUE:_default' \
'-j+[How many at a time \[default\: half of the cores\]]:N:_default' \
'--jobs=[How many at a time \[default\: half of the cores\]]:N:_default' \
'--wait=[Wait this long for another bottle-freeze that uses the same VM, output or snapshot, instead of failing at once]:DURATION:_default' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
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
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'-w+[Folder in the guest to run it in]:DIR:_default' \
'--workdir=[Folder in the guest to run it in]:DIR:_default' \
'*-e+[Set a variable; without \`=VALUE\` it is taken from this environment (repeatable)]:KEY[=VALUE]:_default' \
'*--env=[Set a variable; without \`=VALUE\` it is taken from this environment (repeatable)]:KEY[=VALUE]:_default' \
'*--env-file=[Read variables from a file of KEY=VALUE lines (repeatable)]:FILE:_files' \
'--timeout=[Kill it after this time (2s, 5m …)]:DURATION:_default' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-i[Pass on this command'\''s standard input]' \
'--interactive[Pass on this command'\''s standard input]' \
'-t[Give the command a terminal]' \
'--tty[Give the command a terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
':name -- VM to run it in:_default' \
'*::command -- Command and arguments:_cmdambivalent' \
&& ret=0
;;
(cp)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
':source -- File to copy:_files' \
':target -- Where to:_files' \
&& ret=0
;;
(ls)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
&& ret=0
;;
(freeze)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'()*--vm-label=[Freeze the VMs that have this label (repeatable; all of them then)]:KEY=VALUE:_default' \
'-j+[How many at a time \[default\: half of the cores\]]:N:_default' \
'--jobs=[How many at a time \[default\: half of the cores\]]:N:_default' \
'--live=[Do not stop it\: its RAM and its processes are kept too, and it goes on after a short pause. With \`auto\`, it is frozen in the ordinary way, after a question, where that cannot be done]::auto:((auto\:"Where the engine and the VM can"))' \
'-o+[File to write instead of keeping the snapshot in the library\: X.smolmachine writes the snapshot (with --live\: X.checkpoint); any other name writes a launcher and, beside it, NAME.smolmachine]:OUT:_files' \
'--output=[File to write instead of keeping the snapshot in the library\: X.smolmachine writes the snapshot (with --live\: X.checkpoint); any other name writes a launcher and, beside it, NAME.smolmachine]:OUT:_files' \
'(-o --output)*-t+[Name the snapshot, in the library (repeatable)]:TAG:_default' \
'(-o --output)*--tag=[Name the snapshot, in the library (repeatable)]:TAG:_default' \
'(-o --output)-m+[Say what it is, in the library]:NOTE:_default' \
'(-o --output)--note=[Say what it is, in the library]:NOTE:_default' \
'(-o --output)*--label=[Attach a label to the snapshot, in the library (repeatable)]:KEY=VALUE:_default' \
'*--pre-freeze=[Run this before, when the question is answered and nothing was stopped yet; if it fails, nothing is frozen (repeatable). guest\:COMMAND is run in the VM, if that runs, host\:COMMAND here; both by \`sh -c\`]:WHERE:COMMAND:_default' \
'*--post-freeze=[Run this afterwards, also when the freeze failed or was interrupted (repeatable); in the VM only if that runs then. Here it finds \`\$BOTTLE_FREEZE_VM\`, \`\$BOTTLE_FREEZE_SNAPSHOT\` (empty\: none) and \`\$BOTTLE_FREEZE_STATUS\`]:WHERE:COMMAND:_default' \
'--hook-timeout=[How long each of these commands may take]:DURATION:_default' \
'--stop-timeout=[How long stopping the VM may take]:DURATION:_default' \
'--wait=[Wait this long for another bottle-freeze that uses the same VM, output or snapshot, instead of failing at once]:DURATION:_default' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'(--vm-label)--all[Freeze all VMs]' \
'(-o --output --live)--launcher[Keep the launcher in the library too]' \
'-y[Stop a running VM without asking]' \
'--yes[Stop a running VM without asking]' \
'--allow-unresponsive[Freeze a VM that does not answer\: what its guest has not written to disk is lost. --yes alone does not agree to that]' \
'-f[Replace the files at OUT, or take a tag from the snapshot that has it]' \
'--force[Replace the files at OUT, or take a tag from the snapshot that has it]' \
'(--no-restart)--restart[Start the VM again afterwards, if this freeze stopped it]' \
'--no-restart[Leave the VM stopped, even if the freeze fails]' \
'--no-workspace[Leave /workspace out (VMs made from an image; engines that cannot pack it)]' \
'--no-space-check[Freeze although there may not be room enough for it]' \
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
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'--cpus=[Virtual CPUs \[default\: as frozen\]]:N:_default' \
'--mem=[Memory in MiB \[default\: as frozen\]]:MIB:_default' \
'*--allow-cidr=[Let it reach only this network (repeatable) \[default\: as frozen\]]:CIDR:_default' \
'*-p+[Publish this port, and none of the recorded ones (repeatable) \[default\: as frozen\]]:HOST[:GUEST]:_default' \
'*--port=[Publish this port, and none of the recorded ones (repeatable) \[default\: as frozen\]]:HOST[:GUEST]:_default' \
'--timeout=[How long it may take until commands can be executed]:DURATION:_default' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'(--no-start)--start[Start it, and wait until it executes commands (the default)]' \
'--no-start[Do not start it]' \
'--replace[Put it in the place of the VM of that name, which is frozen into the library first, after a question]' \
'-y[With --replace\: do not ask]' \
'--yes[With --replace\: do not ask]' \
'--net[Give it the whole network]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
':snapshot -- Snapshot\: VM (its newest), VM@TAG, VM@ID, or a .smolmachine file:_files' \
'::name -- Name of the new VM \[default\: the frozen one'\''s if that is free, or NAME-2, NAME-3 …\]:_default' \
&& ret=0
;;
(pause)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'()*--label=[The VMs that have this label (repeatable; all of them then)]:KEY=VALUE:_default' \
'-j+[How many at a time \[default\: half of the cores\]]:N:_default' \
'--jobs=[How many at a time \[default\: half of the cores\]]:N:_default' \
'--wait=[Wait this long for another bottle-freeze that uses the same VM, output or snapshot, instead of failing at once]:DURATION:_default' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
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
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'()*--label=[The VMs that have this label (repeatable; all of them then)]:KEY=VALUE:_default' \
'-j+[How many at a time \[default\: half of the cores\]]:N:_default' \
'--jobs=[How many at a time \[default\: half of the cores\]]:N:_default' \
'--wait=[Wait this long for another bottle-freeze that uses the same VM, output or snapshot, instead of failing at once]:DURATION:_default' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
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
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
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
'--tag=[Only with this tag]:TAG:_default' \
'--label=[Only with this label]:KEY=VALUE:_default' \
'--sort=[By what to sort]:SORT:((age\:"The oldest first"
size\:"The largest last"
vm\:"By the name of the VM, the oldest first"))' \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
'::vm -- Only of this VM:_default' \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
'--tag=[Only with this tag]:TAG:_default' \
'--label=[Only with this label]:KEY=VALUE:_default' \
'--sort=[By what to sort]:SORT:((age\:"The oldest first"
size\:"The largest last"
vm\:"By the name of the VM, the oldest first"))' \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
'::vm -- Only of this VM:_default' \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
':snapshot -- Snapshot\: VM (its newest), VM@TAG or VM@ID:_default' \
&& ret=0
;;
(verify)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'--all[All of the library]' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
'*::snapshots -- Snapshots\: VM (its newest), VM@TAG or VM@ID:_default' \
&& ret=0
;;
(tag)
_arguments "${_arguments_options[@]}" : \
'*--remove=[Names to take from it (repeatable)]:TAG:_default' \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'-f[Take a name from the snapshot that has it]' \
'--force[Take a name from the snapshot that has it]' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
':snapshot -- Snapshot\: VM (its newest), VM@TAG or VM@ID:_default' \
'*::tags -- Names to give it:_default' \
&& ret=0
;;
(rm)
_arguments "${_arguments_options[@]}" : \
'--wait=[Wait this long for another bottle-freeze that uses the same VM, output or snapshot, instead of failing at once]:DURATION:_default' \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'-y[Do not ask]' \
'--yes[Do not ask]' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
'*::snapshots -- Snapshots\: VM@TAG or VM@ID, or VM (its newest):_default' \
&& ret=0
;;
(prune)
_arguments "${_arguments_options[@]}" : \
'--keep-last=[Keep the N that were made last]:N:_default' \
'--keep-hourly=[Keep the newest of each of the last N hours that have one]:N:_default' \
'--keep-daily=[Keep the newest of each of the last N days that have one]:N:_default' \
'--keep-weekly=[Keep the newest of each of the last N weeks that have one]:N:_default' \
'--keep-monthly=[Keep the newest of each of the last N months that have one]:N:_default' \
'--keep-yearly=[Keep the newest of each of the last N years that have one]:N:_default' \
'--keep-within=[Keep those made within this time before the newest (30d, 6m, 1y5m7d2h)]:DURATION:_default' \
'--keep-within-hourly=[Keep the newest of each hour within this time before the newest]:DURATION:_default' \
'--keep-within-daily=[Keep the newest of each day within this time before the newest]:DURATION:_default' \
'--keep-within-weekly=[Keep the newest of each week within this time before the newest]:DURATION:_default' \
'--keep-within-monthly=[Keep the newest of each month within this time before the newest]:DURATION:_default' \
'--keep-within-yearly=[Keep the newest of each year within this time before the newest]:DURATION:_default' \
'*--keep-tag=[Keep those with this tag (repeatable); with all tags of a list TAG,TAG; without any tag ('\'''\'')]:TAGS:_default' \
'*--tag=[Remove snapshots even if they have this tag (repeatable)]:TAG:_default' \
'--wait=[Wait this long for another bottle-freeze that uses the same VM, output or snapshot, instead of failing at once]:DURATION:_default' \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'--dry-run[Say what would be removed, and remove nothing]' \
'-y[Do not ask]' \
'--yes[Do not ask]' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
'::vm -- Only of this VM:_default' \
&& ret=0
;;
(push)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'-y[Do not ask]' \
'--yes[Do not ask]' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
':snapshot -- Snapshot\: VM (its newest), VM@TAG, VM@ID, or a .smolmachine file:_files' \
':reference -- Where to\: HOST/NAME\[\:TAG\]; without a HOST it is the engine'\''s own registry, registry.smolmachines.com:_default' \
&& ret=0
;;
(pull)
_arguments "${_arguments_options[@]}" : \
'--as=[Keep it as a snapshot of this VM \[default\: the one it was made of\]]:VM:_default' \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
':reference -- Where from\: HOST/NAME\[\:TAG\] or HOST/NAME@DIGEST:_default' \
&& ret=0
;;
(export)
_arguments "${_arguments_options[@]}" : \
'-o+[File to write; \`-\` is the standard output]:FILE:_files' \
'--output=[File to write; \`-\` is the standard output]:FILE:_files' \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'-f[Replace the file]' \
'--force[Replace the file]' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
':snapshot -- Snapshot\: VM (its newest), VM@TAG or VM@ID:_default' \
&& ret=0
;;
(import)
_arguments "${_arguments_options[@]}" : \
'--as=[Keep it as a snapshot of this VM \[default\: the one it was made of\]]:VM:_default' \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
':file -- File that `snapshot export` wrote; `-` is the standard input:_files' \
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
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'()*--label=[The VMs that have this label (repeatable; all of them then)]:KEY=VALUE:_default' \
'-j+[How many at a time \[default\: half of the cores\]]:N:_default' \
'--jobs=[How many at a time \[default\: half of the cores\]]:N:_default' \
'--wait=[Wait this long for another bottle-freeze that uses the same VM, output or snapshot, instead of failing at once]:DURATION:_default' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
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
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'-o+[File to write\: X.smolmachine, or any other name for a launcher and NAME.smolmachine beside it]:OUT:_files' \
'--output=[File to write\: X.smolmachine, or any other name for a launcher and NAME.smolmachine beside it]:OUT:_files' \
'--cpus=[Virtual CPUs of VMs made from it]:N:_default' \
'--mem=[Memory in MiB of VMs made from it]:MIB:_default' \
'--wait=[Wait this long for another bottle-freeze that uses the same VM, output or snapshot, instead of failing at once]:DURATION:_default' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
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
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
'*::snapshots -- Snapshots to check\: .smolmachine files, or of the library VM (its newest), VM@TAG, VM@ID:_files' \
&& ret=0
;;
(doctor)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'--fix[Remove what killed commands have left behind and no process uses]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
&& ret=0
;;
(engine)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
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
'--version=[Which one \[default\: the newest\]]:VERSION:_default' \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(ls)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
&& ret=0
;;
(use)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
':engine -- Which one:_default' \
&& ret=0
;;
(rm)
_arguments "${_arguments_options[@]}" : \
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
'*::versions -- Which ones:_default' \
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
'--smolvm=[The engine to use \[default\: \$SMOLVM, then \`smolvm\` on PATH, then the one of \`bottle-freeze engine\`\]]:PATH:_absolute_command_paths' \
'--error-format=[How errors are written\: for people, or as JSON, one object a line]:text|json:((text\:"For people"
json\:"For programs"))' \
'(-q --quiet)--progress=[How progress and warnings are written\: as suits the terminal or the log, or as JSON, one object a line]:auto|json:((auto\:"Drawn on a terminal, in lines elsewhere"
json\:"For programs"))' \
'(-v --verbose)-q[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'(-v --verbose)--quiet[Print only errors and the bare result, one a line\: the VM, the snapshot or the file that was made, changed or removed]' \
'-v[Print each engine command as it is run, env values masked]' \
'--verbose[Print each engine command as it is run, env values masked]' \
'--json[Print the result as one JSON value\: man 7 bottle-freeze-json tells of each]' \
'--no-input[Never ask\: where a question would be asked, do as without a terminal]' \
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
'start:Start VMs, and wait until they execute commands' \
'stop:Stop VMs' \
'exec:Run a command in a VM' \
'cp:Copy a file between the host and a VM' \
'ls:List VMs' \
'list:List VMs' \
'freeze:Freeze VMs into snapshots' \
'thaw:Make a VM from a snapshot, as it was frozen, and start it' \
'pause:Save the RAM of running VMs, and end them until they are resumed' \
'resume:Let paused VMs go on' \
'snapshot:List, check, name, remove and share the snapshots of the library' \
'rm:Delete VMs and their disks' \
'pack:Pack an image into a file that VMs can be made from' \
'verify:Check that snapshots are whole' \
'doctor:Check that freezing works here, and print how to fix what does not' \
'engine:Install smolvm engines, and choose between them' \
'completions:Print what a shell sources, to complete by TAB' \
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
'start:Start VMs, and wait until they execute commands' \
'stop:Stop VMs' \
'exec:Run a command in a VM' \
'cp:Copy a file between the host and a VM' \
'ls:List VMs' \
'freeze:Freeze VMs into snapshots' \
'thaw:Make a VM from a snapshot, as it was frozen, and start it' \
'pause:Save the RAM of running VMs, and end them until they are resumed' \
'resume:Let paused VMs go on' \
'snapshot:List, check, name, remove and share the snapshots of the library' \
'rm:Delete VMs and their disks' \
'pack:Pack an image into a file that VMs can be made from' \
'verify:Check that snapshots are whole' \
'doctor:Check that freezing works here, and print how to fix what does not' \
'engine:Install smolvm engines, and choose between them' \
'completions:Print what a shell sources, to complete by TAB' \
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
'show:Print all that is recorded of a snapshot, as JSON' \
'verify:Check that snapshots are whole\: SHA-256, footer, CRC-32, manifest' \
'tag:Name a snapshot, or take names away' \
'rm:Remove snapshots, after a question' \
'prune:Remove the snapshots that no --keep option keeps, after a question' \
'push:Put a snapshot into a registry, after a question' \
'pull:Take a snapshot from a registry into the library, after checking it' \
'export:Write a snapshot into one file, to take it elsewhere' \
'import:Take an exported snapshot into the library, after checking it' \
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
'show:Print all that is recorded of a snapshot, as JSON' \
'verify:Check that snapshots are whole\: SHA-256, footer, CRC-32, manifest' \
'tag:Name a snapshot, or take names away' \
'rm:Remove snapshots, after a question' \
'prune:Remove the snapshots that no --keep option keeps, after a question' \
'push:Put a snapshot into a registry, after a question' \
'pull:Take a snapshot from a registry into the library, after checking it' \
'export:Write a snapshot into one file, to take it elsewhere' \
'import:Take an exported snapshot into the library, after checking it' \
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
