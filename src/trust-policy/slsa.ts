import { isObject } from "../format/json.ts";
import type { SlsaDemand, TextPattern } from "./model.ts";

/** What a provenance says about a build; undefined for what it does not say in a form that is known here. */
interface Provenance {
  readonly builder: string | undefined;
  readonly buildType: string | undefined;
  /** Without `git+`, the ref and `.git`. */
  readonly source: string | undefined;
  readonly ref: string | undefined;
  readonly commit: string | undefined;
}

/** Build types whose external parameters name a workflow of GitHub Actions. */
const GITHUB_WORKFLOW = [
  "https://actions.github.io/buildtypes/workflow/v1",
  "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1",
];

/**
 * Why a provenance does not satisfy the demand; empty if it does. What it does not state is a reason, never a match.
 *
 * @param statement an in-toto statement, SLSA provenance v0.2 or v1
 * @param builders the levels that builders are trusted for
 */
export function slsaFaults(
  statement: unknown,
  demand: SlsaDemand,
  builders: readonly { readonly builder: TextPattern; readonly level: number }[],
): string[] {
  const provenance = readProvenance(statement);
  const faults = (["builder", "buildType", "source", "ref"] as const).flatMap((field) => {
    const pattern = demand[field];
    return pattern === undefined ? [] : mismatch(field, provenance[field], pattern);
  });
  const { commit, level } = demand;
  if (commit !== undefined && provenance.commit !== commit) {
    faults.push(`provenance commit mismatch: got ${provenance.commit ?? "none"}, want ${commit}`);
  }
  if (level === undefined) return faults;
  const { builder } = provenance;
  const trusted = builder === undefined ? [] : builders.filter((each) => each.builder.matches(builder));
  const found = Math.max(0, ...trusted.map((each) => each.level));
  if (found < level) {
    faults.push(`provenance level mismatch: got ${found} for builder ${builder ?? "none"}, want at least ${level}`);
  }
  return faults;
}

function mismatch(field: string, actual: string | undefined, pattern: TextPattern): string[] {
  if (actual !== undefined && pattern.matches(actual)) return [];
  return [`provenance ${field} mismatch: got ${actual ?? "none"}, want ${pattern.text}`];
}

function readProvenance(statement: unknown): Provenance {
  const predicate = member(statement, "predicate");
  const isV1 = text(member(statement, "predicateType")) === "https://slsa.dev/provenance/v1";
  return isV1 ? readV1(predicate) : readV02(predicate);
}

/** slsa.dev/provenance/v0.2: the source is invocation.configSource. */
function readV02(predicate: unknown): Provenance {
  const source = member(member(predicate, "invocation"), "configSource");
  return {
    builder: text(member(member(predicate, "builder"), "id")),
    buildType: text(member(predicate, "buildType")),
    ...splitUri(text(member(source, "uri"))),
    commit: commitOf(source),
  };
}

/**
 * slsa.dev/provenance/v1: the source is an external parameter, whose form depends on the build type. Resolved dependencies are
 * not a source by themselves: a build of another repository may depend on this one.
 */
function readV1(predicate: unknown): Provenance {
  const definition = member(predicate, "buildDefinition");
  const buildType = text(member(definition, "buildType"));
  const builder = text(member(member(member(predicate, "runDetails"), "builder"), "id"));
  const parameters = member(definition, "externalParameters");
  if (buildType !== undefined && GITHUB_WORKFLOW.includes(buildType)) {
    const workflow = member(parameters, "workflow");
    const source = withoutGit(text(member(workflow, "repository")));
    const ref = text(member(workflow, "ref"));
    return { builder, buildType, source, ref, commit: resolvedCommit(definition, source, ref) };
  }
  const source = member(parameters, "source");
  const parts = splitUri(text(source) ?? text(member(source, "uri")));
  return {
    builder,
    buildType,
    ...parts,
    commit: commitOf(source) ?? resolvedCommit(definition, parts.source, parts.ref),
  };
}

/** The commit of the dependency that is the source itself; undefined if none is, or several with different commits are. */
function resolvedCommit(definition: unknown, source: string | undefined, ref: string | undefined): string | undefined {
  const dependencies = member(definition, "resolvedDependencies");
  if (source === undefined || !Array.isArray(dependencies)) return undefined;
  const commits = dependencies.flatMap((dependency) => {
    const parts = splitUri(text(member(dependency, "uri")));
    return parts.source === source && (parts.ref === undefined || parts.ref === ref) ? [commitOf(dependency)] : [];
  });
  return new Set(commits).size === 1 ? commits[0] : undefined;
}

function commitOf(resource: unknown): string | undefined {
  const digest = member(resource, "digest");
  const [git, sha1] = [text(member(digest, "gitCommit")), text(member(digest, "sha1"))];
  return git !== undefined && sha1 !== undefined && git !== sha1 ? undefined : (git ?? sha1);
}

/** Splits `git+https://host/owner/repository.git@refs/tags/v1`. */
function splitUri(uri: string | undefined): Pick<Provenance, "source" | "ref"> {
  if (uri === undefined) return { source: undefined, ref: undefined };
  const at = uri.indexOf("@", uri.lastIndexOf("://") + 3);
  const slash = uri.indexOf("/", uri.lastIndexOf("://") + 3);
  if (at < 0 || slash < 0) return { source: withoutGit(uri), ref: undefined };
  if (at < slash) return { source: undefined, ref: undefined }; // a user name before the host
  return { source: withoutGit(uri.slice(0, at)), ref: uri.slice(at + 1) };
}

function withoutGit(uri: string | undefined): string | undefined {
  return uri?.replace(/^git\+/, "").replace(/\.git$/, "");
}

function member(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
