import { flag } from "../parser/define.ts";

/** The flag of the commands that verify by a trust policy. */
export const trustPolicyFlags = {
  trustPolicy: flag.string("trust policy file, which states who must have signed, instead of a key or an identity"),
};
