scenario "a VM comes back from the library as it was frozen"
status 0 "create" bottle-freeze create dev --cpus 2 --mem 512 --storage 3 --overlay 3 --label team=a \
  -e GREETING=hello --allow-cidr 10.0.0.0/8 -p 8080:80
status 0 "start" bottle-freeze start dev
status 0 "exec writes files" bottle-freeze exec dev -- sh -c 'echo hi > /root/a; echo work > /workspace/b'
disks='cat /proc/partitions | grep vd; nproc; cat /root/a /workspace/b; echo $GREETING'
before=$(bottle-freeze exec dev -- sh -c "$disks")
status 0 "freeze into the library" bottle-freeze freeze dev --yes -t ready -m 'set up'
equal disks "from its disks, without the engine's pack" bash -c 'bottle-freeze snapshot show dev@ready --json |
  python3 -c "import json, sys; print(json.load(sys.stdin)[\"way\"])"'
status 0 "rm" bottle-freeze rm --yes dev
status 0 "thaw" bottle-freeze thaw dev@ready
equal "$before" "the same disks, cpus, files and environment" bottle-freeze exec dev -- sh -c "$disks"
equal "{'team': 'a'} 2 3 3 ['10.0.0.0/8'] 1" "the same label, sizes, network and ports" bash -c 'bottle-freeze ls --json |
  python3 -c "import json, sys; m = json.load(sys.stdin)[0]; print(m[\"labels\"], m[\"cpus\"], m[\"storage_gb\"], m[\"overlay_gb\"], m[\"allowed_cidrs\"], m[\"ports\"])"'

scenario "three snapshots are pruned to one; it is exported, imported and thawed"
status 0 "stop" bottle-freeze stop dev
status 0 "a second one" bottle-freeze freeze dev -m second
status 0 "a third one" bottle-freeze freeze dev -m third
status 0 "prune to one" bottle-freeze snapshot prune dev --keep-last 1 --tag ready --yes
equal 1 "one is left" bash -c 'bottle-freeze snapshot ls -q | wc -l'
status 0 "export" bottle-freeze snapshot export dev -o "$work/dev.tar"
rm -r ~/.local/share/bottle-freeze/snapshots
status 0 "import" bottle-freeze snapshot import "$work/dev.tar"
status 0 "verify" bottle-freeze snapshot verify --all
status 6 "the network and ports of an imported one require confirmation" bottle-freeze thaw dev other
given=(--allow-cidr 10.0.0.0/8 -p 8080:80)
status 0 "thaw beside the old one" bottle-freeze thaw dev other "${given[@]}"
status 0 "replace it with an older one" bottle-freeze thaw dev other --replace --yes "${given[@]}"
equal 2 "the replaced one is kept" bash -c 'bottle-freeze snapshot ls -q | wc -l'
equal "$before" "the same disks, cpus and files" bottle-freeze exec other -- sh -c "$disks"
status 0 "rm of both" bottle-freeze rm --yes dev other

scenario "five generations: each VM is thawed from the snapshot of the one before, and changed"
status 0 "create" bottle-freeze create line --cpus 1 --mem 512 --storage 1 --overlay 1
status 0 "start" bottle-freeze start line
# Prints each file of the guest that the generations change, with its checksum.
tree='cd / && find root workspace -type f | sort | xargs sha256sum'
for generation in 1 2 3 4 5; do
  status 0 "generation $generation: files are made, changed and deleted" bottle-freeze exec line -- sh -c "
    rm -rf /root/folder-$((generation - 1)) /root/once-$((generation - 2))
    mkdir /root/folder-$generation && echo $generation > /root/folder-$generation/file && echo $generation > /root/once-$generation
    echo $generation >> /root/log && echo $generation >> /workspace/log && head -c 1000000 /dev/urandom > /workspace/noise"
  before=$(bottle-freeze exec line -- sh -c "$tree")
  status 0 "generation $generation: freeze" bottle-freeze freeze line --yes
  status 0 "generation $generation: rm" bottle-freeze rm --yes line
  status 0 "generation $generation: thaw" bottle-freeze thaw line
  equal "$before" "generation $generation: the same files" bottle-freeze exec line -- sh -c "$tree"
done
equal 5 "five snapshots, each the child of the one before" bash -c 'bottle-freeze snapshot ls line --tree | grep -c line@'
status 0 "every snapshot is whole" bottle-freeze snapshot verify --all
status 0 "rm" bottle-freeze rm --yes line
