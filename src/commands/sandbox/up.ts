import { sandboxFlags } from "../../cli/flags/sandbox.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { SANDBOX_NOTICE } from "../../sandbox/server/names.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Start a local Sigstore instance and registry",
  about: `Starts a Sigstore instance and a registry in the background, on the loopback address: an OIDC issuer, Fulcio with a certificate transparency log, Rekor v1 and v2, a timestamp authority, a TUF repository and an OCI registry. ${SANDBOX_NOTICE}`,
  examples: [
    "# Start the sandbox and use it in this shell",
    "tsign sandbox up",
    'eval "$(tsign sandbox env)"',
    "tsign sandbox push hello",
  ],
  args: { min: 0, max: 0 },
  flags: {
    foreground: flag.bool("run in the foreground until interrupted, or until --timeout"),
    port: flag.int("port to listen on; 0 selects the port in --state or a free one", { range: [0, 65_535] }),
    ...sandboxFlags,
  },
  bindEnvironment: false,
});
