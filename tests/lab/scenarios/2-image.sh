scenario "a running image VM is frozen, /workspace included, and thawed"
rootfs "$work/rootfs"
status 0 "create from a rootfs folder" bottle-freeze create img --image "$work/rootfs" --cpus 1 --mem 512 -e GREETING=hello
status 0 "start" bottle-freeze start img
status 0 "exec writes files" bottle-freeze exec img -- sh -c 'echo hi > /root/a; echo work > /workspace/b'
status 127 "no such command" bottle-freeze exec img -- nosuch
status 42 "status 42" bottle-freeze exec img -- sh -c 'exit 42'
status 124 "--timeout passed" bottle-freeze exec --timeout 2s img -- sleep 30
equal secret "-e arrives" bottle-freeze exec -e V=secret img -- sh -c 'echo $V'
echo 'V=hunter3 x=y' > "$work/env"
equal "hunter3 x=y" "--env-file arrives" bottle-freeze exec --env-file "$work/env" img -- sh -c 'echo "$V"'
bottle-freeze exec --env-file "$work/env" img -- sleep 5 & until_runs 'machine exe[c] .*sleep 5'
equal 1 "while the engine runs a command" pgrep -fc 'machine exe[c] .*sleep 5'
equal 0 "the value is in no command line" bash -c 'cat /proc/*/cmdline 2>/dev/null | tr "\0" "\n" | grep -c "hunte[r]3" || true'
wait $!
status 137 "killed by SIGKILL" bottle-freeze exec img -- sh -c 'kill -9 $$'
equal from-stdin "-i passes stdin on" bash -c 'echo from-stdin | bottle-freeze exec -i img -- cat'
long='busybox yes $(printf %0200d 7) | busybox head -c 12000000'
equal "$(bash -c "$long" | md5sum)" "12 MB of output arrive complete" bash -c 'bottle-freeze exec img -- sh -c "$0" | md5sum' "$long"

scenario "an interrupted pack ends the engine's helper VM"
# helpers: print the processes of helper VMs that pack for bottle-freeze, and their folders.
helpers() {
  local process
  for process in /proc/[0-9]*; do
    tr '\0' ' ' 2> /dev/null < "$process/cmdline" | grep -q '_boot-vm ' || continue
    ! tr '\0' '\n' 2> /dev/null < "$process/environ" | grep '^TMPDIR=.*/[.]bottle-freeze-'
  done
  grep -ls '^pack-' ~/.cache/smolvm/vms/*/name
}
# freeze_until_it_runs: start a freeze; its process is $!.
freeze_until_it_runs() {
  bottle-freeze freeze img -o "$work/img.smolmachine" --yes > "$work/freeze.log" 2>&1 < /dev/null &
  until [ -n "$(helpers)" ] || ! kill -0 $! 2> /dev/null; do sleep 0.1; done
  verdict "$([ -n "$(helpers)" ] && echo yes)" "the helper VM runs" "$(cat "$work/freeze.log")"
}
freeze_until_it_runs
kill -INT $!; wait $!
verdict "$([ $? = 130 ] && echo yes)" "exit 130" "$(cat "$work/freeze.log")"
verdict "$([ -z "$(helpers)" ] && echo yes)" "it is gone, and its folder" "$(helpers)"
equal running "the VM is running again" state img

scenario "the next freeze ends the helper VM of a killed one, and is thawed"
freeze_until_it_runs
kill -KILL $!; wait $! 2> /dev/null
verdict "$([ -n "$(helpers)" ] && echo yes)" "the engine's helper VM still runs"
status 0 "freeze" bottle-freeze freeze img -o "$work/img.smolmachine" --yes
verdict "$([ -z "$(helpers)" ] && echo yes)" "it is gone, and its folder" "$(helpers)"
equal img.smolmachine "nothing else is left beside the snapshot" bash -c 'ls -A "$0" | grep smolmachine; ls -dA "$0"/.bottle-freeze-* 2> /dev/null || true' "$work"
status 0 "rm" bottle-freeze rm --yes img
status 0 "thaw: create --from" bottle-freeze create img2 --from "$work/img.smolmachine"
status 0 "thaw: start" bottle-freeze start img2
equal hello "the environment is there" bottle-freeze exec img2 -- sh -c 'echo $GREETING'
equal "$(printf 'hi\nwork')" "the files are there" bottle-freeze exec img2 -- cat /root/a /workspace/b
status 0 "rm" bottle-freeze rm --yes img2

scenario "an image is packed, and a VM is made from it"
status 0 "pack" bottle-freeze pack "$work/rootfs" -o "$work/base.smolmachine"
status 0 "create --from" bottle-freeze create base --from "$work/base.smolmachine" --cpus 1 --mem 512
status 0 "start" bottle-freeze start base
equal "root:x:0:0:root:/root:/bin/sh" "it has that image" bottle-freeze exec base -- cat /etc/passwd
status 0 "rm" bottle-freeze rm --yes base
