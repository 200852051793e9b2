import { recordOfEntry } from "../../cli/inspect/logged-entry.ts";
import { parseServiceUrl } from "../../cli/options/service-url.ts";
import type { FlagValues, Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { readCertificates } from "../../evidence/legacy/read.ts";
import { certificatePem } from "../../evidence/legacy/write.ts";
import { hash, readMessage } from "../../format/digest.ts";
import type { Io } from "../../io/io.ts";
import { publicKeyFromPem } from "../../keys/index.ts";
import { openProvider } from "../../keys/providers/open.ts";
import { openBlob, readBlob } from "../../net/input.ts";
import { entriesByUuid, type IndexQuery, searchIndex } from "../../services/rekor-search.ts";
import type definition from "./search.ts";

type Flags = FlagValues<typeof definition.flags>;
type Criterion = readonly Omit<IndexQuery, "operator">[];

const DIGEST = /^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}|sha1:[0-9a-f]{40})$/i;

export const run: Run<typeof definition> = async (io, { flags }) => {
  const url = parseServiceUrl(flags.rekorUrl, "rekorUrl");
  const criteria = await criteriaOf(io, flags);
  const sets: Set<string>[] = [];
  for (const criterion of criteria) {
    const found = new Set<string>();
    for (const query of criterion) {
      for (const uuid of await searchIndex(io, url, { ...query, operator: "or" })) found.add(uuid);
    }
    sets.push(found);
  }
  const all = [...new Set(sets.flatMap((set) => [...set]))];
  const uuids = flags.operator === "and" ? all.filter((uuid) => sets.every((set) => set.has(uuid))) : all;
  if (uuids.length === 0) {
    throw new TsignError("input", `search the log at ${url.host}: no matching entries`);
  }
  const fetched = await entriesByUuid(io, url, uuids.slice(0, flags.limit));
  const entries = fetched
    .map(({ uuid, entry }) => recordOfEntry(entry, uuid))
    .sort((a, b) => Number(b.logIndex) - Number(a.logIndex));
  for (const { logIndex, integratedTime = "", kind, version, signers, uuid } of entries) {
    io.stdout.write(`${[logIndex, integratedTime, `${kind} ${version}`, uuid, signers.join(", ")].join("  ")}\n`);
  }
  const more = uuids.length - flags.limit;
  if (more > 0) io.stderr.write(`${more} more entries match; show them with --limit ${uuids.length}\n`);
  io.stderr.write("WARNING: nothing was verified; verify an entry with `tsign log verify INDEX`\n");
  return { found: uuids.length, entries };
};

/** The criteria of the flags; an entry meets one if it matches any of its queries. */
async function criteriaOf(io: Io, { artifact, email, key }: Flags): Promise<Criterion[]> {
  const criteria: Criterion[] = [
    ...(artifact === "" ? [] : [[{ digest: await digestOf(io, artifact) }]]),
    ...(email === "" ? [] : [[{ email: requireEmail(email) }]]),
    ...(key === "" ? [] : [await keyQueries(io, key)]),
  ];
  if (criteria.length > 0) return criteria;
  throw new TsignError("usage", "one of --artifact, --email or --key is required", {
    hint: "pass --artifact FILE, --email ADDRESS or --key FILE",
  });
}

async function digestOf(io: Io, artifact: string): Promise<string> {
  if (DIGEST.test(artifact) && !(await io.files.stat(artifact))) return artifact.toLowerCase();
  const message = await readMessage(openBlob(io, artifact), { hashes: ["sha256"], keepBytes: 0 });
  return `sha256:${Buffer.from(message.digest("sha256")).toString("hex")}`;
}

/** Rekor searches for email addresses only; URIs are in its index, but its API refuses them. */
function requireEmail(email: string): string {
  if (/^[^\s@:/]+@[^\s@:/]+$/.test(email)) return email;
  throw new TsignError("usage", `not an email address: "${email}"`, {
    hint: "pass the certificate with --key, or the signed file with --artifact",
  });
}

/** Rekor lists keys of files by their hash, and keys of attestations by their hash as that of an artifact. */
async function keyQueries(io: Io, reference: string): Promise<Criterion> {
  const pem = await pemOf(io, reference);
  const digest = `sha256:${Buffer.from(hash("sha256", Buffer.from(pem))).toString("hex")}`;
  return [{ publicKey: pem }, { digest }];
}

async function pemOf(io: Io, reference: string): Promise<string> {
  const provider = await openProvider(io, reference);
  if (provider) return (await provider.publicKey()).pem;
  const text = Buffer.from(await readBlob(io, reference)).toString("utf8");
  const [leaf] = text.includes("BEGIN CERTIFICATE") ? readCertificates(text, reference) : [];
  return leaf ? certificatePem(leaf) : publicKeyFromPem(text).pem;
}
