import type { Io } from "../io/io.ts";
import { Connections, type RegistryOptions } from "../oci/open.ts";
import type { Repository } from "../oci/ref.ts";
import { pullCredentials } from "../oci/registry/pull-secrets.ts";
import { Kept } from "./kept.ts";
import type { Loaded } from "./live-policy.ts";
import type { PullScope } from "./pull-secrets.ts";

/** Most different credentials whose sessions are kept, and how long. Milliseconds. */
const [MOST_REGISTRIES, KEEP] = [500, 10 * 60_000];

/** How registries are asked with the credentials of Pods. */
export class Registries {
  readonly #io: Pick<Io, "env" | "now">;
  readonly #kept = new Kept<RegistryOptions>(MOST_REGISTRIES);

  constructor(io: Pick<Io, "env" | "now">) {
    this.#io = io;
  }

  /**
   * How the registries of an image are asked. What was learnt with credentials is kept under their id, and their sessions apart from
   * the others: what one namespace may read is not an answer for another.
   *
   * @param places where the image may be read
   */
  for(
    loaded: Loaded,
    places: readonly Repository[],
    { id, configs }: PullScope,
  ): { id: string; registry: RegistryOptions } {
    const { registry } = loaded;
    // Signatures in a repository of their own may need credentials that the image's registry does not.
    const isElsewhere = (this.#io.env["COSIGN_REPOSITORY"] ?? "") !== "";
    const isNeeded = isElsewhere || places.some((each) => pullCredentials(configs, each) !== undefined);
    if (id === "" || !isNeeded) return { id: "", registry };
    const key = `${loaded.id} ${id}`;
    const now = this.#io.now().getTime();
    const known = this.#kept.get(key, now);
    if (known) return { id, registry: known };
    const made = { ...registry, pullSecrets: configs, connections: new Connections() };
    this.#kept.set(key, made, now + KEEP);
    return { id, registry: made };
  }
}
