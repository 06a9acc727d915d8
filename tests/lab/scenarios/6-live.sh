scenario "a VM is frozen while it runs, and thawed with its processes"
status 0 "create" bottle-freeze create dev --cpus 1 --mem 256 --label team=a
status 0 "start" bottle-freeze start dev
# On tmpfs: no disk holds it.
status 0 "a process counts" bottle-freeze exec dev -- sh -c '
  mkdir -p /tmp; (i=0; while :; do i=$((i+1)); echo $i > /tmp/count; sleep 1; done) > /dev/null 2>&1 < /dev/null &'
until_counts() { for try in $(seq 60); do [ "$(count "$1")" -gt "$2" ] && break; sleep 0.5; done; }
count() { bottle-freeze exec "$1" -- cat /tmp/count 2> /dev/null || echo 0; }
until_counts dev 2
pid=$(vmm dev)
status 0 "freeze --live, without a question" bottle-freeze freeze dev --live -t live
verdict "$([[ $out == *"paused for"* ]] && echo yes)" "it tells the pause" "$out"
equal "$pid" "the same VMM runs" vmm dev
after=$(count dev)
until_counts dev "$after"
verdict "$([ "$(count dev)" -gt "$after" ] && echo yes)" "the process goes on" "$after, $(count dev)"
equal vm.checkpoint "it is a live snapshot" bash -c "bottle-freeze snapshot show dev@live |
  python3 -c 'import json, sys; print(*json.load(sys.stdin)[\"files\"])'"
status 0 "verify" bottle-freeze snapshot verify dev
status 0 "stop of the source" bottle-freeze stop dev
status 0 "thaw" bottle-freeze thaw dev@live dev2
began=$(count dev2)
verdict "$([ "$began" -ge 2 ] && [ "$began" -le $((after + 20)) ] && echo yes)" "it counts on from there" "$began, frozen at about $after"
until_counts dev2 "$began"
verdict "$([ "$(count dev2)" -gt "$began" ] && echo yes)" "and further" "$began, $(count dev2)"
equal "{'team': 'a'}" "the label came along" bash -c 'bottle-freeze ls --json |
  python3 -c "import json, sys; print([m[\"labels\"] for m in json.load(sys.stdin) if m[\"name\"] == \"dev2\"][0])"'

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
verdict "$([ "$(count dev2)" -gt "$before" ] && echo yes)" "its process goes on" "$before, $(count dev2)"

scenario "several VMs are frozen side by side"
status 0 "start" bottle-freeze start dev
status 0 "freeze --all" bottle-freeze freeze --all -j 2 --yes
equal "$(printf 'stopped\nstopped')" "both are stopped" bash -c 'bottle-freeze ls --json |
  python3 -c "import json, sys; [print(m[\"state\"]) for m in json.load(sys.stdin)]"'
status 0 "verify" bottle-freeze snapshot verify --all
status 0 "rm --all" bottle-freeze rm --all --yes
