#compdef bottle-freeze
_bottle_freeze() {
    local line ret=1
    local -a whole partial
    for line in "${(@f)$(COMPLETE=zsh bottle-freeze -- "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2> /dev/null)}"; do
        case $line in
            w*) whole+=("${line[2,-1]}") ;;
            p*) partial+=("${line[2,-1]}") ;;
        esac
    done
    _describe -V candidates whole && ret=0
    _describe -V candidates partial -S '' && ret=0
    return ret
}
if [[ $funcstack[1] == _bottle-freeze ]]; then
    _bottle_freeze "$@"
else
    compdef _bottle_freeze bottle-freeze
fi
