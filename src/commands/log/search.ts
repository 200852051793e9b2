import { ENTRY_SHAPE, rekorUrl } from "../../cli/flags/log.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Find log entries by artifact, key or email address",
  about:
    "Searches the index of a Rekor v1 log for entries of an artifact, a key or certificate, or an email address in certificates, and shows each with its index, time, kind and signer. The answer is not verified: a log can leave entries out, and anyone can record a signature for anything. Rekor v2 has no index.",
  examples: [
    "# Search for everything signed with an email address",
    "tsign log search --email alice@example.com",
    "# Search for the signatures of a file",
    "tsign log search --artifact app.tar.gz",
    "# Search for the entries of an image that were made with a key",
    "tsign log search --artifact sha256:4b2c… --key cosign.pub --operator and",
  ],
  result: shape.object({
    found: shape.count("matching entries"),
    entries: shape.list(ENTRY_SHAPE, "up to --limit of them, the newest first"),
  }),
  args: { min: 0, max: 0 },
  flags: {
    rekorUrl,
    artifact: flag.string("file, or its digest as sha256:HEX, sha512:HEX or sha1:HEX"),
    email: flag.string("email address in the certificates"),
    key: flag.string(
      "public key or certificate: a file, a URL, env://NAME, or a reference to a key management service",
    ),
    operator: flag.choice(["and", "or"], "whether entries must match all criteria, or any", { default: "and" }),
    limit: flag.int("number of matching entries to fetch and show", { default: 100, range: [1, 10_000] }),
  },
  bindEnvironment: false,
});
