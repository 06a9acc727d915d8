# Runs in the lab: the scenario that is named, each check a line, the count at the end.
# shellcheck shell=bash
export PATH=/lab:$PATH
passed=0 failed=0
work=$(mktemp -d)

scenario() { echo "== $*"; }

# verdict OK WHAT [DETAIL]: one line for a check. A VM whose VMM dies under a command, under this emulation, or is so slow
# that the engine gives up its boot (after 30 s), is no verdict on anything: the lab is given up, and begun again. What
# is really wrong with a VM is wrong in every lab.
verdict() {
  if [ "$1" != yes ] && [[ "${3:-}" =~ "io operation failed: connection closed"|"no boot progress for"|"did not become ready within" ]]; then
    echo "lab: the VM died or did not boot in time: $2: $3"
    diagnose
    dmesg | tail -n 20
    exit 125
  fi
  if [ "$1" = yes ]; then passed=$((passed + 1)); echo "ok    $2"
  else failed=$((failed + 1)); echo "FAIL  $2"; echo "${3:-}" | sed 's/^/      | /'; fi
}

# limited COMMAND...: run it. The longest takes a minute: one that takes four will not end.
limited() {
  local began=$SECONDS status
  if [ "$(type -t "$1")" = function ]; then "$@"; else timeout --foreground 240 "$@"; fi
  status=$?
  [ $((SECONDS - began)) -lt 240 ] || touch /lab/hung
  return "$status"
}

# diagnose: what the engine, its VMs and the machine are at.
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

# hung: what a command that did not end was waiting for.
hung() {
  echo "lab: this does not end: $*"
  diagnose
  exit 125
}

# status STATUS WHAT COMMAND...: the command exits so. Its output is in $out.
status() {
  local want=$1 what=$2 got
  shift 2
  out=$(limited "$@" 2>&1 < /dev/null)
  got=$?
  [ ! -e /lab/hung ] || hung "$@"
  verdict "$([ "$got" = "$want" ] && echo yes)" "$what" "status $got, not $want: $* : $out"
  # A VM that does not start: the engine's own words seldom tell why.
  if [ "$got" != "$want" ] && [[ "$*" == *" start "* ]]; then diagnose; fi
}

# equal WANT WHAT COMMAND...: the command succeeds, and prints so on stdout.
equal() {
  local want=$1 what=$2 got status
  shift 2
  got=$(limited "$@" 2> "$work/stderr" < /dev/null)
  status=$?
  [ ! -e /lab/hung ] || hung "$@"
  verdict "$([ "$status:$got" = "0:$want" ] && echo yes)" "$what" "status $status: $got $(cat "$work/stderr")"
}

# until_runs PATTERN: awaits a process with such a command line; bracket a letter, so that nothing finds itself.
until_runs() {
  for _ in $(seq 200); do ! pgrep -f "$1" > /dev/null || return 0; sleep 0.1; done
}

# state VM: the state that the engine's list tells.
state() { bottle-freeze ls --json | python3 -c 'import json, sys; print([m["state"] for m in json.load(sys.stdin) if m["name"] == sys.argv[1]][0])' "$1"; }

# vmm VM: the process of its VMM.
vmm() { bottle-freeze ls --json | python3 -c 'import json, sys; print([m["pid"] for m in json.load(sys.stdin) if m["name"] == sys.argv[1]][0])' "$1"; }

# rootfs FOLDER: a small Linux for an image VM, of Debian's static busybox.
rootfs() {
  mkdir -p "$1"/{bin,etc,root,tmp}
  cp /bin/busybox "$1/bin/"
  local name
  for name in sh ls cat echo sleep id env true false mkdir head ps kill pwd wc md5sum; do ln -s busybox "$1/bin/$name"; done
  echo 'root:x:0:0:root:/root:/bin/sh' > "$1/etc/passwd"
}

# shellcheck disable=SC1090
. "/lab/$1.sh"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
