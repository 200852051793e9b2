import { trustPolicyFile } from "../cli/flags/trust-policy.ts";
import { readImageInputs } from "../cli/options/image-sources.ts";
import { imageOptions } from "../cli/options/image-verification.ts";
import { readPolicies, statementJudge } from "../cli/options/policies.ts";
import { readVerification } from "../cli/options/verification.ts";
import type { Run } from "../cli/parser/define.ts";
import { signersOfFirst, type Run as Verifying, verifyEach } from "../cli/verify-images.ts";
import { predicateTypeOf } from "../sign/predicates.ts";
import type definition from "./verify-attestation.ts";

export const run: Run<typeof definition> = async (io, { args, flags, given, answer }) => {
  const { images, setDigest, pinAfter } = await readImageInputs(io, args, flags);
  const file = trustPolicyFile(io, flags);
  if (file !== undefined) {
    const { verifyByPolicy } = await import("../cli/verify-by-policy.ts"); // loaded only for a trust policy
    const wanted = { predicateType: given.has("type") ? predicateTypeOf(flags.type) : undefined };
    return pinAfter(() => verifyByPolicy(io, images, { flags, given, file, answer, onVerified: setDigest, wanted }));
  }
  const policies = await readPolicies(io, flags.policy);
  const verification = await readVerification(
    io,
    { ...flags, signature: "" },
    { kind: "attestation", signersHint: signersOfFirst(images, flags) },
  );
  const wanted = { kind: "attestations", predicateType: predicateTypeOf(flags.type) } as const;
  const options = imageOptions(io, flags, { verification, wanted, annotations: {} });
  const asked: Verifying = {
    flags,
    mustExist: true,
    options: { ...options, satisfies: statementJudge(io, policies) },
    printed: { annotations: false, form: "envelopes", signers: verification.signers },
    exitCodes: {},
    answer,
    onVerified: setDigest,
  };
  await pinAfter(() => verifyEach(io, images, asked));
};
