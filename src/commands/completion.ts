import { COMPLETION_SCRIPTS } from "../cli/completion/scripts.ts";
import { defineCommand } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "bash|zsh|fish|powershell",
  summary: "Print a shell's completion script",
  about:
    "Prints the script that completes tsign's commands, flags and their values in a shell: key files and key services, the " +
    "registries of docker's configuration, and the tags of a repository there.",
  examples: [
    "source <(tsign completion bash)",
    "# in bash, for `alias cosign=tsign` too",
    "complete -F _tsign cosign",
    "tsign completion zsh > ~/.zsh/completions/_tsign",
    "tsign completion fish | source",
  ],
  args: { min: 1, max: 1, choices: Object.keys(COMPLETION_SCRIPTS) },
  flags: {},
  bindEnvironment: false,
});
