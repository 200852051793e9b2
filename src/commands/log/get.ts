import { ENTRY_SHAPE, logFlags } from "../../cli/flags/log.ts";
import { defineCommand } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <index|uuid>",
  summary: "Show an entry of a transparency log",
  about:
    "Fetches an entry from a Rekor transparency log, by its index or its UUID, and shows its kind, time, digest, signer and body. Nothing is verified. With --json, the result contains the entry as bundles contain it, with its inclusion proof; for Rekor v2 the proof is computed from the log's tiles.",
  examples: [
    "# Show an entry of the public log",
    "tsign log get 123456789",
    "# Show an entry of a Rekor v2 log",
    "tsign log get --rekor-url https://log2025-1.rekor.sigstore.dev --api-version 2 123456",
  ],
  result: shape.object({
    record: ENTRY_SHAPE,
    body: shape.document("the canonical body"),
    entry: shape.document("the entry as bundles contain it (protobuf-specs, TransparencyLogEntry)"),
  }),
  args: { min: 1, max: 1 },
  flags: logFlags,
  bindEnvironment: false,
});
