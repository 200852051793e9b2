import type { SerializedBundle, TransparencyLogEntry } from "@sigstore/bundle";
import { Bundle } from "@sigstore/protobuf-specs";
import { TsignError } from "../../errors.ts";
import { isObject, parseJson, textOf } from "../../format/json.ts";
import { BUNDLE_MEDIA_TYPE } from "../media-types.ts";
import { readBundle } from "./read.ts";
import { canonicalBundle } from "./shape.ts";
import { bundleText } from "./write.ts";

type Material = NonNullable<Bundle["verificationMaterial"]>;
type Entry = Material["tlogEntries"][number];

const VERSION = /^application\/vnd\.dev\.sigstore\.bundle(?:\+json;version=(0\.[123])|\.v(0\.3)\+json)$/;

export interface UpgradeOptions {
  /** Names the bundle in errors. */
  readonly path: string;
  /** Fetches a log's entry at an index, with its inclusion proof. It is compared with the bundle's entry. */
  fetchEntry(logIndex: string): Promise<TransparencyLogEntry>;
  /** Called with progress messages. */
  notice(text: string): void;
}

/**
 * Converts a bundle of version 0.1 or 0.2 to version 0.3: keeps only the leaf certificate, and adds missing inclusion proofs. The
 * signed content stays unchanged. A bundle of version 0.3 is returned byte for byte.
 *
 * @throws TsignError "bad-bundle" for an invalid bundle, or one that cannot be converted; "service" for a different log entry
 */
export async function upgradeBundle(bytes: Uint8Array, options: UpgradeOptions): Promise<Uint8Array> {
  const { path, notice } = options;
  const json = parseJson(bytes, path);
  const [, old, recent] = (isObject(json) && VERSION.exec(textOf(json["mediaType"]))) || [];
  const version = old ?? recent;
  if (version === undefined) {
    throw new TsignError("bad-bundle", `${path} is not a Sigstore bundle of version 0.1 to 0.3`, {
      hint: "convert a bundle of the old format with `tsign bundle create --bundle`",
    });
  }
  const origin = { kind: "file", where: path } as const;
  if (version === "0.3") {
    readBundle(bytes, origin);
    notice("Bundle is already at v0.3, no upgrade needed.");
    return bytes;
  }
  notice(`Upgrading from v${version} to v0.3...`);
  const bundle = Bundle.fromJSON(canonicalBundle(json));
  const material = bundle.verificationMaterial;
  if (!material) throw new TsignError("bad-bundle", `${path} has no verification material`);
  keepLeaf(material, options);
  material.tlogEntries = await Promise.all(material.tlogEntries.map((entry) => withProof(entry, options)));
  const written = Bundle.toJSON({ ...bundle, mediaType: BUNDLE_MEDIA_TYPE }) as SerializedBundle;
  const upgraded = Buffer.from(bundleText(written));
  readBundle(upgraded, origin);
  return upgraded;
}

function keepLeaf(material: Material, { path, notice }: UpgradeOptions): void {
  if (material.content?.$case !== "x509CertificateChain") return;
  const [leaf] = material.content.x509CertificateChain.certificates;
  if (!leaf) throw new TsignError("bad-bundle", `${path} has an empty certificate chain`);
  notice("Truncating certificate chain to only the leaf certificate...");
  material.content = { $case: "certificate", certificate: leaf };
}

async function withProof(entry: Entry, { path, fetchEntry, notice }: UpgradeOptions): Promise<Entry> {
  if (entry.inclusionProof?.checkpoint) return entry;
  notice(`Fetching missing inclusion proof for log index ${entry.logIndex}...`);
  const fetched = await fetchEntry(entry.logIndex);
  if (!isSameEntry(fetched, entry)) {
    throw new TsignError("service", `log entry ${entry.logIndex} differs from the one in ${path}`, {
      service: "rekor",
    });
  }
  return { ...entry, inclusionProof: fetched.inclusionProof };
}

/** Whether two entries have the same log and the same body. */
function isSameEntry(one: TransparencyLogEntry, other: Entry): boolean {
  const sameLog = Buffer.compare(one.logId.keyId, other.logId?.keyId ?? Buffer.alloc(0)) === 0;
  return sameLog && Buffer.compare(one.canonicalizedBody, other.canonicalizedBody) === 0;
}
