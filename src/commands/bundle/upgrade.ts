import { writeOutput } from "../../cli/options/output-places.ts";
import { parseServiceUrl } from "../../cli/options/service-url.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { upgradeBundle } from "../../evidence/bundle/upgrade.ts";
import { readBlob } from "../../net/input.ts";

export default defineCommand({
  usage: "[flags] <bundle>",
  summary: "Convert an older Sigstore bundle to version 0.3",
  about:
    "Makes of a bundle of version 0.1 or 0.2 one of version 0.3, which newer verifiers ask for. A proof of inclusion that it " +
    "lacks is fetched from the transparency log. One of version 0.3 is printed as it is. Nothing is verified.",
  examples: ["tsign bundle upgrade --out new.sigstore.json old.sigstore.json"],
  args: { min: 1, max: 1 },
  flags: {
    out: flag.string("file to write to instead of stdout", { output: true }),
    rekorUrl: flag.string("transparency log to fetch a missing proof from", { default: "https://rekor.sigstore.dev" }),
  },
  bindEnvironment: false,
  async run(io, { args: [file = ""], flags }) {
    const url = parseServiceUrl(flags.rekorUrl, "rekorUrl");
    const upgraded = await upgradeBundle(await readBlob(io, file), {
      path: file,
      notice: (text) => io.stderr.write(`${text}\n`),
      async fetchEntry(logIndex) {
        const { entryAtIndex } = await import("../../services/rekor-v1.ts");
        return entryAtIndex(io, url, logIndex);
      },
    });
    const text = Buffer.from(upgraded).toString("utf8").trimEnd();
    if (flags.out === "") io.stdout.data(`${text}\n`);
    else {
      const written = await writeOutput(io, { path: flags.out, content: text });
      if (written) io.stderr.write(`Successfully upgraded bundle written to ${flags.out}\n`);
    }
  },
});
