# A VM of a whole Debian, in which packages are installed and removed: the lab's own system, without what takes long to copy.
image=$work/image
mkdir "$image"
tar -C / --one-file-system -cf - --exclude={./opt,./boot,./tmp,./lab,./var/cache,./usr/lib/modules} \
  --exclude=./usr/share/{doc,locale,man,zoneinfo} . | tar -C "$image" -xf -
mkdir -m 1777 "$image/tmp"
mkdir -p "$work"/hello/{DEBIAN,usr/bin,etc/hello}
printf '%s\n' 'Package: hello' 'Version: 1' 'Architecture: all' 'Maintainer: lab' 'Description: lab' > "$work/hello/DEBIAN/control"
printf '#!/bin/sh\necho hello\n' > "$work/hello/usr/bin/hello"
chmod 755 "$work/hello/usr/bin/hello"
echo hello > "$work/hello/etc/hello/conf"
dpkg-deb --build "$work/hello" "$image/root/hello.deb" > /dev/null

guest() { bottle-freeze exec "$1" -- sh -c "$2"; }
# files VM: every file that the guest sees on its root file system, with all that a thaw keeps.
files() {
  guest "$1" 'cd / && find . -xdev ! -type p ! -type c ! -type b ! -type s ! -path ./etc/resolv.conf ! -path ./etc/hosts \
    -printf "%P %y %u:%g %m %l\n" | LC_ALL=C sort; find . -xdev -type f ! -path ./etc/resolv.conf ! -path ./etc/hosts \
    -exec md5sum {} + | LC_ALL=C sort -k 2; dpkg -V; dpkg -l'
}

scenario "a Debian whose packages were changed is thawed as it was"
status 0 "create" bottle-freeze create deb --image "$image" --cpus 1 --mem 1024
status 0 "start" bottle-freeze start deb
status 0 "a package is installed" guest deb 'dpkg -i /root/hello.deb && rm /root/hello.deb'
status 0 "packages are removed" guest deb 'dpkg --purge --force-depends --force-remove-essential procps busybox-static'
equal hello "the new program runs" guest deb hello
status 0 "the guest's files" bash -c "$(declare -f guest files); files deb > $work/before"
status 0 "freeze" bottle-freeze freeze deb --yes --verbose
not_packed deb
status 0 "rm" bottle-freeze rm deb --yes
status 0 "thaw" bottle-freeze thaw deb
status 0 "the guest's files" bash -c "$(declare -f guest files); files deb > $work/after"
equal "" "they are those from before" diff "$work/before" "$work/after"
verdict "$([ "$(wc -l < "$work/before")" -gt 5000 ] && echo yes)" "there are thousands" "$(wc -l < "$work/before")"
equal hello "the new program runs" guest deb hello
status 0 "freeze" bash -c 'bottle-freeze freeze deb --yes --json > "$0"' "$work/frozen.json"
added=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["snapshot"]["artifact"]["added"])' "$work/frozen.json")
verdict "$([ "$added" -lt 4000000 ] && echo yes)" "a freeze of the thawed VM adds its changes only" "$added bytes"
