import { TsignError } from "../../errors.ts";
import { type Command, defineCommand, type Flags, flag } from "../parser/define.ts";

/** A flag of every `piv-tool` and `pkcs11-tool` command. */
export const noInputFlag = flag.bool("skip prompts", { short: "f" });

/** The definition of one of cosign's `piv-tool` commands. */
export interface PivCommand<F extends Flags> {
  readonly name: string;
  readonly summary: string;
  readonly flags: F;
  readonly bindEnvironment?: boolean;
}

/**
 * Defines a command that manages a PIV token. It fails: managing a token takes smart card commands over PC/SC, which
 * neither Node nor the PKCS#11 modules that tsign signs through offer.
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
 * Returns a command's function, which throws TsignError "unsupported".
 *
 * @param instead the `ykman` command that does the same
 */
export function withoutCard(name: string, instead: string): () => Promise<never> {
  return async () => {
    throw new TsignError("unsupported", `piv-tool ${name}: direct access to a smart card is not supported`, {
      hint: `run \`${instead}\` (YubiKey Manager); to sign with a key on the token, pass --sk`,
    });
  };
}

/** cosign's names for the PIV slots 9A, 9C, 9E and 9D. */
export const PIV_SLOT_NAMES = ["authentication", "signature", "card-authentication", "key-management"];
