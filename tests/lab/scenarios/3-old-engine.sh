scenario "the same with smolvm 1.4.0"
export SMOLVM=/opt/smolvm/1.4.0/bin/smolvm HOME=$work/home-1.4.0
mkdir -p "$HOME"
status 0 "create" bottle-freeze create old --cpus 1 --mem 512 --storage 1 --overlay 1
status 0 "start" bottle-freeze start old
status 0 "exec writes files" bottle-freeze exec old -- sh -c 'echo hi > /root/a; echo work > /workspace/b'
status 42 "status 42" bottle-freeze exec old -- sh -c 'exit 42'
status 0 "freeze" bottle-freeze freeze old -o "$work/old.smolmachine" --yes
verdict "$([[ $out == *"will not hold /workspace"* ]] && echo yes)" "it says that /workspace is lost" "$out"
status 0 "thaw: create --from" bottle-freeze create old2 --from "$work/old.smolmachine"
status 0 "thaw: start" bottle-freeze start old2
equal hi "the file in /root is there" bottle-freeze exec old2 -- cat /root/a
status 0 "rm of the thawed one" bottle-freeze rm --yes old2

scenario "its /workspace is restored from the library"
status 0 "start" bottle-freeze start old
status 0 "freeze while it runs" bottle-freeze freeze old --yes
verdict "$([[ $out != *"will not hold"* ]] && echo yes)" "nothing is lost" "$out"
status 0 "thaw" bottle-freeze thaw old old3
equal "$(printf 'hi\nwork')" "the files are there" bottle-freeze exec old3 -- cat /root/a /workspace/b
status 0 "rm of both" bottle-freeze rm --yes old old3
unset SMOLVM; export HOME=/root
