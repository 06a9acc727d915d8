folders="bin etc opt root srv workspace"
# guest STEP: have the guest make files, or change them.
guest() { bottle-freeze exec -i img -- sh -s "$1" < /lab/guest-files; }
# save NAME: what the guest has in its folders, as a tar.
# shellcheck disable=SC2086
save() { bottle-freeze exec img -- tar -C / -cf - $folders > "$work/$1.tar"; }

scenario "the files in the snapshot of an image VM are those that the guest sees"
changeable_rootfs "$work/rootfs"
status 0 "create" bottle-freeze create img --image "$work/rootfs" --cpus 1 --mem 512
status 0 "start" bottle-freeze start img
status 0 "files are made" guest before
status 0 "the guest's files" save before
status 0 "freeze" bottle-freeze freeze img -t before --yes --restart
status 0 "files are changed" guest after
status 0 "the guest's files" save after
sums=$(bottle-freeze exec img -- md5sum /srv/sparse /srv/random /workspace/b | cut -c1-32)
status 0 "freeze" bottle-freeze freeze img -t after --yes --verbose
not_packed img
status 0 "snapshot files -r" bash -c 'bottle-freeze snapshot files img@after -r --json > "$0"' "$work/files.json"
equal "" "they are those of the guest" /lab/contents.py files "$work/files.json" "$work/after.tar"
mkdir "$work/copy"
for folder in $folders; do status 0 "cp of /$folder" bottle-freeze cp "img@after:/$folder" "$work/copy/$folder"; done
equal "" "the copies are those of the guest" /lab/contents.py copy "$work/copy" "$work/after.tar"
equal "$sums" "snapshot cat" bash -c 'for file in /srv/sparse /srv/random /workspace/b; do
  bottle-freeze snapshot cat "img@after:$file" | md5sum | cut -c1-32; done'
status 0 "snapshot diff" bash -c 'bottle-freeze snapshot diff img@before img@after --json > "$0"' "$work/diff.json"
equal "" "it is what the guest changed" /lab/contents.py diff "$work/diff.json" "$work/before.tar" -- "$work/after.tar"
status 0 "rm" bottle-freeze rm img --yes

scenario "a scrubbed copy of it starts, and has empty files"
status 0 "export --scrub" bottle-freeze snapshot export img@after -o "$work/clean.tar" --scrub ssh-host-keys,machine-id,history
status 0 "import" bottle-freeze snapshot import "$work/clean.tar" --as clean
status 0 "thaw" bottle-freeze thaw clean
equal 0000 "the files are empty" bottle-freeze exec clean -- sh -c '
  for file in /etc/ssh/ssh_host_ed25519_key /etc/machine-id /root/.ash_history /workspace/.bash_history; do wc -c < $file; done | busybox tr -d "\n"'
equal "$sums" "the others are as they were" bash -c 'bottle-freeze exec clean -- md5sum /srv/sparse /srv/random /workspace/b | cut -c1-32'
status 0 "rm" bottle-freeze rm clean --yes
