/**
 * Completion scripts by shell. They run `tsign __complete` for candidates, so that they do not depend on commands and flags.
 * Candidates for `--flag=value` omit the flag; a script adds it if its shell completes the whole word. The shell finds files,
 * filtered by extensions if there are any.
 */
export const COMPLETION_SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# bash completion for tsign: source <(tsign completion bash)
_tsign() {
    local rest=\${COMP_LINE:0:COMP_POINT} program=\${COMP_WORDS[0]} current prefix= cut= value
    local answer directive index part word nospace=
    local -a words=() endings=() files=()
    COMPREPLY=()
    [[ $(type -t "$program") == alias ]] && program=tsign
    # bash also splits words at = and :, join adjacent parts
    for ((index = 0; index <= COMP_CWORD; index++)); do
        part=\${rest#"\${rest%%[![:blank:]]*}"}
        word=\${COMP_WORDS[index]}
        ((index == COMP_CWORD)) && word=$part
        if [[ \${#words[@]} -eq 0 || $part != "$rest" ]]; then
            words+=("$word")
        else
            words[\${#words[@]}-1]+=$word
        fi
        rest=\${part#"$word"}
    done
    current=\${words[\${#words[@]}-1]}
    [[ $current == --*=* ]] && prefix=\${current%%=*}=
    value=\${current#"$prefix"}
    # the part of the word that readline keeps
    [[ $COMP_WORDBREAKS == *=* && $current == *=* ]] && cut=\${current%"\${current##*=}"}
    [[ $COMP_WORDBREAKS == *:* && \${current#"$cut"} == *:* ]] && cut=\${current%"\${current##*:}"}
    answer=$("$program" __completeNoDesc "\${words[@]:1}" 2>/dev/null) || return
    directive=\${answer##*:}
    while IFS= read -r word; do
        if [[ $word == :* ]]; then
            continue
        elif ((directive & 8)) && [[ $word != *:* ]]; then
            endings+=("$word")
        elif [[ $word == "$value"* ]]; then
            [[ $word == *[/:] ]] && nospace=1
            word=$prefix$word
            COMPREPLY+=("\${word#"$cut"}")
        fi
    done <<<"$answer"
    [[ $nospace ]] && compopt -o nospace 2>/dev/null
    if ((directive & 16)); then
        while IFS= read -r word; do files+=("$word"); done < <(compgen -d -- "$value")
    elif ((directive & 8)); then
        while IFS= read -r word; do
            [[ -d $word ]] && files+=("$word")
            for part in "\${endings[@]}"; do
                [[ ! -d $word && $word == *."$part" ]] && files+=("$word") && break
            done
        done < <(compgen -f -- "$value")
    fi
    if [[ \${#COMPREPLY[@]} -eq 0 && \${#files[@]} -gt 0 ]]; then
        COMPREPLY=("\${files[@]}")
        compopt -o filenames 2>/dev/null
    elif [[ \${#files[@]} -gt 0 ]]; then
        COMPREPLY+=("\${files[@]}")
    elif [[ \${#COMPREPLY[@]} -eq 0 ]] && ! ((directive & 20)); then
        compopt -o default 2>/dev/null
    fi
}
complete -F _tsign tsign
`,
  zsh: `#compdef tsign
# zsh completion for tsign: tsign completion zsh > "\${fpath[1]}/_tsign"
_tsign() {
    local answer directive line word
    local -a candidates endings nospace
    answer=$("\${(Q)words[1]}" __complete "\${(@Q)words[2,CURRENT]}" 2>/dev/null) || return
    directive=\${answer##*:}
    [[ \${words[CURRENT]} == --*=* ]] && compset -P '*='
    for line in "\${(@f)answer}"; do
        word=\${line%%$'\\t'*}
        if [[ $line == :* ]]; then
            continue
        elif (( directive & 8 )) && [[ $word != *:* ]]; then
            endings+=("$word")
        else
            [[ $word == *[/:] ]] && nospace=(-S '')
            line=\${line//:/\\\\:}
            candidates+=("\${line/$'\\t'/:}")
        fi
    done
    (( \${#candidates} > 0 )) && _describe 'tsign' candidates "\${nospace[@]}"
    if (( directive & 16 )); then
        _files -/
    elif (( directive & 8 )); then
        _files -g "*.(\${(j:|:)endings})(-.)"
    elif [[ $directive == 0 && \${#candidates} -eq 0 ]]; then
        _files
    fi
}
if [[ \${funcstack[1]} == _tsign ]]; then
    _tsign
else
    compdef _tsign tsign
fi
`,
  fish: `# fish completion for tsign: tsign completion fish | source
function __tsign_complete
    set -l words (commandline -opc)
    set -l token (commandline -ct)
    set -l prefix (string match -r -- '^--[^=]+=' "$token")
    set -l value (string replace -r -- '^--[^=]+=' '' "$token")
    set -l answer ($words[1] __complete $words[2..-1] "$token" 2>/dev/null)
    set -l directive (string replace : '' -- "$answer[-1]")
    set -l endings
    set -l found 0
    string match -qr '^[0-9]+$' -- "$directive"; or return
    for line in $answer
        if string match -q ':*' -- $line
            continue
        else if test (math "floor($directive / 8) % 2") -eq 1; and not string match -q '*:*' -- (string split -m 1 \\t -- $line)[1]
            set -a endings $line
        else
            set found 1
            echo "$prefix$line"
        end
    end
    if test (math "floor($directive / 16) % 2") -eq 1
        for path in (__fish_complete_directories "$value" '')
            echo "$prefix$path"
        end
    else if test (math "floor($directive / 8) % 2") -eq 1
        set -l paths (__fish_complete_path "$value" '')
        for path in $paths
            for ending in / .$endings
                if string match -q "*$ending" -- (string split -m 1 \\t -- $path)[1]
                    set found 1
                    echo "$prefix$path"
                end
            end
        end
        if test $found -eq 0
            printf "$prefix%s\\n" $paths
        end
    else if test "$directive" = 0 -a $found -eq 0
        for path in (__fish_complete_path "$value" '')
            echo "$prefix$path"
        end
    end
end
complete -c tsign -e
complete -c tsign -f -a '(__tsign_complete)'
`,
  powershell: `# powershell completion for tsign: tsign completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName tsign -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | ForEach-Object { $_.ToString() })
    $arguments = @($words | Select-Object -Skip 1)
    if ($wordToComplete -eq '') { $arguments += '' }
    $prefix = if ($wordToComplete -match '^--[^=]+=') { $Matches[0] } else { '' }
    $answer = @(& $words[0] __complete @arguments 2>$null)
    # without candidates, PowerShell proposes files
    $endings = $answer.Length -gt 0 -and ([int]$answer[-1].Substring(1) -band 8)
    foreach ($line in $answer) {
        if ($line.StartsWith(':')) { continue }
        $parts = $line -split "\`t", 2
        if ($endings -and -not $parts[0].Contains(':')) { continue }
        $word = $prefix + $parts[0]
        $about = if ($parts.Length -gt 1) { $parts[1] } else { $word }
        [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $about)
    }
}
`,
};
