folders="etc home opt root srv var"
# guest STEP: have the guest make files, or change them.
guest() { bottle-freeze exec -i dev -- sh -s "$1" < /lab/guest-files; }
# save NAME: what the guest has in its folders, as tars.
save() {
  # shellcheck disable=SC2086
  bottle-freeze exec dev -- tar -C / -cf - $folders > "$work/$1.tar" &&
    bottle-freeze exec dev -- tar -C /storage -cf - workspace > "$work/$1-workspace.tar"
}
# same SNAPSHOT NAME: it has the files that the guest had when these were saved.
same() {
  status 0 "snapshot files -r" bash -c 'bottle-freeze snapshot files "$0" -r --json > "$1"' "$1" "$work/files.json"
  equal "" "they are those of the guest" /lab/contents.py files "$work/files.json" "$work/$2"{,-workspace}.tar
  equal "$sums" "snapshot cat" bash -c 'for file in /srv/sparse /srv/random /workspace/b; do
    bottle-freeze snapshot cat "$0:$file" | md5sum | cut -c1-32; done' "$1"
}
# folder SNAPSHOT: its folder in the library.
folder() { bottle-freeze snapshot show "$1" --json | python3 -c 'import json, os, sys; it = json.load(sys.stdin)
print(os.path.expanduser("~/.local/share/bottle-freeze/snapshots/{vm}/{id}".format(**it)))'; }
# mark TEXT: have the guest write it to both disks, 350,000 times, and delete it.
mark() {
  bottle-freeze exec dev -- sh -c 'yes "MARKER-$0" | head -c 3000000 > /media/gone; cp /media/gone /storage/gone; sync
    rm /media/gone /storage/gone; sync' "$1"
}
# marks SNAPSHOT|FILE TEXT: print how much of that is in its disks. Where the guest trims a qcow2 disk, smolvm frees whole
# clusters of 64 KiB: of a file, its ends may stay.
marks() {
  local count
  [ -f "$1" ] && count=$(/lab/contents.py deleted "$1" "MARKER-$2") || count=$(/lab/contents.py deleted "$(folder "$1")" "MARKER-$2")
  if [ "$count" = 0 ]; then echo none; elif [ "$count" -lt 20000 ]; then echo ends; else echo all; fi
}
scenario "the files in a snapshot are those that the guest sees"
status 0 "create" bottle-freeze create dev --cpus 1 --mem 256
status 0 "start" bottle-freeze start dev
status 0 "files are made" guest before
status 0 "the guest's files" save before
status 0 "freeze" bottle-freeze freeze dev -t before --yes --restart
status 0 "files are changed" guest after
status 0 "the guest's files" save after
sums=$(bottle-freeze exec dev -- md5sum /srv/sparse /srv/random /workspace/b | cut -c1-32)
programs=$(bottle-freeze exec dev -- find /bin /lib /sbin /usr | LC_ALL=C sort | md5sum)
status 0 "a deleted text" mark stopped
status 0 "stop" bottle-freeze stop dev
status 0 "freeze --no-trim" bottle-freeze freeze dev --no-trim -t kept
equal all "it has what was deleted" marks dev@kept stopped
status 0 "freeze" bottle-freeze freeze dev -t after
equal none "it does not have what was deleted" marks dev@after stopped
equal "" "its file systems are whole" /lab/contents.py fsck "$(folder dev@after)"
same dev@after after
mkdir "$work/copy"
for folder in $folders workspace; do status 0 "cp of /$folder" bottle-freeze cp "dev@after:/$folder" "$work/copy/$folder"; done
equal "" "the copies are those of the guest" /lab/contents.py copy "$work/copy" "$work"/after{,-workspace}.tar
equal "$programs" "the engine's own files" bash -c 'for folder in /bin /lib /sbin /usr; do
  echo $folder; bottle-freeze snapshot files dev@after $folder -r; done | LC_ALL=C sort | md5sum'
status 0 "snapshot diff" bash -c 'bottle-freeze snapshot diff dev@before dev@after --json > "$0"' "$work/diff.json"
equal "" "it is what the guest changed" /lab/contents.py diff "$work/diff.json" \
  "$work"/before{,-workspace}.tar -- "$work"/after{,-workspace}.tar

scenario "a scrubbed copy starts, and has empty files"
status 0 "export --scrub" bottle-freeze snapshot export dev@after -o "$work/clean.tar" --scrub ssh-host-keys,machine-id,history
status 0 "import" bottle-freeze snapshot import "$work/clean.tar" --as clean
equal "" "its file systems are whole" /lab/contents.py fsck "$(folder clean)"
status 0 "thaw" bottle-freeze thaw clean
equal 0000 "the files are empty" bottle-freeze exec clean -- sh -c '
  for file in /etc/ssh/ssh_host_ed25519_key /etc/machine-id /root/.ash_history /workspace/.bash_history; do wc -c < $file; done | tr -d "\n"'
equal "$sums" "the others are as they were" bash -c 'bottle-freeze exec clean -- md5sum /srv/sparse /srv/random /workspace/b | cut -c1-32'
status 0 "rm" bottle-freeze rm clean --yes

scenario "a live snapshot has the same files"
status 0 "start" bottle-freeze start dev
# After a restart, the guest shows one of the engine's files as another one, which was changed before.
folders="opt root srv"
status 0 "the guest's files" save live
status 0 "freeze --live" bottle-freeze freeze dev --live -t live
same dev@live live

scenario "a file that the engine packs has nothing deleted"
status 0 "rm" bottle-freeze rm dev --yes
# The engine takes minutes to pack disks of the default size here.
status 0 "create" bottle-freeze create dev --cpus 1 --mem 256 --storage 1 --overlay 1
status 0 "start" bottle-freeze start dev
status 0 "a deleted text" mark packed
status 0 "freeze -o" bottle-freeze freeze dev -o "$work/dev.smolmachine" --yes
found=$(marks "$work/dev.smolmachine" packed)
verdict "$([[ $found =~ ^(none|ends)$ ]] && echo yes)" "it does not have what was deleted" "$found"

scenario "a start alone is no change"
status 0 "start" bottle-freeze start dev
status 0 "freeze --restart" bottle-freeze freeze dev --yes --restart
status 0 "freeze --if-changed" bottle-freeze freeze dev --yes --restart --if-changed
verdict "$([[ $out == *"dev is unchanged since"* ]] && echo yes)" "it is unchanged" "$out"
status 0 "a file is touched" bottle-freeze exec dev -- touch /srv/touched
status 0 "freeze --if-changed" bottle-freeze freeze dev --yes --if-changed
verdict "$([[ $out == *"froze dev as"* ]] && echo yes)" "it is not unchanged" "$out"
status 0 "rm" bottle-freeze rm dev --yes
