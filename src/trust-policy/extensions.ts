/** Arc of Fulcio's certificate extensions (fulcio, docs/oid-info.md). */
const FULCIO = "1.3.6.1.4.1.57264.1.";

/** Names of Fulcio's extensions in a policy, with the last number of their OID. The issuer has its own field. */
const NUMBERS: Readonly<Record<string, number>> = {
  githubWorkflowTrigger: 2,
  githubWorkflowSHA: 3,
  githubWorkflowName: 4,
  githubWorkflowRepository: 5,
  githubWorkflowRef: 6,
  buildSignerURI: 9,
  buildSignerDigest: 10,
  runnerEnvironment: 11,
  sourceRepositoryURI: 12,
  sourceRepositoryDigest: 13,
  sourceRepositoryRef: 14,
  sourceRepositoryIdentifier: 15,
  sourceRepositoryOwnerURI: 16,
  sourceRepositoryOwnerIdentifier: 17,
  buildConfigURI: 18,
  buildConfigDigest: 19,
  buildTrigger: 20,
  runInvocationURI: 21,
  sourceRepositoryVisibilityAtSigning: 22,
  deploymentEnvironment: 23,
  tokenSubject: 24,
};

export const EXTENSION_NAMES: readonly string[] = Object.keys(NUMBERS);

/** The OID of an extension by its name in a policy, or by its OID below Fulcio's arc; undefined for another text. */
export function extensionOid(name: string): string | undefined {
  const number = Object.hasOwn(NUMBERS, name) ? NUMBERS[name] : undefined;
  if (number !== undefined) return `${FULCIO}${number}`;
  const last = name.startsWith(FULCIO) ? name.slice(FULCIO.length) : "";
  return Object.values(NUMBERS).some((each) => String(each) === last) ? name : undefined;
}
