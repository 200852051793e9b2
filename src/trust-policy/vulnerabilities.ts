import { isObject } from "../format/json.ts";
import { SEVERITIES, type VulnerabilityDemand } from "./model.ts";

/** Clocks of scanners may be ahead by this much, in milliseconds. */
const CLOCK_SKEW = 5 * 60_000;
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** A vulnerability that a scan found. */
interface Finding {
  readonly id: string;
  /** In lower case, as the scanner writes it. */
  readonly severity: string;
}

/**
 * Why a vulnerability scan does not satisfy the demand; empty if it does. A scan without a time, with a severity that is unknown,
 * or with a result that cannot be read does not satisfy it.
 *
 * @param statement an in-toto statement of type https://cosign.sigstore.dev/attestation/vuln/v1
 */
export function vulnerabilityFaults(statement: unknown, demand: VulnerabilityDemand, now: Date): string[] {
  return [...ageFaults(statement, demand.maxAge, now), ...severityFaults(statement, demand)];
}

/** The time at which a scan ended; undefined if the statement does not state it. */
export function scanTime(statement: unknown): Date | undefined {
  const metadata = member(member(statement, "predicate"), "metadata");
  const text = member(metadata, "scanFinishedOn");
  if (typeof text !== "string" || !RFC_3339.test(text)) return undefined;
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? undefined : time;
}

function ageFaults(statement: unknown, maxAge: number | undefined, now: Date): string[] {
  if (maxAge === undefined) return [];
  const time = scanTime(statement);
  if (time === undefined) return ["scan has no scanFinishedOn, so its age is unknown"];
  if (time.getTime() > now.getTime() + CLOCK_SKEW) return [`scan is from the future: ${time.toISOString()}`];
  const oldest = new Date(now.getTime() - maxAge);
  return time < oldest ? [`scan is too old: got ${time.toISOString()}, want ${oldest.toISOString()} or later`] : [];
}

function severityFaults(statement: unknown, { worst, ignore }: VulnerabilityDemand): string[] {
  if (worst === undefined) return [];
  const result = member(member(member(statement, "predicate"), "scanner"), "result");
  const isTrivy = member(result, "SchemaVersion") !== undefined;
  const findings = isTrivy ? readTrivy(result) : readGrype(result);
  if (findings === undefined) return ["scan result is not in a known form: expected that of Trivy or Grype"];
  const limit = SEVERITIES.indexOf(worst);
  const above = findings.filter(({ id, severity }) => {
    const rank = (SEVERITIES as readonly string[]).indexOf(severity);
    return !ignore.includes(id) && (severity === "none" || rank < 0 || rank > limit);
  });
  if (above.length === 0) return [];
  const [first] = above;
  const more = above.length > 1 ? ` and ${above.length - 1} more` : "";
  return [`scan found ${first?.id} (${first?.severity})${more}, want at worst ${worst}`];
}

/** The report of Trivy, schema version 2. */
function readTrivy(result: unknown): Finding[] | undefined {
  if (member(result, "SchemaVersion") !== 2) return undefined;
  const results = member(result, "Results") ?? [];
  return listed(results, (each) => {
    const found = member(each, "Vulnerabilities") ?? [];
    return listed(found, (finding) => readFinding(member(finding, "VulnerabilityID"), member(finding, "Severity")));
  });
}

/** The report of Grype. */
function readGrype(result: unknown): Finding[] | undefined {
  const matches = member(result, "matches");
  return listed(matches, (each) => {
    const vulnerability = member(each, "vulnerability");
    return readFinding(member(vulnerability, "id"), member(vulnerability, "severity"));
  });
}

function readFinding(id: unknown, severity: unknown): Finding[] | undefined {
  if (typeof id !== "string" || typeof severity !== "string") return undefined;
  return [{ id, severity: severity.toLowerCase() }];
}

/** What is read from all items; undefined if one cannot be read, or it is not a list. */
function listed(list: unknown, read: (item: unknown) => Finding[] | undefined): Finding[] | undefined {
  if (!Array.isArray(list)) return undefined;
  const findings: Finding[] = [];
  for (const item of list) {
    const found = read(item);
    if (found === undefined) return undefined;
    findings.push(...found);
  }
  return findings;
}

function member(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}
