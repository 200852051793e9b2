import { sha256 } from "./archive.ts";
import type { Component } from "./components.ts";
import { HOMEPAGE, PROGRAM } from "./names.ts";

/** What a list of components is about: the program, or its container image. */
interface Subject {
  /** Added to the program's name: `-image`, `-image-no-policy`. None for the program. */
  readonly suffix?: string;
  readonly version: string;
  /** In seconds since 1970. */
  readonly seconds: number;
  readonly commit: string;
}

/** Returns the package URL of a component (purl specification). */
function purl({ name, version, kind, architecture = "", repository = "" }: Component): string {
  if (kind === "runtime") return `pkg:generic/${name}@${version}`;
  if (kind === "deb") return `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}`;
  if (kind === "oci") return `pkg:oci/${name}@${encodeURIComponent(version)}?repository_url=${repository}`;
  return `pkg:${kind}/${name.split("/").map(encodeURIComponent).join("/")}@${encodeURIComponent(version)}`;
}

function timestamp(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
}

/** Returns the list of the components as SPDX 2.3, in JSON. */
export function spdx(parts: readonly Component[], { version, seconds, commit, suffix = "" }: Subject): string {
  const idOf = ({ kind, name, version: of, architecture }: Component) => {
    return ["SPDXRef", kind, name, of, ...(architecture === undefined ? [] : [architecture])]
      .join("-")
      .replace(/[^A-Za-z0-9.-]/g, "-");
  };
  const own = `SPDXRef-${PROGRAM}${suffix}`;
  const packages = parts.map((part) => ({
    SPDXID: idOf(part),
    name: part.name,
    versionInfo: part.version,
    downloadLocation: "NOASSERTION",
    filesAnalyzed: false,
    licenseConcluded: part.license,
    licenseDeclared: part.license,
    copyrightText: "NOASSERTION",
    externalRefs: [{ referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: purl(part) }],
  }));
  const document = {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: `${PROGRAM}-${version}${suffix}`,
    documentNamespace: `${HOMEPAGE}/spdx/${version}/${commit}${suffix}`,
    creationInfo: { created: timestamp(seconds), creators: [`Tool: ${PROGRAM}-release-${version}`] },
    packages: [
      {
        SPDXID: own,
        name: `${PROGRAM}${suffix}`,
        versionInfo: version,
        primaryPackagePurpose: suffix === "" ? "APPLICATION" : "CONTAINER",
        downloadLocation: `git+${HOMEPAGE}@${commit}`,
        filesAnalyzed: false,
        licenseConcluded: "Apache-2.0",
        licenseDeclared: "Apache-2.0",
        copyrightText: "NOASSERTION",
      },
      ...packages,
    ],
    relationships: [
      { spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: own },
      ...parts.map((part) => ({ spdxElementId: own, relationshipType: "CONTAINS", relatedSpdxElement: idOf(part) })),
    ],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Returns the list of the components as CycloneDX 1.6, in JSON. */
export function cyclonedx(parts: readonly Component[], { version, seconds, commit, suffix = "" }: Subject): string {
  const hex = sha256(`${version} ${commit}${suffix}`);
  const own = `${PROGRAM}${suffix}`;
  const type = suffix === "" ? "application" : "container";
  // A version 8 UUID (RFC 9562, section 5.8), so that the same commit gives the same document.
  const uuid = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  const licence = (license: string) => {
    if (license === "NOASSERTION") return {};
    return { licenses: [/ (AND|OR) /.test(license) ? { expression: license } : { license: { id: license } }] };
  };
  const document = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuid}`,
    version: 1,
    metadata: {
      timestamp: timestamp(seconds),
      component: { type, "bom-ref": own, name: own, version, ...licence("Apache-2.0") },
    },
    components: parts.map((part) => ({
      type: part.kind === "runtime" ? "framework" : part.kind === "oci" ? "container" : "library",
      "bom-ref": purl(part),
      name: part.name,
      version: part.version,
      purl: purl(part),
      ...licence(part.license),
    })),
    dependencies: [{ ref: own, dependsOn: parts.map(purl) }, ...parts.map((part) => ({ ref: purl(part) }))],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/**
 * Returns the predicate of SLSA provenance 1.0 (slsa.dev/spec/v1.0/provenance) for all files of a release. The subjects are in
 * the statement, which `tsign attest-blob` makes for each file.
 *
 * @param parameters the flags of the build
 */
export function provenance(
  parts: readonly Component[],
  { version, seconds, commit }: Subject,
  parameters: Readonly<Record<string, unknown>>,
): string {
  const predicate = {
    buildDefinition: {
      buildType: `${HOMEPAGE}/blob/main/docs/release.md`,
      externalParameters: { version, ...parameters },
      internalParameters: { sourceDateEpoch: seconds },
      resolvedDependencies: [
        { uri: `git+${HOMEPAGE}`, digest: { gitCommit: commit } },
        ...parts.map((part) => ({ uri: purl(part) })),
      ],
    },
    runDetails: {
      builder: { id: `${HOMEPAGE}/blob/main/scripts/release/release.ts` },
      metadata: { invocationId: `${HOMEPAGE}/releases/${version}/${commit}` },
    },
  };
  return `${JSON.stringify(predicate, null, 2)}\n`;
}
