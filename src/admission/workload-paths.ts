import { TsignError } from "../errors.ts";

/** A place in an object. */
interface WorkloadPath {
  /** JSON pointer (RFC 6901), in which `*` stands for each item of a list, or each value of an object. */
  readonly pointer: string;
  /** Its reference tokens, unescaped. */
  readonly fields: readonly string[];
}

/** Where custom resources have Pod templates or Pod specifications, by `group/resource`. */
export type Workloads = ReadonlyMap<string, readonly WorkloadPath[]>;

const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
/** The group of a custom resource has at least one dot, and so is none of Kubernetes' own groups with workloads. */
const WORKLOAD = new RegExp(
  `^(?<resource>${LABEL})\\.(?<group>${LABEL}(?:\\.${LABEL})+)=(?<pointer>(?:/(?:\\*|(?:[A-Za-z0-9_.-]|~[01])+))+)$`,
);

/**
 * Reads where custom resources name images.
 *
 * @param texts `RESOURCE.GROUP=POINTER`, several for a resource
 * @throws TsignError "usage"
 */
export function readWorkloads(texts: readonly string[]): Workloads {
  const found = new Map<string, WorkloadPath[]>();
  for (const text of texts) {
    const { resource, group, pointer = "" } = WORKLOAD.exec(text)?.groups ?? {};
    if (resource === undefined || group === undefined) {
      throw new TsignError("usage", `invalid --workload: "${text}"`, {
        hint: "pass a custom resource and the path of its Pod template, such as rollouts.argoproj.io=/spec/template",
      });
    }
    const fields = pointer.slice(1).split("/").map(unescaped);
    const key = `${group}/${resource}`;
    const known = found.get(key) ?? [];
    if (!known.some((each) => each.pointer === pointer)) found.set(key, [...known, { pointer, fields }]);
  }
  return found;
}

/** The name of a resource as the flag and kubectl write it: `rollouts.argoproj.io`. @param key `group/resource` */
export function resourceName(key: string): string {
  const [group = "", resource = ""] = key.split("/");
  return `${resource}.${group}`;
}

/**
 * Whether a manifest of a kind is one of a resource. A manifest has no name of its resource: it is the plural of the kind, as
 * Kubernetes guesses it too.
 *
 * @param kind `group/Kind`
 * @param key `group/resource`
 */
export function isKindOf(kind: string, key: string): boolean {
  const name = kind.toLowerCase();
  return [name, `${name}s`, `${name}es`, name.replace(/y$/, "ies")].includes(key);
}

/** A field's name as a reference token of a JSON pointer. */
export function escaped(field: string): string {
  return field.replaceAll("~", "~0").replaceAll("/", "~1");
}

function unescaped(token: string): string {
  return token.replaceAll("~1", "/").replaceAll("~0", "~");
}
