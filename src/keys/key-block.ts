import { TsignError } from "../errors.ts";
import { onlyPemBlock, type PemBlock, whyNotPem } from "../format/pem.ts";

/**
 * Returns the only PEM block of a key file.
 *
 * @param name what the file should contain, for messages
 * @param hint the hint for text that is not PEM, unless its format is recognised
 * @param options.beside labels of blocks to ignore
 * @throws TsignError "input" for no block or several
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
    throw new TsignError("input", `ambiguous ${name}: ${error instanceof Error ? error.message : String(error)}`, {
      hint: "put each key in its own file",
    });
  }
  if (block) return block;
  const { reason, hint: specific } = whyNotPem(text);
  throw new TsignError("input", `invalid ${name}: ${reason}`, { hint: specific ?? hint });
}
