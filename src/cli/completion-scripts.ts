/** Each script asks `tsign __complete` for candidates, so that it never has to change when a flag does. */
export const COMPLETION_SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# bash completion for tsign: source <(tsign completion bash)
_tsign() {
    local current=\${COMP_WORDS[COMP_CWORD]}
    local answer directive line
    answer=$("\${COMP_WORDS[0]}" __completeNoDesc "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) || return
    directive=\${answer##*:}
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :*) ;;
            "$current"*) COMPREPLY+=("$line") ;;
        esac
    done <<<"$answer"
    if [ "\${#COMPREPLY[@]}" -eq 0 ] && [ "$directive" = 0 ]; then
        compopt -o default 2>/dev/null
    fi
}
complete -F _tsign tsign
complete -F _tsign cosign
`,
  zsh: `#compdef tsign cosign
# zsh completion for tsign: tsign completion zsh > "\${fpath[1]}/_tsign"
_tsign() {
    local answer directive line
    local -a candidates
    answer=$("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null) || return
    directive=\${answer##*:}
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
    compdef _tsign tsign cosign
fi
`,
  fish: `# fish completion for tsign: tsign completion fish | source
function __tsign_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l answer ($words[1] __complete $words[2..-1] 2>/dev/null)
    for line in $answer
        string match -q ':*' -- $line; and continue
        echo $line
    end
end
function __tsign_wants_files
    set -l words (commandline -opc) (commandline -ct)
    set -l answer ($words[1] __complete $words[2..-1] 2>/dev/null)
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
    $answer = & $words[0] __complete @arguments 2>$null
    foreach ($line in $answer) {
        if ($line.StartsWith(':')) { continue }
        $parts = $line -split "\`t", 2
        $about = if ($parts.Length -gt 1) { $parts[1] } else { $parts[0] }
        [System.Management.Automation.CompletionResult]::new($parts[0], $parts[0], 'ParameterValue', $about)
    }
}
`,
};
