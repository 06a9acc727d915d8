scenario "a running bare VM is frozen, and thawed with its files"
# The engine takes minutes to pack disks of the default size here.
status 0 "create" bottle-freeze create dev --cpus 1 --mem 512 --storage 1 --overlay 1 -e GREETING=hello
status 0 "start" bottle-freeze start dev
equal running "it runs" state dev
status 0 "exec writes files" bottle-freeze exec dev -- sh -c 'echo hi > /root/a; echo work > /workspace/b'
equal hello "the VM has its environment" bottle-freeze exec dev -- sh -c 'echo $GREETING'
status 6 "no terminal, no --yes: refused" bottle-freeze freeze dev -o "$work/dev.smolmachine"
equal running "the refused freeze leaves it running" state dev
status 6 "declined at the prompt" pty n bottle-freeze freeze dev -o "$work/dev.smolmachine"
equal running "the declined freeze leaves it running" state dev
status 6 "^D at the prompt" pty "$(printf '\004')" bottle-freeze freeze dev -o "$work/dev.smolmachine"
status 130 "^C at the prompt" pty "$(printf '\003')" bottle-freeze freeze dev -o "$work/dev.smolmachine"
equal running "neither stops it" state dev
status 0 "accepted at the prompt, with --restart" pty y bottle-freeze freeze dev -o "$work/dev.smolmachine" --restart
equal running "--restart starts it again" state dev
status 0 "thaw: create --from" bottle-freeze create dev2 --from "$work/dev.smolmachine"
status 0 "thaw: start" bottle-freeze start dev2
equal "$(printf 'hi\nwork')" "the files are there" bottle-freeze exec dev2 -- cat /root/a /workspace/b
equal dev.smolmachine "nothing else is left beside the snapshot" ls -A "$work" --ignore=stderr
status 0 "rm of a running VM" bottle-freeze rm --yes dev2

scenario "exec runs a command as if it ran here"
status 0 "status 0" bottle-freeze exec dev -- true
status 42 "status 42" bottle-freeze exec dev -- sh -c 'exit 42'
status 1 "the guest's own status 1" bottle-freeze exec dev -- sh -c 'echo "Error: mine" >&2; exit 1'
status 137 "killed by SIGKILL" bottle-freeze exec dev -- sh -c 'kill -9 $$'
status 124 "--timeout passed" bottle-freeze exec --timeout 2s dev -- sleep 30
status 127 "no such command" bottle-freeze exec dev -- nosuch
equal from-stdin "-i passes stdin on" bash -c 'echo from-stdin | bottle-freeze exec -i dev -- cat'
equal "" "without -i there is none" bash -c 'echo from-stdin | bottle-freeze exec dev -- cat'
long='yes $(printf %0200d 7) | head -c 12000000'
equal "$(bash -c "$long" | md5sum)" "12 MB of output arrive complete" bash -c 'bottle-freeze exec dev -- sh -c "$0" | md5sum' "$long"
equal "$(seq 700000 | md5sum)" "5 MB of input arrive complete" bash -c 'seq 700000 | bottle-freeze exec -i dev -- md5sum'
equal "a b=c" "-e arrives" bottle-freeze exec -e "V=a b=c" dev -- sh -c 'echo "$V"'
echo 'V=c d=e' > "$work/env"
equal "c d=e" "--env-file arrives" bottle-freeze exec --env-file "$work/env" dev -- sh -c 'echo "$V"'
rm "$work/env"
bottle-freeze exec -e V=hunter2 dev -- sleep 6 & until_runs 'machine exe[c] .*sleep 6'
# The bracket keeps grep's own command line from matching.
equal 1 "its value is in no engine command line" bash -c 'cat /proc/*/cmdline 2>/dev/null | tr "\0" "\n" | grep -c "hunte[r]2"'
wait $!
equal /etc "-w" bottle-freeze exec -w /etc dev -- pwd
bottle-freeze exec dev -- sleep 777 &
until bottle-freeze exec dev -- sh -c 'ps | grep -q "[7]77"' || ! kill -0 $!; do sleep 0.1; done
kill -TERM $!; wait $!
verdict "$([ $? = 143 ] && echo yes)" "SIGTERM ends it with 143"
equal 0 "and ends the guest's command" bottle-freeze exec dev -- sh -c '
  for try in 1 2 3 4 5; do ps | grep -q "[7]77" || break; sleep 1; done; ps | grep -c "[7]77" || true'

