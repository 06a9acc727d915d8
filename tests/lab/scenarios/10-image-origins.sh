# Image VMs of a user other than root: what root unpacks of an artifact, the engine unpacks without set-user-id.
bf=(setpriv --reuid 1000 --regid 1000 --clear-groups bottle-freeze)
export HOME=/home/dev
echo "dev:x:1000:1000::$HOME:/bin/sh" >> /etc/passwd
install -d -o 1000 -g 1000 "$HOME"
chmod 666 /dev/kvm
chmod a+rx /lab "$work"

folders="etc opt root srv workspace"
# save VM NAME: what its guest has in its folders, as a tar.
# shellcheck disable=SC2086
save() { "${bf[@]}" exec "$1" -- tar -C / -cf - $folders > "$work/$2.tar"; }
# image: what the image has there, as such a tar.
# shellcheck disable=SC2086
image() { tar -C "$work/image" -cf "$work/image.tar" $folders; }
# guest VM STEP: have its guest make files, or change them; the large ones, which 9-image-contents compares, take too long here.
guest() { cat /lab/guest-files - <<< 'rm -f /srv/random /srv/sparse' | "${bf[@]}" exec -i "$1" -- sh -s "$2"; }
# difference VM: what its guest changed in the image, as its snapshot has it.
difference() { "${bf[@]}" snapshot diff "$1" --image --json > "$work/diff.json"; }
# round_trip VM OPTION...: make a VM with these options from the image. Its guest changes files; it is frozen and thawed.
round_trip() {
  status 0 "create" "${bf[@]}" create "$@" --cpus 1 --mem 512
  status 0 "start" "${bf[@]}" start "$1"
  status 0 "files are made" guest "$1" workspace
  status 0 "files are changed" guest "$1" after
  status 0 "the guest's files" save "$1" changed
  status 0 "freeze" "${bf[@]}" freeze "$1" --yes --verbose
  not_packed "$1"
  status 0 "snapshot diff --image" difference "$1"
  equal "" "it is what the guest changed" /lab/contents.py diff "$work/diff.json" "$work/image.tar" -- "$work/changed.tar"
  status 0 "rm" "${bf[@]}" rm "$1" --yes
  status 0 "thaw" "${bf[@]}" thaw "$1"
  status 0 "the guest's files" save "$1" thawed
  equal "" "they are those from before" /lab/contents.py same "$work/changed.tar" "$work/thawed.tar"
  status 0 "rm" "${bf[@]}" rm "$1" --yes
}

# An image of root's, with files that another one owns, or that run as another one.
changeable_rootfs "$work/image"
mkdir -m 1777 "$work/image/workspace"
chroot "$work/image" sh -s image < /lab/guest-files
echo program > "$work/image/opt/as-root"
chmod 6755 "$work/image/opt/as-root"
chown 999:998 "$work/image/opt/same"
# As `setcap cap_net_bind_service=ep` does.
python3 -c 'import os, sys; os.setxattr(sys.argv[1], "security.capability", bytes.fromhex("0100000200040000" + 24 * "0"))' \
  "$work/image/opt/as-root"
image

scenario "a VM of a folder"
round_trip folder --image "$work/image"

scenario "a VM of an artifact"
status 0 "pack" "${bf[@]}" pack "$work/image" -o "$HOME/base.smolmachine"
round_trip artifact --from "$HOME/base.smolmachine"

# The guest of the next one pulls from a registry here, but not from 127.0.0.1.
crane=/opt/smolvm/1.32.2/agent-rootfs/usr/local/bin/crane
ip address add 10.9.8.7/32 dev lo
printf '%s\n' 'version: 0.1' storage: '  filesystem:' '    rootdirectory: /tmp/registry' http: '  addr: :5000' > "$work/registry.yml"
/lab/docker-registry serve "$work/registry.yml" > "$work/registry.log" 2>&1 &
for _ in $(seq 100); do ! "$crane" catalog --insecure 127.0.0.1:5000 > /dev/null 2>&1 || break; sleep 0.1; done
tar -C "$work/image" -cf "$work/layer-1.tar" .
# A second layer: a file that is gone, a folder that was replaced, and a file that was changed.
mkdir -p "$work"/layer/{etc/conf.d,opt}
: > "$work/layer/opt/.wh.dangling"
: > "$work/layer/etc/conf.d/.wh..wh..opq"
echo two | tee "$work"/layer/etc/{conf.d/two,shells} > /dev/null
tar -C "$work/layer" -cf "$work/layer-2.tar" .
rm -r "$work"/image/{opt/dangling,etc/conf.d} "$work"/layer/{opt,etc/conf.d/.wh*}
cp -a "$work/layer/." "$work/image"
image
status 0 "push" "$crane" append --insecure -t 127.0.0.1:5000/img:1 -f "$work/layer-1.tar" -f "$work/layer-2.tar"
status 0 "its settings" "$crane" mutate --insecure 127.0.0.1:5000/img:1 -t 127.0.0.1:5000/img:2 -e PATH=/bin --entrypoint /bin/sleep --cmd 1000
status 0 "pull" "$crane" pull --insecure 127.0.0.1:5000/img:2 "$work/archive.tar"
chmod a+r "$work/archive.tar"

scenario "a VM of a registry's image"
round_trip registry --image 10.9.8.7:5000/img:2 --net

scenario "a VM of an archive"
# Of an archive, the engine does not empty the folder that the second layer replaces.
echo conf.d/old > "$work/image/etc/conf.d/old"
image
round_trip archive --image "$work/archive.tar"
kill %1
