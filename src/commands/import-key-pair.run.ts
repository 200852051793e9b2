import { writeKeyPair } from "../cli/options/key-files.ts";
import type { Run } from "../cli/parser/define.ts";
import { TsignError, withSubject } from "../errors.ts";
import { shellQuoted } from "../format/shell-quoted.ts";
import { importPrivateKey } from "../keys/index.ts";
import { readBlob } from "../net/input.ts";
import type definition from "./import-key-pair.ts";

export const run: Run<typeof definition> = async (io, { args: [file], flags }) => {
  if (flags.key === "") {
    const hint = file === undefined ? {} : { hint: `run \`tsign import-key-pair --key ${shellQuoted(file)}\`` };
    throw new TsignError("usage", "--key is required: the PEM file to import", hint);
  }
  const bytes = await readBlob(io, flags.key);
  const key = await withSubject(flags.key, () => importPrivateKey(Buffer.from(bytes).toString("utf8")));
  await writeKeyPair(io, { key, prefix: flags.outputKeyPrefix, assumeYes: flags.yes, from: flags.key });
};
