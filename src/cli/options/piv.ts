import { TsignError } from "../../errors.ts";
import { type Command, defineCommand, type Flags, flag } from "../parser/define.ts";

/** Of every `piv-tool` and `pkcs11-tool` command. */
export const noInputFlag = flag.bool("skip prompts", { short: "f" });

/** One of cosign's `piv-tool` commands, and what does the same. */
export interface PivCommand<F extends Flags> {
  readonly name: string;
  readonly summary: string;
  readonly flags: F;
  readonly bindEnvironment?: boolean;
}

/**
 * A command that manages a PIV token. That takes the smart card's own commands over PC/SC, which Node cannot speak, and
 * the PKCS#11 modules that tsign signs through do not offer: it says so, and what to run.
 */
export function pivCommand<const F extends Flags>({
  name,
  summary,
  flags,
  bindEnvironment = false,
}: PivCommand<F>): Command<F & { noInput: typeof noInputFlag }> {
  return defineCommand({
    usage: "[flags]",
    summary,
    about:
      `${summary}. This requires direct access to the smart card, which tsign does not have: the command fails and prints the ` +
      "ykman command to run instead. To sign with a key on a token, use --sk.",
    examples: ["# Print the ykman command to run instead", `tsign piv-tool ${name}`],
    args: { min: 0, max: 0 },
    flags: { ...flags, noInput: noInputFlag },
    bindEnvironment,
  });
}

/**
 * What each of them does.
 *
 * @param instead the line of Yubico's manager that does what was asked for
 */
export function withoutCard(name: string, instead: string): () => Promise<never> {
  return async () => {
    throw new TsignError("unsupported", `piv-tool ${name} needs direct access to the smart card, which tsign lacks`, {
      hint: `run \`${instead}\` of Yubico's manager; --sk signs with keys on the token`,
    });
  };
}

/** cosign's names of PIV's slots 9A, 9C, 9E and 9D. */
export const PIV_SLOT_NAMES = ["authentication", "signature", "card-authentication", "key-management"];
