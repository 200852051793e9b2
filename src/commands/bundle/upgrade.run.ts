import { writeOutput } from "../../cli/options/output-places.ts";
import { parseServiceUrl } from "../../cli/options/service-url.ts";
import type { Run } from "../../cli/parser/define.ts";
import { upgradeBundle } from "../../evidence/bundle/upgrade.ts";
import { readBlob } from "../../net/input.ts";
import type definition from "./upgrade.ts";

export const run: Run<typeof definition> = async (io, { args: [file = ""], flags }) => {
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
  return { bundle: JSON.parse(text), ...(flags.out === "" ? {} : { file: flags.out }) };
};
