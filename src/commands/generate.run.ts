import { parseAnnotations } from "../cli/options/annotations.ts";
import { resolveImage } from "../cli/options/images.ts";
import type { Run } from "../cli/parser/define.ts";
import { simpleSigningPayload } from "../sign/payload.ts";
import type definition from "./generate.ts";

export const run: Run<typeof definition> = async (io, { args: [text = ""], flags }) => {
  const annotations = parseAnnotations(flags.annotations);
  const { ref, digest } = await resolveImage(io, {
    text,
    flags,
    mustExist: false,
    warnAboutTags: false,
  });
  const payload = simpleSigningPayload({ digest, annotations, dockerReference: ref.name });
  io.stdout.data(payload);
  return { payload: JSON.parse(Buffer.from(payload).toString("utf8")) };
};
