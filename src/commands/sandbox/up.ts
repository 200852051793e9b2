import { sandboxFlags } from "../../cli/flags/sandbox.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { SANDBOX_NOTICE } from "../../sandbox/server/names.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Start a Sigstore and a registry on this machine to learn and test with",
  about:
    "Starts in the background, on the loopback address: an OIDC issuer, Fulcio with a CT log, Rekor versions 1 and 2, a " +
    `timestamp authority, a TUF repository and a registry. ${SANDBOX_NOTICE}`,
  examples: ["tsign sandbox up", 'eval "$(tsign sandbox env)"', "tsign sandbox push hello"],
  args: { min: 0, max: 0 },
  flags: {
    foreground: flag.bool("stay in the foreground until interrupted, or until --timeout"),
    port: flag.int("port to listen on; 0 takes that of --state, or a free one", { range: [0, 65_535] }),
    ...sandboxFlags,
  },
  bindEnvironment: false,
});
