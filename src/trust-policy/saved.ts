import { TsignError } from "../errors.ts";
import { readBundle } from "../evidence/bundle/read.ts";
import type { Evidence } from "../evidence/model.ts";

/**
 * Reads a file of Sigstore bundles: one, or one on each line (`*.jsonl`).
 *
 * @param path for messages
 * @throws TsignError "bad-bundle", "input" for a file without a bundle
 */
export function readBundles(bytes: Uint8Array, path: string): Evidence[] {
  const lines = Buffer.from(bytes)
    .toString("utf8")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const [first] = lines;
  if (first === undefined) throw new TsignError("input", `read bundles "${path}": empty file`);
  const isList = lines.length > 1 && lines.every((line) => line.startsWith("{") && line.endsWith("}"));
  if (!isList) return [readBundle(bytes, { kind: "file", where: path })];
  return lines.map((line, index) =>
    readBundle(Buffer.from(line), { kind: "file", where: `${path}, line ${index + 1}` }),
  );
}
