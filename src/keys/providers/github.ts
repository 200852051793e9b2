import { TsignError, withFields } from "../../errors.ts";
import { encodeBase64 } from "../../format/base64.ts";
import { ask, bytesOf, createService, rateLimited, type Service, textAt } from "./rest.ts";
import type { KeyPair, OpenProvider, ProviderIo } from "./types.ts";

const SERVICE = "GitHub";

/**
 * Stores key pairs in the Actions secrets of a GitHub repository or organisation: `github://OWNER[/REPO]`. Secrets cannot be
 * read back, so such a reference can neither sign nor verify. GITHUB_TOKEN authenticates, and GITHUB_HOST is the enterprise
 * server.
 */
export const openGithub: OpenProvider = (io, reference) => {
  const parts = reference.slice("github://".length).split("/");
  if (parts.length > 2 || parts.some((part) => !/^[\w.-]+$/.test(part))) {
    throw new TsignError("input", `invalid ${SERVICE} reference: ${reference}`, {
      hint: "use github://OWNER or github://OWNER/REPO",
    });
  }
  const [owner = "", repo] = parts;
  const secrets = `/${repo === undefined ? `orgs/${owner}` : `repos/${owner}/${repo}`}/actions/secrets`;
  const writeOnly = async () => {
    throw new TsignError("input", `${reference}: ${SERVICE} does not return secrets; only workflows can read them`, {
      hint: "use --key env://COSIGN_PRIVATE_KEY in the workflow, or env://COSIGN_PUBLIC_KEY to verify",
    });
  };
  return {
    service: SERVICE,
    publicKey: writeOnly,
    signer: writeOnly,
    facts: writeOnly,
    store: async (pair) => storePair(io, { secrets, pair, owner: parts.join("/") }),
  };
};

async function storePair(
  io: ProviderIo,
  { secrets, pair, owner }: { secrets: string; pair: KeyPair; owner: string },
): Promise<string[]> {
  const service = connect(io);
  const encryption = await ask(service, { path: `${secrets}/public-key` });
  if (encryption.status !== 200)
    throw refusal(service, { ...encryption, owner, action: "read the public key for secrets" });
  const publicKey = bytesOf(SERVICE, textAt(encryption.body, "key"));
  if (publicKey.length !== 32)
    throw new TsignError("service", `${SERVICE} (${service.base}) returned an invalid public key for secrets`);
  const { sealedBox } = await import("./sealed-box.ts");
  const values = {
    COSIGN_PASSWORD: pair.password,
    COSIGN_PRIVATE_KEY: Buffer.from(pair.privateKey),
    COSIGN_PUBLIC_KEY: Buffer.from(pair.publicKey),
  };
  const lines: string[] = [];
  for (const [name, value] of Object.entries(values)) {
    const json = {
      key_id: textAt(encryption.body, "key_id"),
      encrypted_value: encodeBase64(sealedBox(io, value, publicKey)),
    };
    const reply = await ask(service, { method: "PUT", path: `${secrets}/${name}`, json });
    if (reply.status >= 300) throw refusal(service, { ...reply, owner, action: `write the secret ${name}` });
    lines.push(`${name} written to the Actions secrets of ${owner}`);
  }
  return lines;
}

function connect(io: ProviderIo): Service {
  const token = io.env["GITHUB_TOKEN"];
  if (!token) {
    throw new TsignError("auth", `missing token for ${SERVICE}: GITHUB_TOKEN is not set`, {
      hint: "set it to a token that may write Actions secrets",
    });
  }
  const host = io.env["GITHUB_HOST"] ?? "";
  const enterprise = /^https?:\/\//.test(host) ? host : `https://${host}`;
  // As in go-github, /api/v3 is added to an enterprise address unless it is already there or the host name contains "api.".
  const root = enterprise.replace(/\/+$/, "");
  const base =
    host === "" ? "https://api.github.com" : /\/api\/v3$|\/\/api\.|\.api\./.test(root) ? root : `${root}/api/v3`;
  const headers = { authorization: `Bearer ${token}`, "x-github-api-version": "2022-11-28" };
  return createService(io, { service: "github", name: SERVICE, base, variable: "GITHUB_HOST", headers });
}

/** Builds the error for an HTTP status other than success, with `status` and `url`. */
function refusal(service: Service, failed: { status: number; url: URL; owner: string; action: string }): TsignError {
  return withFields(errorFor(service, failed), { status: failed.status, url: failed.url });
}

function errorFor(
  service: Service,
  { status, owner, action }: { status: number; owner: string; action: string },
): TsignError {
  const { base } = service;
  if (status === 401)
    return new TsignError("auth", `${SERVICE} (${base}) refused GITHUB_TOKEN (401)`, {
      hint: "set GITHUB_TOKEN to a valid token that may write Actions secrets",
    });
  if (status === 403) {
    return new TsignError("auth", `${SERVICE} (${base}) denied permission to ${action} of ${owner} (403)`, {
      hint: "use a fine-grained token with `Secrets: write`, or a classic one with the scope `repo` (`admin:org` for organisations)",
    });
  }
  if (status === 404) {
    return new TsignError("input", `${owner} not found at ${base}, or hidden from the token`, {
      hint: "use github://OWNER/REPO for a repository, and github://OWNER for an organisation",
    });
  }
  if (status === 429) return rateLimited(service);
  return new TsignError("service", `${SERVICE} (${base}) returned ${status}: cannot ${action} of ${owner}`);
}
