# uv through torchsel, for bash. In a project whose pyproject.toml speaks of torchsel, the commands that need
# this machine's torch go through torchsel; all others, and all elsewhere, are uv's own. Off: TORCHSEL_DISABLE=1
if [[ $(type -t uv) == function && $(declare -f uv) != *'command torchsel'* ]]; then
    printf '%s\n' "torchsel: your own function 'uv' is left as it is, so the hook is not in place; take yours out to have it" >&2
else

__torchsel_wanted() {
    local word command= skip= folder=${PWD-} text=
    case ${TORCHSEL_DISABLE-} in '' | 0 | false) ;; *) return 1 ;; esac
    for word in "$@"; do
        if [[ -n $skip ]]; then skip=; continue; fi
        case $word in
            @VALUES@) skip=1 ;;
            @FLAGS@ | --*=*) ;;
            *) command=$word; break ;;
        esac
    done
    case $command in
        @COMMANDS@ | -*) ;;
        *) return 1 ;;
    esac
    [[ -z ${UV_PROJECT-}${UV_WORKING_DIR-}${UV_WORKING_DIRECTORY-} ]] || return 0
    case $* in *--project* | *--directory*) return 0 ;; esac
    [[ $folder == /* ]] || return 0
    while :; do
        if [[ -f $folder/pyproject.toml && -r $folder/pyproject.toml ]]; then
            IFS= read -r -d '' text <"$folder/pyproject.toml"
            case $text in *torchsel*) return 0 ;; esac
        fi
        [[ -n $folder ]] || return 1
        folder=${folder%/*}
    done
}

# exported to a child without the other function, it leaves all to torchsel
function uv {
    if declare -F __torchsel_wanted >/dev/null && ! __torchsel_wanted "$@"; then
        command uv "$@"
    elif command -v torchsel >/dev/null; then
        command torchsel --hooked uv "$@"
    else
        printf '%s\n' "torchsel: not on PATH any more, so this is plain uv; install it again, or take the hook out" >&2
        command uv "$@"
    fi
}

fi
