import { TsignError } from "../../errors.ts";
import { openAttachmentStore, openImage, type RegistryImage } from "../../images/open.ts";
import type { Io } from "../../io/io.ts";
import { baseType, isIndexType } from "../../oci/manifest.ts";
import type { RegistryOptions } from "../../oci/open.ts";
import { parseReference, type Reference } from "../../oci/ref.ts";
import { findCredentials } from "../../oci/registry/keychain.ts";
import { fallbackTag } from "../../oci/tags.ts";
import { type Finding, failed } from "./finding.ts";
import type { Traffic } from "./traffic.ts";

const REACH = "check the address, and that the registry is running";

/** Checks the registry of an image: that it answers, that this user may read there, and how it lists signatures. */
export async function checkRegistry(traffic: Traffic, text: string, registry: RegistryOptions): Promise<Finding[]> {
  const ref = parseReference(text);
  const subject = ref.registry;
  const skipped = (check: Finding["check"], detail: string) => ({ check, subject, state: "skipped", detail }) as const;
  let image: RegistryImage;
  try {
    image = await openImage(traffic.io, text, { registry, mustExist: true });
  } catch (error) {
    const isLogin = error instanceof TsignError && error.code === "auth";
    const isMissing = error instanceof TsignError && error.code === "image-not-found";
    const answers = { check: "registry", subject, state: "ok", detail: "answers" } as const;
    const noImage = skipped("referrers", "needs the image");
    if (isLogin) {
      return [answers, failed({ check: "login", subject }, error, `run \`tsign login ${subject}\``), noImage];
    }
    const hint = isMissing ? "check the name and the tag" : REACH;
    const registryFailed = failed({ check: "registry", subject }, error, hint);
    const login = isMissing
      ? await loginFinding(traffic, ref, registry)
      : skipped("login", "the registry could not be asked");
    return [registryFailed, login, noImage];
  }
  return [
    { check: "registry", subject, state: "ok", detail: `has ${ref.name}@${image.digest}` },
    await loginFinding(traffic, ref, registry),
    await checkReferrers(traffic, image, registry),
  ];
}

/** Describes as whom the registry was read. */
async function loginFinding({ io, exchanges }: Traffic, ref: Reference, registry: RegistryOptions): Promise<Finding> {
  const base = { check: "login", subject: ref.registry, state: "ok" } as const;
  const isAuthorized = exchanges.some(({ url, isAuthorized: sent, status }) => {
    return sent && status !== 401 && url.pathname.startsWith(`/v2/${ref.repository}/`);
  });
  if (!isAuthorized) return { ...base, detail: "not needed: the registry answers without one" };
  return { ...base, detail: `accepted, ${await whose(io, ref, registry)}` };
}

async function whose(io: Io, ref: Reference, registry: RegistryOptions): Promise<string> {
  if (registry.username !== "" && registry.password !== "") return `user ${registry.username}`;
  if (registry.token !== "") return "with --registry-token";
  const found = await findCredentials(io, ref);
  if (found.kind === "password") return `user ${found.username}`;
  if (found.kind !== "anonymous") return "with a stored token";
  return registry.cloudCredentials ? "with the credentials of the cloud" : "without a user name";
}

/** Lists the referrers of the image, and reports how the registry does that. */
async function checkReferrers(
  { io, exchanges }: Traffic,
  image: RegistryImage,
  registry: RegistryOptions,
): Promise<Finding> {
  const { digest } = image;
  try {
    const store = await openAttachmentStore(io, image, registry);
    const base = { check: "referrers", subject: store.name, state: "ok" } as const;
    let count = 0;
    for await (const _ of store.referrers(digest)) count++;
    const path = `/v2/${store.repository?.repository}/referrers/`;
    const asked = exchanges.findLast(({ url }) => url.pathname.startsWith(path));
    const attached = `${count} attached to the image`;
    if (asked?.status === 200 && isIndexType(baseType(asked.type))) {
      return { ...base, detail: `listed by the referrers API, ${attached}` };
    }
    const status = asked?.status === undefined ? "" : ` (status ${asked.status})`;
    return { ...base, detail: `no referrers API${status}; listed under the tag ${fallbackTag(digest)}, ${attached}` };
  } catch (error) {
    return failed(
      { check: "referrers", subject: image.ref.name },
      error,
      "report it to the operator of the registry: signatures cannot be listed",
    );
  }
}
