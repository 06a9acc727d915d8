_bottle_freeze() {
    COMPREPLY=()
    local candidate
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <(COMPLETE=bash _BOTTLE_FREEZE_WORD="$2" bottle-freeze -- "${COMP_LINE:0:COMP_POINT}" 2> /dev/null)
}
if ((BASH_VERSINFO[0] > 4 || (BASH_VERSINFO[0] == 4 && BASH_VERSINFO[1] >= 4))); then
    complete -o nospace -o nosort -F _bottle_freeze bottle-freeze
else
    complete -o nospace -F _bottle_freeze bottle-freeze
fi
