# Follows "Install" in README, on a machine without the program and without an engine.
rm /usr/local/bin/smolvm
cp -r /lab/installed/. /usr/local/
PATH=${PATH#/lab:}
export SHELL=/bin/bash

# index FOLDER: answers as PyPI does (PEP 691) for the wheels in FOLDER.
index() {
  python3 - "$1" <<'PYTHON'
import hashlib, http.server, json, os, pathlib, sys
os.chdir(sys.argv[1])
files = [{"filename": it.name, "url": f"/{it.name}", "hashes": {"sha256": hashlib.sha256(it.read_bytes()).hexdigest()}, "size": it.stat().st_size}
         for it in pathlib.Path().glob("*.whl")]
class Index(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/simple/smolmachines/":
            return super().do_GET()
        page = json.dumps({"meta": {"api-version": "1.1"}, "name": "smolmachines", "files": files}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Index)
open("serving", "w").close()
server.serve_forever()
PYTHON
}

scenario "a new machine gets an engine"
status 13 "without an engine a freeze would not work" bottle-freeze doctor
verdict "$(grep -q 'bottle-freeze engine install' <<< "$out" && echo yes)" "doctor says how to get one" "$out"
status 13 "neither does ls" bottle-freeze ls
verdict "$(grep -q 'bottle-freeze engine install' <<< "$out" && echo yes)" "it says the same" "$out"
index /lab/wheel > "$work/index.log" 2>&1 &
for _ in $(seq 100); do [ ! -e /lab/wheel/serving ] || break; sleep 0.1; done
status 0 "engine install" env PIP_INDEX_URL=http://127.0.0.1:8000/simple bottle-freeze engine install
equal 1.32.2 "engine ls" bash -c 'bottle-freeze engine ls --json | python3 -c "import json, sys; print(json.load(sys.stdin)[0][\"version\"])"'
kill %1

scenario "completion is found"
echo 'source <(bottle-freeze completions bash)' >> ~/.bashrc
status 0 "doctor: a freeze would work" bottle-freeze doctor
verdict "$(grep -q '✓ completion' <<< "$out" && grep -q '✓ hypervisor' <<< "$out" && echo yes)" "KVM works, completion is installed" "$out"

scenario "a VM is frozen and thawed"
status 0 "create" bottle-freeze create dev --cpus 1 --mem 512
status 0 "start" bottle-freeze start dev
status 0 "exec" bottle-freeze exec dev -- sh -c 'echo "set up exactly right" > /root/notes'
status 0 "freeze, answered with y" /lab/pty y bottle-freeze freeze dev -t ready
# Calls the completion function in this user's bash as TAB does.
equal "dev@ready" "TAB offers the snapshot" bash -c '
  source ~/.bashrc
  complete=$(complete -p bottle-freeze) complete=${complete##*-F } complete=${complete%% *}
  COMP_WORDS=(bottle-freeze thaw dev@r) COMP_CWORD=2 COMP_TYPE=9 COMP_LINE="bottle-freeze thaw dev@r" COMP_POINT=24
  "$complete" bottle-freeze dev@r thaw && echo ${COMPREPLY[*]}'
status 0 "rm" bottle-freeze rm dev --yes
status 0 "thaw" bottle-freeze thaw dev@ready
equal "set up exactly right" "it has the file" bottle-freeze exec dev -- cat /root/notes
status 0 "rm" bottle-freeze rm dev --yes
