import { TsignError } from "../errors.ts";
import { onlyPemBlock, type PemBlock, whyNotPem } from "../format/pem.ts";

/**
 * The one PEM block of a key file.
 *
 * @param name what the file should hold, for messages
 * @param hint what to do when it is no PEM at all and nothing more is known
 * @throws TsignError "input"
 */
export function keyBlock(
  text: string,
  name: string,
  hint: string,
  options: { beside?: readonly string[] } = {},
): PemBlock {
  let block: PemBlock | undefined;
  try {
    block = onlyPemBlock(text, options);
  } catch (error) {
    throw new TsignError("input", `the ${name} is ambiguous: ${error instanceof Error ? error.message : ""}`, {
      hint: "keep each key in a file of its own",
    });
  }
  if (block) return block;
  const why = whyNotPem(text);
  throw new TsignError("input", `the ${name} cannot be read: ${why.reason}`, { hint: why.hint ?? hint });
}
