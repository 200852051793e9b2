/**
 * Each script asks `tsign __complete` for candidates, so that it never has to change when a flag does. Values of
 * `--flag=value` come without the flag: a shell that completes the whole word puts it back.
 */
export const COMPLETION_SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# bash completion for tsign: source <(tsign completion bash)
_tsign() {
    local current=\${COMP_WORDS[COMP_CWORD]} prefix=
    local answer directive index line word
    local -a words=()
    # bash splits --flag=value in three
    for ((index = 1; index <= COMP_CWORD; index++)); do
        word=\${COMP_WORDS[index]}
        if [[ \${#words[@]} -gt 0 && ($word == = || \${COMP_WORDS[index - 1]} == =) ]]; then
            words[\${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
    done
    case $current in
        =) current= ;;
        --*=*) prefix=\${current%%=*}= current=\${current#*=} ;;
    esac
    answer=$("\${COMP_WORDS[0]}" __completeNoDesc "\${words[@]}" 2>/dev/null) || return
    directive=\${answer##*:}
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :*) ;;
            "$current"*) COMPREPLY+=("$prefix$line") ;;
        esac
    done <<<"$answer"
    if [ "\${#COMPREPLY[@]}" -eq 0 ] && [ "$directive" = 0 ]; then
        compopt -o default 2>/dev/null
    fi
}
complete -F _tsign tsign
`,
  zsh: `#compdef tsign
# zsh completion for tsign: tsign completion zsh > "\${fpath[1]}/_tsign"
_tsign() {
    local answer directive line
    local -a candidates
    answer=$("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null) || return
    directive=\${answer##*:}
    [[ \${words[CURRENT]} == --*=* ]] && compset -P '*='
    for line in "\${(@f)answer}"; do
        [[ $line == :* ]] && continue
        line=\${line//:/\\\\:}
        candidates+=("\${line/$'\\t'/:}")
    done
    if (( \${#candidates} > 0 )); then
        _describe 'tsign' candidates
    elif [[ $directive == 0 ]]; then
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
function __tsign_answer
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete $words[2..-1] 2>/dev/null
end
function __tsign_complete
    set -l prefix (string match -r -- '^--[^=]+=' (commandline -ct))
    for line in (__tsign_answer)
        string match -q ':*' -- $line; and continue
        echo "$prefix$line"
    end
end
function __tsign_wants_files
    set -l answer (__tsign_answer)
    test "$answer[-1]" = ':0'
end
complete -c tsign -e
complete -c tsign -n 'not __tsign_wants_files' -f
complete -c tsign -a '(__tsign_complete)'
`,
  powershell: `# powershell completion for tsign: tsign completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName tsign -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | ForEach-Object { $_.ToString() })
    $arguments = @($words | Select-Object -Skip 1)
    if ($wordToComplete -eq '') { $arguments += '' }
    $prefix = if ($wordToComplete -match '^--[^=]+=') { $Matches[0] } else { '' }
    $answer = & $words[0] __complete @arguments 2>$null
    foreach ($line in $answer) {
        if ($line.StartsWith(':')) { continue }
        $parts = $line -split "\`t", 2
        $word = $prefix + $parts[0]
        $about = if ($parts.Length -gt 1) { $parts[1] } else { $word }
        [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $about)
    }
}
`,
};
