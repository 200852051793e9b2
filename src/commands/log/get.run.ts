import {
  entryDocument,
  fetchEntry,
  parseEntryName,
  printEntry,
  recordOfEntry,
} from "../../cli/inspect/logged-entry.ts";
import type { Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { parsedBody } from "../../evidence/entry-body.ts";
import type definition from "./get.ts";

export const run: Run<typeof definition> = async (io, { args: [text = ""], flags }) => {
  const name = parseEntryName(text);
  if (!name) {
    throw new TsignError("usage", `not the index or UUID of a log entry: "${text}"`, {
      hint: "pass a number, or 64 or 80 hex digits, as `tsign log search` prints them",
    });
  }
  const entry = await fetchEntry(io, name, flags);
  const record = recordOfEntry(entry, "uuid" in name ? name.uuid : undefined);
  const body = parsedBody(entry.canonicalizedBody);
  printEntry(io, record);
  for (const line of JSON.stringify(body, null, 2).split("\n")) io.stdout.write(`${line}\n`);
  io.stderr.write("WARNING: nothing was verified; verify the entry with `tsign log verify`\n");
  return { record, body, entry: entryDocument(entry) };
};
