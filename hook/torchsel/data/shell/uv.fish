# uv through torchsel, for fish. In a project whose pyproject.toml speaks of torchsel, the commands that need
# this machine's torch go through torchsel; all others, and all elsewhere, are uv's own. Off: TORCHSEL_DISABLE=1
if functions -q uv; and not functions -q __torchsel_wanted
    echo "torchsel: your own function 'uv' is left as it is, so the hook is not in place; take yours out to have it" >&2
else

    function __torchsel_wanted
        contains -- "$TORCHSEL_DISABLE" '' 0 false; or return 1
        set -l command
        set -l skip no
        for word in $argv
            if test $skip = yes
                set skip no
                continue
            end
            switch $word
                case @VALUES@
                    set skip yes
                case @FLAGS@ '--*=*'
                case '*'
                    set command $word
                    break
            end
        end
        contains -- "$command" @COMMANDS@; or string match -q -- '-*' "$command"; or return 1
        test -n "$UV_PROJECT$UV_WORKING_DIR$UV_WORKING_DIRECTORY"; and return 0
        string match -q -- '--project*' $argv; and return 0
        string match -q -- '--directory*' $argv; and return 0
        string match -q -- '/*' "$PWD"; or return 0
        set -l folder $PWD
        while true
            if test -f "$folder/pyproject.toml" -a -r "$folder/pyproject.toml"
                string match -q '*torchsel*' <"$folder/pyproject.toml"; and return 0
            end
            test -n "$folder"; or return 1
            set folder (string replace -r '/[^/]*$' '' -- $folder | string collect)
        end
    end

    function uv --description 'uv, through torchsel where this machine\'s torch matters'
        if not __torchsel_wanted $argv
            command uv $argv
        else if command -q torchsel
            command torchsel --hooked uv $argv
        else
            echo "torchsel: not on PATH any more, so this is plain uv; install it again, or take the hook out" >&2
            command uv $argv
        end
    end

end
