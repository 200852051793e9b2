import { predicateTypeIn } from "../cli/candidates.ts";
import { keyFlags } from "../cli/flags/key.ts";
import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { verificationFlags } from "../cli/flags/verification.ts";
import { judgeFound, openTarget, printNotCounted, storedWith, type Target, verifyEach } from "../cli/image-judging.ts";
import { withLoggedEntry } from "../cli/log-lookup.ts";
import { hintForNothing } from "../cli/nothing-found.ts";
import { readPolicies, requirePolicies } from "../cli/options/policies.ts";
import { readVerification, type Verification } from "../cli/options/verification.ts";
import { defineCommand, type FlagValues, flag } from "../cli/parser/define.ts";
import { printEnvelopes, printHeader, warnAboutLoosePatterns } from "../cli/print/verified.ts";
import { TsignError } from "../errors.ts";
import type { Evidence, Unreadable } from "../evidence/model.ts";
import { printable } from "../format/printable.ts";
import type { Io } from "../io/io.ts";
import type { PolicySource } from "../policy/index.ts";
import { PREDICATE_ALIASES, predicateTypeOf } from "../sign/predicates.ts";
import type { Policy } from "../verify/model.ts";
import { type Verified, verify } from "../verify/verify.ts";

const { signature: _signature, ...shared } = verificationFlags;

const flags = {
  ...keyFlags,
  ...shared,
  ...registryFlags,
  attachmentTagPrefix,
  checkClaims: flag.bool("compare what is signed with the image", {
    default: true,
    weakens: { when: false, effect: "what is signed is not compared with the image" },
  }),
  localImage: flag.bool("the arguments are folders that `save` wrote"),
  output: flag.string("json or text: has no effect, envelopes are printed as JSON lines", {
    short: "o",
    default: "json",
    choices: ["json", "text"],
    closed: true,
  }),
  policy: flag.strings("CUE or Rego file that every attestation of the type must satisfy"),
  type: flag.string("what the attestation must be: an alias or a URI", {
    default: "custom",
    choices: PREDICATE_ALIASES,
  }),
};

type VerifyFlags = FlagValues<typeof flags>;

export default defineCommand({
  usage: "[flags] <image…>",
  summary: "Verify attestations of container images",
  about:
    "Finds every attestation of each image, in both stored forms, and succeeds if at least one of the type asked for is by " +
    "the key or identity given and about the image. With --policy every such one must satisfy all policies, each file by " +
    "itself. Prints the " +
    "envelopes of the good ones, a line each; for the others it tells why they failed.",
  examples: [
    "tsign verify-attestation --type slsaprovenance1 --certificate-identity ci@example.com " +
      "--certificate-oidc-issuer https://issuer.example registry.example/app@sha256:…",
    "tsign verify-attestation --key cosign.pub --type spdxjson registry.example/app:v1 | jq -r .payload | base64 -d",
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  flags,
  exclusive: [
    ["caRoots", "certificateChain"],
    ["caIntermediates", "certificateChain"],
  ],
  async run(io, { args, flags }) {
    const policies = await readPolicies(io, flags.policy);
    const verification = await readVerification(io, { ...flags, signature: "" }, "attestation");
    const predicateTypes = [predicateTypeOf(flags.type)];
    const subject = flags.checkClaims ? "required" : "insecureSkip";
    const policy: Policy = { ...verification.policy, claims: { annotations: {}, predicateTypes, subject } };
    await verifyEach(io, args, (text) => verifyImage(io, { text, flags, verification, policy, policies }));
  },
});

async function verifyImage(
  io: Io,
  by: {
    text: string;
    flags: VerifyFlags;
    verification: Verification;
    policy: Policy;
    policies: readonly PolicySource[];
  },
): Promise<void> {
  const { flags, policy } = by;
  const places = { ...flags, attachment: "" };
  const target = await openTarget(io, by.text, { flags: places, mustExist: true });
  const wanted = predicateTypeOf(flags.type);
  const otherTypes = new Set<string>();
  const { count, verified, failures } = await judgeFound(
    io,
    storedWith(io, target, { flags: places, attachment: "att" }),
    {
      counts: (candidate) => mayBeOfType(candidate, wanted, otherTypes),
      judge: (candidate) => judge(io, candidate, { ...by, target }),
    },
  );
  if (verified.length === 0) {
    if (count === 0) throw await nothingFound(io, target, { flags: places, wanted, otherTypes });
    const [first] = failures;
    throw new TsignError(
      "no-match-bundle",
      `no matching attestations: ${count} found for ${target.name}, none passes (${first?.step}: ${first?.reason})`,
    );
  }
  await requirePolicies(io, by.policies, verified.map(payloadOf));
  printHeader(io.stderr, { name: target.name, verified, claims: flags.checkClaims, annotations: false });
  warnAboutLoosePatterns(io.stderr, policy.signer, verified);
  printNotCounted(io, failures);
  printEnvelopes(io.stdout, verified);
}

function payloadOf({ content, origin }: Verified): { where: string; statement: Uint8Array } {
  if (content.kind !== "statement") throw new TsignError("internal", `${origin.where} is not an attestation`);
  return { where: origin.where, statement: content.payload };
}

async function judge(
  io: Io,
  candidate: Evidence,
  by: { flags: VerifyFlags; target: Target; policy: Policy; verification: Verification },
) {
  const { flags, target, policy, verification } = by;
  const { certificate, trust } = verification;
  const given = certificate ? { ...candidate, key: certificate } : candidate; // whatever was stored beside it
  const logged = candidate.origin.kind === "att-tag" ? await withLoggedEntry(io, given, { policy, flags }) : given;
  return verify(logged, { kind: "image", digest: target.digest }, trust, policy);
}

/** Attestations of the type, and what cannot be told: a signature or another type says something else. */
function mayBeOfType(found: Evidence | Unreadable, wanted: string, otherTypes: Set<string>): boolean {
  if ("unreadable" in found) return true;
  if (found.content.kind !== "dsse") return false;
  const predicateType = predicateTypeIn(found);
  if (predicateType === undefined || predicateType === wanted) return true; // verify says what is wrong with the former
  otherTypes.add(predicateType);
  return false;
}

async function nothingFound(
  io: Io,
  target: Target,
  by: { flags: Parameters<typeof hintForNothing>[2]["flags"]; wanted: string; otherTypes: ReadonlySet<string> },
): Promise<TsignError> {
  const { flags, wanted, otherTypes } = by;
  if (otherTypes.size === 0) {
    const counts = (candidate: Evidence) => predicateTypeIn(candidate) === wanted;
    const hint = await hintForNothing(io, target, { flags, attachment: "att", counts });
    return new TsignError("no-match-bundle", `no matching attestations: ${target.name} has none`, { hint });
  }
  const found = printable([...otherTypes].join(","));
  return new TsignError(
    "no-match-bundle",
    `none of the attestations of ${target.name} matched the predicate type: ${wanted}, found: ${found}`,
    { hint: "--type takes any of those found" },
  );
}
