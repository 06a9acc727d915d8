scenario "a VM is frozen while it runs, and thawed with its processes"
status 0 "create" bottle-freeze create dev --cpus 1 --mem 256 --label team=a
status 0 "start" bottle-freeze start dev
# On tmpfs, so that it is on no disk.
status 0 "a process counts" bottle-freeze exec dev -- sh -c '
  mkdir -p /tmp; (i=0; while :; do i=$((i+1)); echo $i > /tmp/count; sleep 1; done) > /dev/null 2>&1 < /dev/null &'
until_counts() { for _ in $(seq 60); do [ "$(count "$1")" -gt "$2" ] && break; sleep 0.5; done; }
count() { bottle-freeze exec "$1" -- cat /tmp/count 2> /dev/null || echo 0; }
until_counts dev 2
pid=$(vmm dev)
status 0 "freeze --live, without a question" bottle-freeze freeze dev --live -t live
verdict "$([[ $out == *"paused for"* ]] && echo yes)" "it reports the pause" "$out"
equal "$pid" "the same VMM runs" vmm dev
after=$(count dev)
until_counts dev "$after"
verdict "$([ "$(count dev)" -gt "$after" ] && echo yes)" "the process continues" "$after, $(count dev)"
# of KEY [SNAPSHOT]: what a snapshot.json says about the chunks of the artifact.
of() { bottle-freeze snapshot show "${2:-dev@live}" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["artifact"][sys.argv[1]])' "$1"; }
equal True "it is a live snapshot" of live
status 0 "verify" bottle-freeze snapshot verify dev
status 0 "5 MiB more" bottle-freeze exec dev -- sh -c 'dd if=/dev/urandom of=/root/more bs=1M count=5 2> /dev/null; sync'
status 0 "freeze --live again" bottle-freeze freeze dev --live -t second
echo "      $out; it added $(of added dev@second) bytes after $(of added)"
verdict "$([ "$(of added dev@second)" -lt $(($(of added) / 2)) ] && echo yes)" "it adds what changed" "$(of added dev@second), $(of added)"
status 0 "rm of the first" bottle-freeze snapshot rm dev@live --yes
status 0 "verify" bottle-freeze snapshot verify dev
after=$(count dev)
status 0 "export" bottle-freeze snapshot export dev@second -o "$work/second.tar" --allow-secrets
status 0 "stop of the source" bottle-freeze stop dev
status 0 "thaw of the second" bottle-freeze thaw dev@second dev2
equal 5242880 "its file is there" bottle-freeze exec dev2 -- stat -c %s /root/more
began=$(count dev2)
verdict "$([ "$began" -ge 2 ] && [ "$began" -le $((after + 20)) ] && echo yes)" "it continues from there" "$began, frozen at about $after"
until_counts dev2 "$began"
verdict "$([ "$(count dev2)" -gt "$began" ] && echo yes)" "and keeps counting" "$began, $(count dev2)"
equal "{'team': 'a'}" "the label is there" bash -c 'bottle-freeze ls --json |
  python3 -c "import json, sys; print([m[\"labels\"] for m in json.load(sys.stdin) if m[\"name\"] == \"dev2\"][0])"'

scenario "checkpoints of the engine are imported with their history"
cd "$work" || exit
for text in one two; do
  status 0 "a file" bottle-freeze exec dev2 -- sh -c "echo $text > /root/text; sync"
  status 0 "checkpoint" smolvm machine checkpoint --name dev2 --store store --output "$text.checkpoint"
done
status 0 "export with the history" smolvm machine checkpoint --export-from two.checkpoint --output history.checkpoint
status 0 "import of the folder" bottle-freeze snapshot import two.checkpoint --as folder
status 0 "import of the file" bottle-freeze snapshot import history.checkpoint --as file
rm -rf store ./*.checkpoint
first() { bottle-freeze snapshot ls "$1" --json | python3 -c 'import json, sys; all = json.load(sys.stdin); print(all[0]["id"] if len(all) == 2 else all)'; }
for vm in folder file; do
  status 0 "thaw of the earlier one" bottle-freeze thaw "$vm@$(first "$vm")" "$vm"
  equal one "its file is there" bottle-freeze exec "$vm" -- cat /root/text
  status 0 "rm" bottle-freeze rm "$vm" --yes
done
cd /

scenario "hooks run in the guest and on the host"
status 0 "freeze with hooks" bottle-freeze freeze dev2 --live --pre-freeze 'guest:echo in > /tmp/hook' \
  --post-freeze "host:echo \$BOTTLE_FREEZE_VM \$BOTTLE_FREEZE_STATUS > '$work/hook'" --post-freeze 'guest:echo out >> /tmp/hook'
equal "$(printf 'in\nout')" "those in the guest ran around it" bottle-freeze exec dev2 -- cat /tmp/hook
equal "dev2 0" "the one on the host got the name and status" cat "$work/hook"
rm -f "$work/hook"
status 14 "one that fails ends the freeze" bottle-freeze freeze dev2 --yes --pre-freeze 'guest:exit 3'
status 14 "one that hangs ends it after the timeout" bottle-freeze freeze dev2 --yes --hook-timeout 3s --pre-freeze 'guest:sleep 777'
equal 0 "and is killed in the guest" bottle-freeze exec dev2 -- sh -c '
  for try in 1 2 3 4 5; do ps | grep -q "[7]77" || break; sleep 1; done; ps | grep -c "[7]77" || true'
equal running "it still runs" state dev2

scenario "what cannot be frozen live"
status 5 "a stopped VM" bottle-freeze freeze dev --live
rootfs "$work/rootfs"
status 0 "create of an image VM" bottle-freeze create img --image "$work/rootfs" --cpus 1 --mem 256
status 0 "start" bottle-freeze start img
status 5 "a VM with image layers on the host" bottle-freeze freeze img --live
equal running "it still runs" state img
status 0 "rm" bottle-freeze rm --yes img

scenario "a VM is paused and resumed"
before=$(count dev2)
status 0 "pause" bottle-freeze pause dev2
equal paused "it is paused" state dev2
status 0 "resume" bottle-freeze resume dev2
until_counts dev2 "$before"
verdict "$([ "$(count dev2)" -gt "$before" ] && echo yes)" "its process continues" "$before, $(count dev2)"

scenario "several VMs are frozen in parallel"
status 0 "start" bottle-freeze start dev
status 0 "freeze --all" bottle-freeze freeze --all -j 2 --yes
equal disks "the thawed one is read, without the engine" bash -c 'bottle-freeze snapshot show dev2 --json |
  python3 -c "import json, sys; print(json.load(sys.stdin)[\"way\"])"'
equal "$(printf 'stopped\nstopped')" "both are stopped" bash -c 'bottle-freeze ls --json |
  python3 -c "import json, sys; [print(m[\"state\"]) for m in json.load(sys.stdin)]"'
status 0 "verify" bottle-freeze snapshot verify --all
status 0 "rm --all" bottle-freeze rm --all --yes
