#!/bin/sh
self=$(readlink -f "$0")
engine=${self%/bin/smolvm}
# Run by root, the engine gives each VMM a uid of its own, which often cannot open /dev/kvm.
if [ "$(id -u)" = 0 ]; then export SMOLVM_VM_UID_DROP="${SMOLVM_VM_UID_DROP-off}"; fi
export SMOLVM_LIB_DIR="$engine" SMOLVM_AGENT_ROOTFS="$engine/agent-rootfs"
exec "$engine/smolvm" "$@"
