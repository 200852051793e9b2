import { attachmentTagPrefix, registryFlags, registryOptions } from "../../cli/flags/registry.ts";
import { readFileFacts, uploadFile } from "../../cli/options/upload.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { requireFlag } from "../../cli/parser/required.ts";
import { TsignError } from "../../errors.ts";
import { putArtifact } from "../../oci/artifact.ts";
import { openRegistry } from "../../oci/open.ts";
import { formatReference, parseReference } from "../../oci/ref.ts";

/** Media types of the solo.io wasm image specification, which cosign follows. */
const CONFIG = "application/vnd.wasm.config.v1+json";
const LAYER = "application/vnd.wasm.content.layer.v1+wasm";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Store a WebAssembly module in a registry",
  about: "Stores a module as an image whose only layer it is, with the media types that runtimes look for.",
  examples: ["tsign upload wasm -f module.wasm registry.example/module:v1"],
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    file: flag.string("file of the module", { short: "f" }),
  },
  async run(io, { args: [text = ""], flags }) {
    requireFlag(flags, "file");
    const ref = parseReference(text);
    if (ref.digest) throw new TsignError("input", `${text} names a digest`, { hint: "name the destination by tag" });
    const file = await readFileFacts(io, flags.file);
    const store = await openRegistry(io, ref, registryOptions(flags));
    io.stderr.write(`Uploading wasm file from [${flags.file}] to [${formatReference(ref)}].\n`);
    const layer = await uploadFile(io, store, file, LAYER);
    await putArtifact(store, { layer, annotations: {}, configType: CONFIG }, ref.identifier);
  },
});
