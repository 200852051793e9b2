import { ENTRY_SHAPE, logFlags } from "../../cli/flags/log.ts";
import { verificationFlags } from "../../cli/flags/verification.ts";
import { defineCommand } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <index|uuid|bundle>",
  summary: "Verify that an entry is in a transparency log",
  about:
    "Verifies that an entry is in a trusted transparency log: its inclusion proof, the checkpoint of that proof, which the log must have signed, and the signed entry timestamp if there is one. The entry is fetched from the log, or read from a bundle. This does not verify the signature in the entry; for that use `tsign verify-blob` or `tsign verify`.",
  examples: [
    "# Verify an entry of the public log",
    "tsign log verify 123456789",
    "# Verify the log entries in a bundle without the network",
    "tsign log verify --trusted-root trusted_root.json app.sigstore.json",
  ],
  result: shape.object({
    entries: shape.list(
      shape.object(
        { record: ENTRY_SHAPE, log: shape.text("URL of the log"), treeSize: shape.text(), signedBy: shape.text() },
        { signedTime: shape.text("time that the log signed, RFC 3339") },
      ),
    ),
  }),
  args: { min: 1, max: 1 },
  flags: { ...logFlags, trustedRoot: verificationFlags.trustedRoot },
  bindEnvironment: false,
});
