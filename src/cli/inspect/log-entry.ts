import type { Bundle } from "@sigstore/protobuf-specs";
import { type Node, node, present, timeText, warning } from "./tree.ts";

type Entry = NonNullable<Bundle["verificationMaterial"]>["tlogEntries"][number];
type Proof = NonNullable<Entry["inclusionProof"]>;

/** What a log entry says, line by line; of the promise and the proof, what a bundle's version asks for. */
export function logEntryNode(entry: Entry, index: number, version: string | undefined): Node {
  const { logId, kindVersion, inclusionPromise, inclusionProof, canonicalizedBody } = entry;
  const seconds = Number(entry.integratedTime);
  const body = Buffer.from(canonicalizedBody);
  return node(
    `Entry [${index}]`,
    undefined,
    node("Log Index", entry.logIndex),
    logId ? node("Log ID", Buffer.from(logId.keyId).toString("hex")) : undefined,
    ...(kindVersion ? [node("Kind", kindVersion.kind), node("Version", kindVersion.version)] : []),
    node("Integrated Time", seconds === 0 ? "0 (Not set)" : timeText(new Date(seconds * 1000))),
    inclusionPromise
      ? node("Inclusion Promise", undefined, present("Signed Entry Timestamp", inclusionPromise.signedEntryTimestamp))
      : undefined,
    inclusionProof ? proofNode(inclusionProof) : undefined,
    body.length > 0 ? present("Canonicalized Body", body) : undefined,
    ...lacking(entry, version),
  );
}

function lacking({ inclusionPromise, inclusionProof }: Entry, version: string | undefined): Node[] {
  if (version === "0.1") {
    return inclusionPromise ? [] : [warning("v0.1 bundle tlog entry MUST contain an inclusion promise")];
  }
  if (version === undefined || inclusionProof) return [];
  return [warning(`v${version} bundle tlog entry MUST contain an inclusion proof`)];
}

function proofNode({ logIndex, treeSize, hashes, checkpoint }: Proof): Node {
  return node(
    "Inclusion Proof",
    undefined,
    node("Log Index", logIndex),
    node("Tree Size", treeSize),
    node("Hashes", hashes.length),
    checkpoint ? node("Checkpoint", undefined, ...checkpointNodes(checkpoint.envelope)) : undefined,
  );
}

/** A signed note (C2SP signed-note) over a checkpoint (C2SP tlog-checkpoint): origin, size, root hash, other lines. */
function checkpointNodes(envelope: string): Node[] {
  const note = readNote(envelope);
  if (!note) return [present("Envelope", Buffer.from(envelope))];
  const { origin, size, other, signatures } = note;
  const others = other.map((line, index) => node(`[${index}]`, line));
  return [
    node("Origin", origin),
    node("Tree Size", size),
    ...(other.length > 0 ? [node("Other Content", `${other.length} lines`, ...others)] : []),
    node(
      "Witnesses",
      signatures.length,
      ...signatures.map(({ name, bytes }) => present(name, bytes, "Signature Present ")),
    ),
  ];
}

/** Before a signature stands the first half of a hash of the key's name. Bytes. */
const KEY_HASH = 4;

function readNote(envelope: string) {
  const end = envelope.indexOf("\n\n");
  const [origin = "", size = "", root = "", ...other] = envelope.slice(0, Math.max(end, 0)).split("\n");
  if (end < 0 || origin === "" || !/^[0-9]+$/.test(size) || !/^[A-Za-z0-9+/]+=*$/.test(root)) return undefined;
  const lines = envelope
    .slice(end + 2)
    .split("\n")
    .filter((line) => line !== "");
  const signatures = lines.flatMap((line) => {
    const [, name, encoded = ""] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, bytes: Buffer.from(encoded, "base64").subarray(KEY_HASH) }];
  });
  return signatures.length > 0 && signatures.length === lines.length ? { origin, size, other, signatures } : undefined;
}
