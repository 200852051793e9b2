import { TsignError, withSubject } from "../../errors.ts";
import { readCertificates } from "../../evidence/legacy/read.ts";
import { parseCertificate } from "../../trust/certificate.ts";
import type { TrustedMaterial } from "../../trust/material.ts";
import { readTrustedRoot } from "../../trust/trusted-root.ts";
import type { SingleTarget, Tuf } from "../tuf/index.ts";
import { authorityOf, logsOf, timestampAuthority } from "./files.ts";

const TRUSTED_ROOT = "trusted_root.json";

/**
 * Reads the trusted material of a TUF repository: its trusted root or, if that is missing or unusable, the certificates and
 * keys that it lists one by one, as mirrors of older installations do. Those have no validity period, hence the warning.
 *
 * @param warn called with the reason and the targets that are used instead of the trusted root
 * @throws TsignError of the trusted root, if there are no single targets either
 */
export async function readDistributedRoot(tuf: Tuf, warn: (text: string) => void): Promise<TrustedMaterial> {
  try {
    return readTrustedRoot(await tuf.target(TRUSTED_ROOT), "the distributed trusted root");
  } catch (error) {
    if (!(error instanceof TsignError) || error.code !== "untrusted") throw error;
    const targets = tuf.listed();
    if (!targets.some(({ usage }) => usage === "Fulcio" || usage === "Rekor")) throw error;
    const material = await readSingleTargets(tuf, targets);
    const names = targets.map(({ name }) => name).join(", ");
    warn(`${error.message}; using the single targets ${names}, which have no validity period`);
    return material;
  }
}

async function readSingleTargets(tuf: Tuf, targets: readonly SingleTarget[]): Promise<TrustedMaterial> {
  const read = (usage: SingleTarget["usage"]) =>
    Promise.all(
      targets
        .filter((each) => each.usage === usage)
        .map(async ({ name, uri }) => ({ name, uri, pem: Buffer.from(await tuf.target(name)).toString("latin1") })),
    );
  const certificates = async (usage: "Fulcio" | "TSA") =>
    (await read(usage)).flatMap(({ name, pem }) => {
      const found = readCertificates(pem, name);
      for (const der of found) parseCertificate(der); // checks that each is usable
      return found;
    });
  const logs = async (usage: "Rekor" | "CTFE") =>
    (await read(usage)).flatMap(({ name, uri, pem }) => logsOf(pem, { path: name, baseUrl: uri || name }));
  const tsa = authorityOf(await certificates("TSA"));
  const timestamps = [...tsa.intermediates, ...tsa.roots]; // the root last
  return {
    authorities: [authorityOf(await certificates("Fulcio"))],
    logs: await logs("Rekor"),
    ctLogs: await logs("CTFE"),
    timestampAuthorities:
      timestamps.length === 0 ? [] : [await withSubject("the TSA targets", () => timestampAuthority(timestamps))],
  };
}
