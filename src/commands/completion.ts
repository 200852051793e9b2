import { COMPLETION_SCRIPTS } from "../cli/completion/scripts.ts";
import { defineCommand } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "bash|zsh|fish|powershell",
  summary: "Print a shell completion script",
  about:
    "Prints a script that completes tsign's commands, flags and values in a shell, including key files, key services, the registries in docker's configuration, and image tags.",
  examples: [
    "# Load completions in bash",
    "source <(tsign completion bash)",
    "# Complete the alias `cosign=tsign` in bash, too",
    "complete -F _tsign cosign",
    "# Install completions for zsh",
    "tsign completion zsh > ~/.zsh/completions/_tsign",
    "# Load completions in fish",
    "tsign completion fish | source",
  ],
  result: "none",
  args: { min: 1, max: 1, choices: Object.keys(COMPLETION_SCRIPTS) },
  flags: {},
  bindEnvironment: false,
});
