import { registryOptions } from "../../cli/flags/registry.ts";
import type { FlagValues, Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { printable } from "../../format/printable.ts";
import { imageTarget, openImage } from "../../images/open.ts";
import type { Io } from "../../io/io.ts";
import { loadPublicKey } from "../../keys/reference.ts";
import { policyFor, type Sample, unusedName } from "../../trust-policy/born.ts";
import { checkPolicy, describeRule } from "../../trust-policy/check.ts";
import { decideImage, decideOptions } from "../../trust-policy/decide.ts";
import { writePolicy } from "../../trust-policy/format.ts";
import { readTrustPolicy } from "../../trust-policy/read.ts";
import type { SignerText } from "../../trust-policy/schema.ts";
import { PolicySources } from "../../trust-policy/sources.ts";
import type definition from "./init.ts";

/** Name of the policy in what is printed. */
const NAME = "tsign.policy.yaml";

export const run: Run<typeof definition> = async (io, { args: images, flags }) => {
  const registry = registryOptions(flags);
  const signers = await givenSigners(io, flags);
  const samples: Sample[] = [];
  for (const image of images) {
    const opened = await openImage(io, image, { registry, mustExist: true });
    samples.push({ ref: opened.ref, target: await imageTarget(io, opened, registry) });
  }
  const warn = (text: string) => void io.stderr.write(`WARNING: ${text}\n`);
  const options = { ...decideOptions(io.env), warn };
  const given = {
    signers,
    trustedRoot: flags.trustedRoot || undefined,
    ignoreLog: flags.insecureIgnoreTlog,
    ignoreSct: flags.insecureIgnoreSct,
  };
  const { policy, notes } = await policyFor(io, samples, given, options);
  for (const note of notes) io.stderr.write(`${printable(note)}\n`);
  if (policy.rules.length === 0) {
    throw new TsignError("no-signatures", "write a policy: no signature verifies", {
      hint: "name the keys that have signed with --key, and the trusted root with --trusted-root",
    });
  }
  const text = writePolicy(policy, [
    `Who may sign what, written for what is stored with ${samples.length === 1 ? "one image" : `${samples.length} images`}: review it.`,
    ...(flags.insecureIgnoreTlog ? ["--insecure-ignore-tlog: no transparency log is demanded."] : []),
    ...(flags.insecureIgnoreSct ? ["--insecure-ignore-sct: no signed certificate timestamp is demanded."] : []),
  ]);
  await explain(io, text, samples, options);
  io.stdout.data(text);
  return { policy: text };
};

/** Prints what the policy accepts, and what deserves a look. */
async function explain(
  io: Io,
  text: string,
  samples: readonly Sample[],
  options: Parameters<typeof decideImage>[3],
): Promise<void> {
  const policy = await readTrustPolicy(text, NAME);
  for (const rule of policy.rules) {
    for (const line of describeRule(rule).slice(1)) {
      io.stderr.write(`${printable(rule.name)}: accepts images with ${printable(line)}\n`);
    }
  }
  const sources = new PolicySources(io, policy, () => {});
  for (const { ref, target } of samples) {
    const { decision } = await decideImage(io, sources, { policy, ref, target }, options);
    const outcome = decision.ok ? "accepted" : `refused: ${decision.reasons.join("; ")}`;
    io.stderr.write(`${printable(target.name)}: ${printable(outcome)}\n`);
  }
  for (const { text: finding } of checkPolicy(policy, io.now())) io.stderr.write(`WARNING: ${printable(finding)}\n`);
}

/** The signers of the flags. A key in a file is written into the policy, which then needs no other file. */
async function givenSigners(
  io: Io,
  flags: FlagValues<(typeof definition)["flags"]>,
): Promise<Record<string, SignerText>> {
  const signers: Record<string, SignerText> = {};
  for (const reference of flags.key) {
    const key = await loadPublicKey(io, reference);
    const isFile = !/^[a-z][a-z0-9+.-]+:/i.test(reference);
    const base = reference.replace(/^.*[/\\]/s, "").replace(/\.[a-z]+$/i, "");
    signers[unusedName(base, signers)] = { key: isFile ? key.pem : reference };
  }
  const { certificateIdentity, certificateIdentityRegexp, certificateOidcIssuer, certificateOidcIssuerRegexp } = flags;
  const identity = pattern(certificateIdentity, certificateIdentityRegexp);
  const issuer = pattern(certificateOidcIssuer, certificateOidcIssuerRegexp);
  if ((identity === undefined) !== (issuer === undefined)) {
    throw new TsignError("usage", "--certificate-identity requires --certificate-oidc-issuer, and the other way round");
  }
  if (identity !== undefined && issuer !== undefined) signers[unusedName("given", signers)] = { identity, issuer };
  return signers;
}

function pattern(text: string, regexp: string): string | { regexp: string } | undefined {
  if (regexp !== "") return { regexp };
  return text === "" ? undefined : text;
}
