import { TsignError, withFields } from "../../errors.ts";
import { readKeyFile } from "../key-file.ts";
import { publicKeyFromPem } from "../public-key.ts";
import { signerFromKey } from "../signer.ts";
import { ask, createService, rateLimited, type Service, textAt } from "./rest.ts";
import type { KeyPair, OpenProvider, ProviderIo } from "./types.ts";

const SERVICE = "GitLab";
const NAMES = {
  password: "COSIGN_PASSWORD",
  privateKey: "COSIGN_PRIVATE_KEY",
  publicKey: "COSIGN_PUBLIC_KEY",
} as const;

/** The project or group of a path. */
interface Owner {
  readonly service: Service;
  readonly kind: "project" | "group";
  readonly variables: string;
}

/**
 * Opens key pairs in the CI/CD variables of a GitLab project or group: `gitlab://PATH`. GITLAB_HOST is the server, and
 * GITLAB_TOKEN an access token with the scope `api`.
 */
export const openGitlab: OpenProvider = (io, reference) => {
  const path = reference.slice("gitlab://".length);
  if (path === "") {
    throw new TsignError("input", `invalid ${SERVICE} reference: ${reference}`, {
      hint: "use gitlab://GROUP/PROJECT or gitlab://ID",
    });
  }
  const read = async (name: string) => readVariable(await findOwner(io, path), name);
  return {
    service: SERVICE,
    publicKey: async () => publicKeyFromPem(await read(NAMES.publicKey)),
    signer: async () => {
      const owner = await findOwner(io, path);
      const password = await readVariable(owner, NAMES.password);
      return signerFromKey(
        await readKeyFile(await readVariable(owner, NAMES.privateKey), async () => Buffer.from(password)),
      );
    },
    facts: async () => {
      const { kind, service } = await findOwner(io, path);
      return { id: `${NAMES.privateKey} of the ${kind} ${path} at ${service.base}` };
    },
    store: async (pair) => storePair(await findOwner(io, path), pair),
  };
};

async function findOwner(io: ProviderIo, path: string): Promise<Owner> {
  const service = connect(io);
  for (const kind of ["project", "group"] as const) {
    const owner = `/api/v4/${kind}s/${encodeURIComponent(path)}`;
    const reply = await ask(service, { path: owner });
    if (reply.status === 200) return { service, kind, variables: `${owner}/variables` };
    if (reply.status !== 404) throw refusal(service, { ...reply, action: `look up ${path}` });
  }
  throw new TsignError("input", `project or group not found at ${service.base}: ${path}`, {
    hint: "check that GITLAB_TOKEN can access it, or set GITLAB_HOST to another server",
    status: 404,
  });
}

function connect(io: ProviderIo): Service {
  const token = io.env["GITLAB_TOKEN"];
  if (!token) {
    throw new TsignError("auth", `missing token for ${SERVICE}: GITLAB_TOKEN is not set`, {
      hint: "set it to an access token with the scope `api` and the role Maintainer",
    });
  }
  const host = io.env["GITLAB_HOST"] || "https://gitlab.com";
  const base = /^https?:\/\//.test(host) ? host : `https://${host}`;
  return createService(io, {
    service: "gitlab",
    name: SERVICE,
    base,
    variable: "GITLAB_HOST",
    headers: { "private-token": token },
  });
}

async function readVariable({ service, kind, variables }: Owner, name: string): Promise<string> {
  const reply = await ask(service, { path: `${variables}/${name}` });
  if (reply.status === 404) {
    throw new TsignError("input", `variable not found in the ${kind}: ${name}`, {
      hint: "run `tsign generate-key-pair gitlab://PATH` to create a key pair there",
    });
  }
  if (reply.status !== 200) throw refusal(service, { ...reply, action: `read the variable ${name}` });
  return textAt(reply.body, "value");
}

/** Creates the variables in cosign's order. An error lists the variables that were created before it. */
async function storePair({ service, kind, variables }: Owner, pair: KeyPair): Promise<string[]> {
  const values = [
    ["password", { value: Buffer.from(pair.password).toString("utf8"), environment_scope: "*" }],
    ["privateKey", { value: pair.privateKey }],
    ["publicKey", { value: pair.publicKey }],
  ] as const;
  const lines: string[] = [];
  for (const [part, value] of values) {
    const key = NAMES[part];
    const json = { key, variable_type: "env_var", masked: false, protected: false, ...value };
    const reply = await ask(service, { path: variables, json });
    if (reply.status >= 300) throw refusal(service, { ...reply, action: `create the variable ${key}`, done: lines });
    lines.push(`${key} written to the variables of the ${kind}`);
  }
  return lines;
}

/** Builds the error for an HTTP status other than success, with `status` and `url`. */
function refusal(
  service: Service,
  failed: { status: number; url: URL; action: string; body?: unknown; done?: readonly string[] },
): TsignError {
  return withFields(errorFor(service, failed), { status: failed.status, url: failed.url });
}

function errorFor(
  service: Service,
  failed: { status: number; action: string; body?: unknown; done?: readonly string[] },
): TsignError {
  const { base } = service;
  const { status, action, done = [] } = failed;
  const after = done.length > 0 ? ` (already written: ${done.join(", ")})` : "";
  if (status === 401)
    return new TsignError("auth", `${SERVICE} (${base}) refused GITLAB_TOKEN (401)`, {
      hint: "set GITLAB_TOKEN to a valid access token with the scope `api`",
    });
  if (status === 403) {
    return new TsignError("auth", `${SERVICE} (${base}) denied permission to ${action} (403)${after}`, {
      hint: "use a token with the scope `api` and the role Maintainer",
    });
  }
  if (status === 429) return rateLimited(service, after);
  if (status === 400 && /taken/.test(JSON.stringify(failed.body ?? ""))) {
    return new TsignError("input", `cannot ${action}: it already exists${after}`, {
      hint: "delete the existing variables first, if that key pair is no longer needed",
    });
  }
  return new TsignError("service", `${SERVICE} (${base}) returned ${status}: cannot ${action}${after}`);
}
