# Runs a scenario in the lab: prints a line for each check, and the count at the end.
# shellcheck shell=bash
export PATH=/lab:$PATH
passed=0 failed=0
work=$(mktemp -d)

scenario() { echo "== $*"; }

# verdict OK WHAT [DETAIL]: print the line of a check, with the seconds since the start. If a VMM dies during a command, or the emulation is so slow that the
# engine gives up the boot (after 30 s), the check proves nothing: the lab ends, and is started again. A real bug shows up
# in every lab.
verdict() {
  if [ "$1" != yes ] && [[ "${3:-}" =~ "io operation failed: connection closed"|"no boot progress for"|"did not become ready within" ]]; then
    echo "lab: the VM died or did not boot in time: $2: $3"
    diagnose
    dmesg | tail -n 20
    exit 125
  fi
  if [ "$1" = yes ]; then passed=$((passed + 1)); echo "ok    $2 ($SECONDS s)"
  else failed=$((failed + 1)); echo "FAIL  $2"; echo "${3:-}" | sed 's/^/      | /'; fi
}

# limited COMMAND...: run it. The longest takes a minute: one that takes four minutes hangs.
limited() {
  local began=$SECONDS status
  if [ "$(type -t "$1")" = function ]; then "$@"; else timeout --foreground 240 "$@"; fi
  status=$?
  [ $((SECONDS - began)) -lt 240 ] || touch /lab/hung
  return "$status"
}

# diagnose: print what the engine, its VMs and the machine are doing.
diagnose() {
  local pid
  ps axfo pid,ppid,stat,wchan:30,args | grep -v '\]$' | cut -c1-200
  for pid in $(pgrep -f 'smolvm|_boot-vm'); do
    echo "-- kernel stacks of $pid"
    cat "/proc/$pid"/task/*/stack
  done
  tail -n 20 "$HOME"/.cache/smolvm/vms/*/*.log
  free -m
} 2> /dev/null

# hung: print what a command that did not end was waiting for.
hung() {
  echo "lab: this command hangs: $*"
  diagnose
  exit 125
}

# status STATUS WHAT COMMAND...: the command exits with this status. Its output is in $out.
status() {
  local want=$1 what=$2 got
  shift 2
  out=$(limited "$@" 2>&1 < /dev/null)
  got=$?
  [ ! -e /lab/hung ] || hung "$@"
  verdict "$([ "$got" = "$want" ] && echo yes)" "$what" "status $got, not $want: $* : $out"
  # For a VM that does not start, the engine's message seldom says why.
  if [ "$got" != "$want" ] && [[ "$*" == *" start "* ]]; then diagnose; fi
}

# equal WANT WHAT COMMAND...: the command succeeds, and prints this on stdout.
equal() {
  local want=$1 what=$2 got status
  shift 2
  got=$(limited "$@" 2> "$work/stderr" < /dev/null)
  status=$?
  [ ! -e /lab/hung ] || hung "$@"
  verdict "$([ "$status:$got" = "0:$want" ] && echo yes)" "$what" "status $status: $got $(cat "$work/stderr")"
}

# until_runs PATTERN: wait for a process with this command line; put a letter in brackets, so that pgrep does not find itself.
until_runs() {
  for _ in $(seq 200); do ! pgrep -f "$1" > /dev/null || return 0; sleep 0.1; done
}

# state VM: its state in the engine's list.
state() { bottle-freeze ls --json | python3 -c 'import json, sys; print([m["state"] for m in json.load(sys.stdin) if m["name"] == sys.argv[1]][0])' "$1"; }

# vmm VM: the process id of its VMM.
vmm() { bottle-freeze ls --json | python3 -c 'import json, sys; print([m["pid"] for m in json.load(sys.stdin) if m["name"] == sys.argv[1]][0])' "$1"; }

# not_packed VM: check that the freeze before, with --verbose, read the disks of the VM, and the engine did not pack it.
not_packed() {
  verdict "$([[ $out == *"reading the disks of $1"* && $out != *"the engine packs"* ]] && echo yes)" "its disk is read, without the engine" "$out"
}

# rootfs FOLDER: create a small Linux for an image VM, from Debian's static busybox.
rootfs() {
  mkdir -p "$1"/{bin,etc,root,tmp}
  cp /bin/busybox "$1/bin/"
  local name
  for name in sh ls cat echo sleep id env true false mkdir head ps kill pwd wc md5sum; do ln -s busybox "$1/bin/$name"; done
  echo 'root:x:0:0:root:/root:/bin/sh' > "$1/etc/passwd"
}

# changeable_rootfs FOLDER: the same, with the programs that guest-files runs, and the files that it changes.
changeable_rootfs() {
  rootfs "$1"
  local name
  for name in chmod chown cp dd ln mkfifo mknod mv printf rm sync tar; do ln -s busybox "$1/bin/$name"; done
  mkdir -p "$1"/etc/{conf.d,periodic/daily}
  for name in motd shells conf.d/old periodic/daily/old; do echo "$name" > "$1/etc/$name"; done
}

# shellcheck disable=SC1090
. "/lab/$1.sh"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
