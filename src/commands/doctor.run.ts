import type { Finding } from "../cli/doctor/finding.ts";
import { checkRegistry } from "../cli/doctor/registry.ts";
import { checkServices } from "../cli/doctor/services.ts";
import { checkClock, checkProxies, observed } from "../cli/doctor/traffic.ts";
import { checkTrustedRoot, checkTuf } from "../cli/doctor/trust.ts";
import { registryOptions } from "../cli/flags/registry.ts";
import type { FlagValues, Run } from "../cli/parser/define.ts";
import { TsignError } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { readBlob } from "../net/input.ts";
import { Connections } from "../oci/open.ts";
import { parseReference } from "../oci/ref.ts";
import type definition from "./doctor.ts";

type Flags = FlagValues<typeof definition.flags>;

export const run: Run<typeof definition> = async (io, { args: [image], flags, answer }) => {
  if (image !== undefined) parseReference(image); // a misspelt name is refused before anything is asked
  const config = flags.signingConfig === "" ? undefined : await readBlob(io, flags.signingConfig);
  const traffic = observed(io);
  const registry = { ...registryOptions(flags), connections: new Connections() };
  const [ofRegistry, ofTrust] = await Promise.all([
    image === undefined ? [] : checkRegistry(traffic, image, registry),
    checkTrustAndServices(traffic.io, flags, config),
  ]);
  const checks = [...ofRegistry, ...ofTrust, ...checkProxies(traffic), checkClock(traffic)];
  for (const each of checks) print(io, each);
  answer({ checks });
  const bad = checks.filter(({ state }) => state === "failed");
  const [first] = bad;
  if (!first) return { checks };
  const names = [...new Set(bad.map(({ check }) => check))].join(", ");
  throw new TsignError(first.code ?? "input", `${bad.length} of ${checks.length} checks failed: ${names}`);
};

async function checkTrustAndServices(io: Io, flags: Flags, config: Uint8Array | undefined): Promise<Finding[]> {
  const { trustedRoot, signingConfig } = flags;
  const isTufNeeded = trustedRoot === "" || config === undefined;
  const [ofFile, ofTuf] = await Promise.all([
    trustedRoot === "" ? undefined : checkTrustedRoot(io, trustedRoot),
    isTufNeeded ? checkTuf(io) : undefined,
  ]);
  const findings = [...(ofFile ? [ofFile] : []), ...(ofTuf?.findings ?? [])];
  const used = config ?? ofTuf?.signingConfig;
  if (used) return [...findings, ...(await checkServices(io, used, signingConfig || "of the TUF repository"))];
  if (findings.some(({ check }) => check === "signing config")) return findings;
  const detail = "needs the trust material";
  return [...findings, { check: "signing config", subject: "of the TUF repository", state: "skipped", detail }];
}

const WORDS = { ok: "ok", warning: "warning", failed: "FAILED", skipped: "skipped" } as const;

function print(io: Pick<Io, "stdout">, { check, subject, state, detail, hint }: Finding): void {
  io.stdout.write(`${WORDS[state].padEnd(8)} ${check} ${subject}: ${detail}\n`);
  if (hint !== undefined) io.stdout.write(`\tto do: ${hint}\n`);
}
