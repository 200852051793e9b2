import { recordStored } from "../../cli/effects.ts";
import { registryOptions } from "../../cli/flags/registry.ts";
import { readFileFacts, uploadFile } from "../../cli/options/upload.ts";
import type { Run } from "../../cli/parser/define.ts";
import { requireFlag } from "../../cli/parser/required.ts";
import { TsignError } from "../../errors.ts";
import { putArtifact } from "../../oci/artifact.ts";
import { openRegistry } from "../../oci/open.ts";
import { formatReference, parseReference } from "../../oci/ref.ts";
import type definition from "./wasm.ts";

export const run: Run<typeof definition> = async (io, { args: [text = ""], flags }) => {
  requireFlag(flags, "file");
  const ref = parseReference(text);
  if (ref.digest)
    throw new TsignError("input", `upload to ${text}: the digest of an upload cannot be chosen`, {
      hint: "name the destination by tag",
    });
  const file = await readFileFacts(io, flags.file);
  const store = await openRegistry(io, ref, registryOptions(flags));
  io.stderr.write(`Uploading wasm file from [${flags.file}] to [${formatReference(ref)}].\n`);
  const layer = await uploadFile(io, store, file, LAYER);
  const { digest } = await putArtifact(store, { layer, annotations: {}, configType: CONFIG }, ref.identifier);
  recordStored(io, { kind: "image", where: `${ref.name}@${digest}`, logEntries: [] });
};

/** Media types of the solo.io wasm image specification, which cosign follows. */
const CONFIG = "application/vnd.wasm.config.v1+json";

const LAYER = "application/vnd.wasm.content.layer.v1+wasm";
