# Completion of `diptych` for bash: source it, or let `make install` put it
# where bash-completion looks. The test of the docs compares it with the help
# of each command.

_diptych_commands="import inspect audit synth train sweep eval compare ensemble search embed mine index recommend export soup options"

# The long options of a command. `=` behind one: a value follows.
_diptych_options() {
    case $1 in
    "") echo --help --version ;;
    import) echo --id= --text= --label= --number= --split= --split-ratio= \
        --group= --images= --image= --exif= --max-pixels= --store= --format= \
        --out= --quiet --shard-rows= --skip-bad --help --usage ;;
    "import cifar10" | "import fashion-mnist") echo --out= --quiet --shard-rows= --title= --val= \
        --help --usage ;;
    "import graph") echo --form= --hold-out= --out= --quiet --test= --val= \
        --help --usage ;;
    "import judgements") echo --format= --grade= --id= --into= --query= \
        --quiet --skip-bad --split= --help --usage ;;
    "import clicks") echo --best --count= --event= --format= --full= --grades= \
        --id= --impression= --into= --log --min-count= --prior= --query= \
        --quiet --rank= --rank-bias= --scale= --skip-bad --split= --weights= \
        --whole --help --usage ;;
    "import copurchases") echo --affinity= --grades= --history= --into= \
        --min-users= --neighbours= --own= --query= --quiet --same-split \
        --scale= --shrink= --whole --help --usage ;;
    "import interactions") echo --format= --id= --into= --quiet --skip-bad \
        --split= --time= --user= --weight= --help --usage ;;
    inspect) echo --json --rows= --verify --help --usage ;;
    audit) echo --context= --json --quiet --rare= --strict --title= --help \
        --usage ;;
    synth) echo --out= --queries= --quiet --rows= --seed= --shard-rows= \
        --size= --users= --help --usage ;;
    train) echo --check --data= --quiet --resume --run= --stop-after= \
        --stop-at= --help --usage ;;
    sweep) echo --check --json --out= --quiet --resume --retry --help \
        --usage ;;
    eval) echo --checkpoint= --data= --dim= --json --no-html --out= \
        --predictions= --qrels= --quiet --run= --seen= --split= --trec-depth= \
        --trec= --help --usage ;;
    compare) echo --baseline= --changed= --different-galleries --each --json \
        --metric= --out= --resamples= --seed= --help --usage ;;
    ensemble) echo --checkpoint= --data= --depth= --json --no-html --normalise= \
        --out= --quiet --split= --vote= --weights= --help --usage ;;
    mine) echo --checkpoint= --count= --data= --from= --json --margin= --out= \
        --quiet --split= --task= --to= --help --usage ;;
    index) echo --code-bytes= --depth= --json --links= --lists= --out= \
        --probes= --queries= --seed= --type= --help --usage ;;
    search) echo --checkpoint= --data= --dim= --fields= --image= --index= --json \
        --quiet --rerank= --split= --text= --top= --help --usage ;;
    embed) echo --checkpoint= --data= --dim= --field= --fields= --json --out= \
        --precision= --queries --quiet --rescore= --reuse= --split= --task= \
        --help --usage ;;
    export) echo --checkpoint= --data-license= --data= --format= \
        --intended-use= --license= --list-names --names= --out= --precision= \
        --quiet --raw-images --rows= --samples= --split= --unverified \
        --verify= --help --usage ;;
    recommend) echo --all --checkpoint= --data= --out= --top= --user= --help \
        --usage ;;
    soup) echo --checkpoint= --data= --greedy --interpolate= --out= --help \
        --usage ;;
    options) echo --help --usage ;;
    esac
}

# The values of an option that has few; nothing means files.
_diptych_values() {
    case "$1 $2" in
    "eval --split" | "search --split" | "embed --split" | \
        "mine --split" | "export --split") echo train val test ;;
    *" --checkpoint") echo best latest ;;
    "ensemble --split") echo train val test ;;
    "ensemble --vote") echo soft hard rank ;;
    "ensemble --normalise") echo zscore minmax none ;;
    "ensemble --weights") echo equal tuned ;;
    "index --type") echo flat ivf hnsw ivfpq ;;
    "embed --precision") echo fp32 fp16 int8 binary ;;
    "embed --rescore") echo fp32 fp16 ;;
    *" --exif") echo on off ;;
    *" --store") echo encoded pixels: ;;
    *" --grades") echo relative absolute rank ;;
    *" --affinity") echo cosine jaccard confidence npmi ;;
    *" --form") echo lists pairs ;;
    import*" --format") echo csv tsv jsonl ;;
    "export --format") echo safetensors torchscript onnx ;;
    "export --precision") echo fp32 fp16 int8 ;;
    esac
}

_diptych() {
    local current=${COMP_WORDS[COMP_CWORD]} command="" option="" words
    local previous=${COMP_WORDS[COMP_CWORD - 1]}
    ((COMP_CWORD > 1)) && command=${COMP_WORDS[1]}
    if [[ $command == import && $COMP_CWORD -gt 2 ]]; then
        case ${COMP_WORDS[2]} in
        cifar10 | fashion-mnist | graph | judgements | clicks | copurchases | \
            interactions)
            command+=" ${COMP_WORDS[2]}" ;;
        esac
    fi

    # Bash splits words at "=": --split = va
    if [[ $current == "=" ]]; then
        option=$previous current=""
    elif [[ $previous == "=" ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ $previous == --* && $(_diptych_options "$command") == \
        *"$previous="* ]]; then
        option=$previous
    fi

    COMPREPLY=()
    if [[ $option == --* ]]; then
        words=$(_diptych_values "$command" "$option")
    elif [[ $current == -* ]]; then
        words=$(_diptych_options "$command")
    elif ((COMP_CWORD == 1)); then
        words=$_diptych_commands
    elif [[ $command == import ]] && ((COMP_CWORD == 2)); then
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        words="cifar10 fashion-mnist graph judgements clicks copurchases interactions"
    fi
    if [[ -n $words ]]; then
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY \
            < <(compgen -W "$words" -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
    # A space after a word, but not between an option and its value, nor
    # within a path.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=:] ]]; then
        compopt -o nospace 2>/dev/null
    fi
    return 0
}

complete -o filenames -F _diptych diptych