scenario "cp copies there and back"
head -c 300000 /dev/urandom > "$work/random"
status 0 "into the VM" bottle-freeze cp "$work/random" dev:/root/random
status 0 "out of it" bottle-freeze cp dev:/root/random "$work/random2"
status 0 "the same bytes" cmp "$work/random" "$work/random2"
status 1 "a missing file" bottle-freeze cp dev:/nosuch "$work/random2"
status 0 "leaves the old one" cmp "$work/random" "$work/random2"

scenario "a busy guest is not a dead one"
status 0 "exec writes a file" bottle-freeze exec dev -- sh -c 'echo busy > /root/busy'
kill -STOP "$(vmm dev)"
status 125 "a failed exec makes the engine give it up" bottle-freeze exec dev -- true
kill -CONT "$(vmm dev)"
equal unreachable "it is listed as unreachable from then on" state dev
status 0 "still frozen, with --yes" bottle-freeze freeze dev --yes --restart
verdict "$([[ $out != *"does not answer"* ]] && echo yes)" "without a warning that something is lost" "$out"
equal busy "what it had not written to disk is there" bottle-freeze exec dev -- cat /root/busy

scenario "a VM whose guest is silent is stopped first"
kill -STOP "$(vmm dev)"
equal unreachable "SIGSTOP makes it unreachable" state dev
status 6 "no --yes: refused" bottle-freeze freeze dev
status 6 "--yes alone does not confirm the loss" bottle-freeze freeze dev --yes
status 0 "frozen with --allow-unresponsive" bottle-freeze freeze dev --yes --allow-unresponsive
equal stopped "it is stopped" state dev

scenario "a stopped VM is frozen without a question; the pair; no overwriting"
status 125 "exec in a stopped VM" bottle-freeze exec dev -- true
touch "$work/pair" "$work/pair.smolmachine"
status 7 "not over other files" bottle-freeze freeze dev -o "$work/pair"
status 0 "unless --force" bottle-freeze freeze dev -o "$work/pair" --force
status 0 "the launcher is there" test -x "$work/pair"
equal "$(printf '700\n600')" "only the owner can read the two" stat -c %a "$work/pair" "$work/pair.smolmachine"
status 0 "thaw: create --from" bottle-freeze create dev3 --from "$work/pair.smolmachine"
status 0 "thaw: start" bottle-freeze start dev3
equal "$(printf 'hi\nwork')" "the files are there" bottle-freeze exec dev3 -- cat /root/a /workspace/b
status 6 "rm of a running VM, no terminal, no --yes: refused" bottle-freeze rm dev3
equal running "the refused rm leaves it running" state dev3
status 0 "rm" bottle-freeze rm --yes dev3

scenario "what cannot be frozen"
status 4 "a VM that does not exist" bottle-freeze freeze nosuch -o "$work/nosuch.smolmachine"
status 0 "create" bottle-freeze create new --cpus 1 --mem 512
status 5 "a VM that was never started" bottle-freeze freeze new -o "$work/new.smolmachine"
status 0 "rm" bottle-freeze rm --yes new

scenario "a paused VM is refused"
status 0 "start" bottle-freeze start dev
smolvm machine pause --name dev > /dev/null 2>&1
equal paused "it is paused" state dev
status 5 "refused" bottle-freeze freeze dev -o "$work/paused.smolmachine" --yes
status 5 "stop is refused too" bottle-freeze stop dev
status 0 "rm" bottle-freeze rm --yes dev
equal "[]" "no VM is left" bottle-freeze ls --json
