import type { Io } from "../../io/io.ts";
import { flag } from "../parser/define.ts";

/** The flag of the commands that verify by a trust policy. */
export const trustPolicyFlags = {
  trustPolicy: flag.string("trust policy file, which states who must have signed, instead of a key or an identity"),
};

/** The trust policy of a command: --trust-policy, or TSIGN_TRUST_POLICY. Undefined without one. */
export function trustPolicyFile(io: Pick<Io, "env">, { trustPolicy }: { trustPolicy: string }): string | undefined {
  return trustPolicy || io.env["TSIGN_TRUST_POLICY"] || undefined;
}
