"""A script that a user would write instead, with subprocess: bench/run compares bottle-freeze with it."""
import json
import subprocess
import sys


def smolvm(*words):
    done = subprocess.run(["smolvm", *words], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"smolvm {' '.join(words)}: {done.stderr}")
    return done.stdout


command, *words = sys.argv[1:]
if command == "ls":
    for vm in sorted(json.loads(smolvm("machine", "ls", "--json")), key=lambda vm: vm["name"]):
        print(f"{vm['name']:20} {vm['state']:10} {vm['cpus']:4} {vm['memory_mib']:6}")
elif command == "stop":
    smolvm("machine", "stop", "--name", words[0])
    print(f"{words[0]} is stopped")
elif command == "exec":
    sys.exit(subprocess.run(["smolvm", "machine", "exec", "--name", words[0], "--", *words[1:]]).returncode)
