import { printable } from "../../format/printable.ts";
import type { Output, Part } from "../../io/io.ts";
import { type Look, plain, shortDigests } from "./style.ts";

/** Something attached to an image. */
export interface Attached {
  /** What it is, for its group: `Signatures`, `Attestations (SLSA provenance v1)`. */
  readonly group: string;
  /** Its title as cosign writes it, without the picture in front. */
  readonly title: string;
  /** The picture in front of the title. */
  readonly picture: string;
  /** `registry/repository:tag` or `…@sha256:…`. */
  readonly where: string;
  readonly layers: readonly { readonly digest: string; readonly signer: string | undefined }[];
}

/** Names of predicate types, by the pattern of their URIs. */
const PREDICATES: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/^https:\/\/slsa\.dev\/provenance\/(v[0-9.]+)$/, "SLSA provenance $1"],
  [/^https:\/\/slsa\.dev\/verification_summary\/(v[0-9.]+)$/, "SLSA verification summary $1"],
  [/^https:\/\/spdx\.dev\/Document(?:\/.*)?$/, "SPDX"],
  [/^https:\/\/cyclonedx\.org\/bom(?:\/.*)?$/, "CycloneDX"],
  [/^https:\/\/in-toto\.io\/Link\/.*$/, "in-toto link"],
  [/^https:\/\/in-toto\.io\/attestation\/(.*)$/, "$1"],
  [/^https:\/\/cosign\.sigstore\.dev\/attestation\/vuln\/v1$/, "vulnerability scan"],
  [/^https:\/\/cosign\.sigstore\.dev\/attestation\/v1$/, "custom"],
  [/^https:\/\/openvex\.dev\/ns.*$/, "OpenVEX"],
];
const SBOM_TYPE = /spdx|cyclonedx|syft|sbom/i;

/** The group of an attestation: its predicate type by name, or the type itself. */
export function attestationGroup(predicateType: string): string {
  const [pattern, name] = PREDICATES.find(([each]) => each.test(predicateType)) ?? [];
  const type = pattern && name !== undefined ? predicateType.replace(pattern, name) : predicateType;
  return `Attestations (${printable(type)})`;
}

/** The group of an artifact that is neither a signature nor an attestation. */
export function artifactGroup(artifactType: string): string {
  return SBOM_TYPE.test(artifactType) ? "SBOMs" : "Other artifacts";
}

/** Groups in their order: those not named here come between, by name. */
const FIRST = "Signatures";
const LAST: readonly string[] = ["SBOMs", "Other artifacts"];

/**
 * Prints what is attached to an image as a tree with a branch for each group. cosign's titles are kept, which scripts look for.
 * A terminal gets digests shortened.
 *
 * @param header the line above
 */
export function printTree(
  stdout: Output,
  options: { header: string; attached: readonly Attached[]; look: Look },
): void {
  const { header, attached, look } = options;
  const branches = branchesFor(look);
  const write = (parts: readonly Part[]) => {
    const shown = parts.map((part) => ({ ...part, text: shortDigests(part.text, look) }));
    stdout.write(`${plain(shown)}\n`, { parts: shown });
  };
  const picture = (text: string) => (branches.pictures ? `${text} ` : "");
  write([{ text: `${picture("📦")}${header}`, style: "strong" }]);
  const groups = groupsOf(attached);
  for (const [index, [group, members]] of groups.entries()) {
    const outer = branches.at(index, groups.length);
    write([{ text: outer.branch }, { text: group, style: "strong" }]);
    for (const [position, member] of members.entries()) {
      const inner = branches.at(position, members.length);
      const before = `${outer.below}${inner.branch}`;
      write([{ text: before }, { text: `${picture(member.picture)}${member.title}: ${member.where}` }]);
      for (const [at, { digest, signer }] of member.layers.entries()) {
        const leaf = branches.at(at, member.layers.length);
        write([{ text: `${outer.below}${inner.below}${leaf.branch}${picture("🍒")}${digest}` }]);
        if (signer === undefined) continue;
        write([{ text: `${outer.below}${inner.below}${leaf.below}by ` }, { text: signer, style: "strong" }]);
      }
    }
  }
}

/** A terminal without Unicode gets ASCII; pipes always get cosign's characters. */
function branchesFor({ terminal, unicode }: Look) {
  const pictures = unicode || !terminal;
  const [middle, last, line] = pictures ? ["├── ", "└── ", "│   "] : ["|-- ", "`-- ", "|   "];
  return {
    pictures,
    at: (index: number, count: number) =>
      index === count - 1 ? { branch: last, below: "    " } : { branch: middle, below: line },
  };
}

function groupsOf(attached: readonly Attached[]): [group: string, members: Attached[]][] {
  const groups = new Map<string, Attached[]>();
  for (const each of attached) groups.set(each.group, [...(groups.get(each.group) ?? []), each]);
  const order = (group: string) => (group === FIRST ? 0 : 2 + LAST.indexOf(group)); // 1 for those not listed
  return [...groups].sort(([a], [b]) => order(a) - order(b) || (a < b ? -1 : 1));
}
