import { sign } from "node:crypto";
import { octetString } from "../pki/der.ts";
import type { SigningKey } from "../pki/keyring.ts";
import type { Clock } from "../server/clock.ts";
import type { FaultSwitches } from "../server/faults.ts";
import { answer, bytesOf, json, Refused, type Service } from "../server/service.ts";
import { inOrder, type Journal, otherBody } from "./journal.ts";
import { leafHash, MerkleTree } from "./merkle.ts";
import { spkiKeyId } from "./note.ts";

/** Extension with the list of SCTs (RFC 6962 §3.3). */
export const SCT_LIST_OID = "1.3.6.1.4.1.11129.2.4.2";
const MAX_ENTRIES = 256;

/** The certificate transparency log. */
export interface CtLog {
  readonly keyId: Buffer;
  readonly spki: Buffer;
  readonly service: Service;
  /** Logs a precertificate and returns the value of the SCT extension. */
  embed(entry: { tbs: Uint8Array; issuerKeyHash: Uint8Array; spoilt: boolean }): Promise<Buffer>;
}

function uint(value: number | bigint, bytes: number): Buffer {
  return Buffer.from(
    BigInt(value)
      .toString(16)
      .padStart(bytes * 2, "0"),
    "hex",
  );
}

/** Encodes `opaque <1..2^(8·prefix)-1>` of the TLS presentation language (RFC 5246 §4.3). */
function opaque(prefix: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([uint(bytes.length, prefix), bytes]);
}

/** Encodes timestamp, entry_type precert_entry, PreCert and extensions, as in both SCT and leaf (RFC 6962 §3.2, §3.4). */
function timestampedEntry(at: Date, tbs: Uint8Array, issuerKeyHash: Uint8Array): Buffer {
  return Buffer.concat([uint(at.getTime(), 8), uint(1, 2), issuerKeyHash, opaque(3, tbs), uint(0, 2)]);
}

/** Signs as DigitallySigned with SHA-256 (4) and ECDSA (3) (RFC 5246 §4.7). */
function digitallySigned(signingKey: SigningKey, message: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([4, 3]), opaque(2, sign("sha256", message, signingKey.key))]);
}

/** Entries, and the tree of their hashes. */
interface Shown {
  readonly leaves: readonly Buffer[];
  readonly tree: MerkleTree;
}

/** The tree that is shown: with the fault `forked`, another one. */
function shownTree(own: Shown, faults: FaultSwitches): Shown {
  const index = faults.value("forked", "0");
  if (index === undefined) return own;
  const leaves = own.leaves.map((leaf, at) => (at === Number(index) ? otherBody(leaf) : leaf));
  const tree = new MerkleTree();
  for (const leaf of leaves) tree.append(leafHash(leaf));
  return { leaves, tree };
}

/** The leaves from `start` to `end`, with the faults of the request. */
function leavesOf(
  leaves: readonly Buffer[],
  { start, end }: { start: number; end: number },
  faults: FaultSwitches,
): readonly Buffer[] {
  const changed = Number(faults.value("changed-entry", "0") ?? -1);
  const hidden = Number(faults.value("hidden-entry", "0") ?? -1);
  // A log may return fewer entries than were asked for: this one ends before the entry that it hides.
  const last = hidden >= start && hidden <= end ? hidden - 1 : end;
  return leaves.slice(start, last + 1).map((leaf, at) => (start + at === changed ? otherBody(leaf) : leaf));
}

/** Opens the log. It serves the read operations of RFC 6962 §4; certificates are added only by Fulcio. */
export function createCtLog(options: {
  signingKey: SigningKey;
  clock: Clock;
  journal: Journal;
  roots: readonly Uint8Array[];
}): CtLog {
  const { signingKey, clock, journal, roots } = options;
  const keyId = spkiKeyId(signingKey.spki);
  const leaves = [...journal.entries];
  const tree = new MerkleTree();
  for (const leaf of leaves) tree.append(leafHash(leaf));
  const ordered = inOrder();

  const embed: CtLog["embed"] = ({ tbs, issuerKeyHash, spoilt }) =>
    ordered(async () => {
      const now = clock();
      const entry = timestampedEntry(now, tbs, issuerKeyHash);
      const leaf = Buffer.concat([Buffer.from([0, 0]), entry]);
      await journal.append(leaf);
      leaves.push(leaf);
      tree.append(leafHash(leaf));
      // Version v1 and signature_type certificate_timestamp are two zero octets, like version and leaf_type.
      const signature = digitallySigned(signingKey, spoilt ? Buffer.concat([leaf, Buffer.from([0])]) : leaf);
      const sct = Buffer.concat([Buffer.from([0]), keyId, uint(now.getTime(), 8), uint(0, 2), signature]);
      return octetString(opaque(2, opaque(2, sct)));
    });

  const shown = (faults: FaultSwitches) => shownTree({ leaves, tree }, faults);
  const treeHead = (faults: FaultSwitches) => {
    const timestamp = clock().getTime();
    const size = Number(faults.value("head", "1") ?? tree.size);
    const root = shown(faults).tree.root(size);
    const head = Buffer.concat([Buffer.from([0, 1]), uint(timestamp, 8), uint(size, 8), root]);
    const signed = faults.has("bad-checkpoint") ? Buffer.concat([head, Buffer.from([0])]) : head;
    const tree_head_signature = digitallySigned(signingKey, signed).toString("base64");
    return { tree_size: size, timestamp, sha256_root_hash: root.toString("base64"), tree_head_signature };
  };
  const sizeOf = (text: string | null) => {
    const size = Number(text ?? Number.NaN);
    if (!Number.isInteger(size) || size < 0 || size > tree.size) throw new Refused(400, "invalid tree size");
    return size;
  };
  const base64 = (hashes: readonly Buffer[]) => hashes.map((each) => each.toString("base64"));
  const service: Service = {
    name: "ct",
    maxBody: 0,
    failure: (status, message) => answer(`${message}\n`, { status, type: "text/plain" }),
    routes: {
      "GET /ct/v1/get-sth": ({ faults }) => json(treeHead(faults)),
      "GET /ct/v1/get-roots": () => json({ certificates: roots.map((root) => Buffer.from(root).toString("base64")) }),
      "GET /ct/v1/get-sth-consistency": ({ query, faults }) => {
        const [first, second] = [sizeOf(query.get("first")), sizeOf(query.get("second"))];
        return json({ consistency: base64(shown(faults).tree.consistencyProof(first, second)) });
      },
      "GET /ct/v1/get-proof-by-hash": ({ query }) => {
        const hash = bytesOf(query.get("hash") ?? "", "hash");
        const size = sizeOf(query.get("tree_size"));
        const leaf_index = tree.row(0, 0, size).findIndex((each) => each.equals(hash));
        if (leaf_index < 0) throw new Refused(404, "leaf not found");
        return json({ leaf_index, audit_path: base64(tree.inclusionProof(leaf_index, size)) });
      },
      "GET /ct/v1/get-entries": ({ query, faults }) => {
        const start = sizeOf(query.get("start"));
        const end = Math.min(Number(query.get("end") ?? start), start + MAX_ENTRIES - 1);
        const entries = leavesOf(shown(faults).leaves, { start, end }, faults).map((leaf) => ({
          leaf_input: leaf.toString("base64"),
          extra_data: "",
        }));
        return json({ entries });
      },
    },
  };
  return { keyId, spki: signingKey.spki, service, embed };
}
