import { inspectBundle } from "../../cli/inspect/bundle.ts";
import { defineCommand } from "../../cli/parser/define.ts";
import { naming } from "../../errors.ts";
import { readBlob } from "../../net/input.ts";

export default defineCommand({
  usage: "<bundle>",
  summary: "Show what a Sigstore bundle holds",
  about:
    "Shows certificate, log entries, timestamps and content of a bundle, and what of them is not as it should be. Nothing is " +
    "verified, and nothing is looked up.",
  examples: [
    "tsign bundle inspect app.sigstore.json",
    "tsign download signature registry.example/app:v1 | tsign bundle inspect -",
  ],
  args: { min: 1, max: 1 },
  flags: {},
  bindEnvironment: false,
  async run(io, { args: [file = ""] }) {
    const bytes = await readBlob(io, file);
    const lines = await naming(file, () => inspectBundle(bytes));
    io.stderr.write("WARNING: This command only shows what the bundle holds.\n");
    io.stderr.write("It verifies neither signatures nor certificates nor the transparency log.\n");
    io.stderr.write("\n");
    for (const line of lines) io.stdout.write(`${line}\n`);
  },
});
