import { TsignError } from "../errors.ts";
import { objectAt, textOf } from "../format/json.ts";
import type { Cluster } from "../services/kubernetes.ts";

/** The Provider of OPA Gatekeeper, and what it is kept to. */
interface Kept {
  readonly name: string;
  /** The Service that its URL must name. */
  readonly service: { readonly namespace: string; readonly name: string };
  /** PEM of all certificates that a replica may serve with. */
  readonly trusted: string;
}

/**
 * Writes the service's certificates to `spec.caBundle` of Gatekeeper's Provider, unless they are there. A Provider that does not exist
 * is left out.
 *
 * @returns whether it was written
 * @throws TsignError of the cluster's API; "service" for a Provider with another URL, which would then trust this service in place of
 *   the one that it calls
 */
export async function keepProvider(
  api: Pick<Cluster, "get" | "patch">,
  { name, service, trusted }: Kept,
): Promise<boolean> {
  const path = `/apis/externaldata.gatekeeper.sh/v1beta1/providers/${name}`;
  const provider = await api.get(path);
  if (provider === undefined || trusted === "") return false;
  const { url, caBundle: before } = objectAt(provider, "spec");
  const host = `${service.name}.${service.namespace}.svc`;
  if (URL.parse(textOf(url))?.hostname !== host) {
    throw new TsignError("service", `write ${path} of Kubernetes: its URL is not of ${host}`, {
      hint: `set its url to https://${host}:443/gatekeeper, or leave out --gatekeeper-provider`,
    });
  }
  const caBundle = Buffer.from(trusted, "latin1").toString("base64");
  if (before === caBundle) return false;
  return api.patch(path, [
    { op: "test", path: "/spec/url", value: url },
    { op: "add", path: "/spec/caBundle", value: caBundle },
  ]);
}
