import { TsignError, withFields } from "../../errors.ts";
import { encodeBase64 } from "../../format/base64.ts";
import { ask, bytesOf, createService, type Service, textAt } from "./rest.ts";
import type { KeyPair, OpenProvider, ProviderIo } from "./types.ts";

const SERVICE = "GitHub";

/**
 * Key pairs in the Actions secrets of a GitHub repository or organisation: `github://OWNER[/REPO]`. Secrets can be written
 * and not read, so nothing can be signed or verified with such a reference. GITHUB_TOKEN authenticates, GITHUB_HOST is the
 * enterprise server.
 */
export const openGithub: OpenProvider = (io, reference) => {
  const parts = reference.slice("github://".length).split("/");
  if (parts.length > 2 || parts.some((part) => !/^[\w.-]+$/.test(part))) {
    throw new TsignError("input", `${reference} names no repository`, {
      hint: "write github://OWNER or github://OWNER/REPO",
    });
  }
  const [owner = "", repo] = parts;
  const secrets = `/${repo === undefined ? `orgs/${owner}` : `repos/${owner}/${repo}`}/actions/secrets`;
  const writeOnly = async () => {
    throw new TsignError("input", `${reference}: ${SERVICE} never gives a secret back, only its workflows see it`, {
      hint: "in the workflow pass the secret: --key env://COSIGN_PRIVATE_KEY, or env://COSIGN_PUBLIC_KEY to verify",
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
  const box = await ask(service, { path: `${secrets}/public-key` });
  if (box.status !== 200) throw refusal(service, { ...box, owner, action: "read the key for secrets" });
  const publicKey = bytesOf(SERVICE, textAt(box.body, "key"));
  if (publicKey.length !== 32) throw new TsignError("service", `${SERVICE} gave a key for secrets that is none`);
  const { sealedBox } = await import("./sealed-box.ts");
  const values = {
    COSIGN_PASSWORD: pair.password,
    COSIGN_PRIVATE_KEY: Buffer.from(pair.privateKey),
    COSIGN_PUBLIC_KEY: Buffer.from(pair.publicKey),
  };
  const lines: string[] = [];
  for (const [name, value] of Object.entries(values)) {
    const json = { key_id: textAt(box.body, "key_id"), encrypted_value: encodeBase64(sealedBox(io, value, publicKey)) };
    const reply = await ask(service, { method: "PUT", path: `${secrets}/${name}`, json });
    if (reply.status >= 300) throw refusal(service, { ...reply, owner, action: `write the secret ${name}` });
    lines.push(`${name} written to the Actions secrets of ${owner}`);
  }
  return lines;
}

function connect(io: ProviderIo): Service {
  const token = io.env["GITHUB_TOKEN"];
  if (!token) {
    throw new TsignError("auth", `no token for ${SERVICE}: GITHUB_TOKEN is not set`, {
      hint: "a token that may write Actions secrets",
    });
  }
  const host = io.env["GITHUB_HOST"] ?? "";
  const enterprise = /^https?:\/\//.test(host) ? host : `https://${host}`;
  // As go-github makes an enterprise address: /api/v3 is added unless it is there, or the name says api.
  const root = enterprise.replace(/\/+$/, "");
  const base =
    host === "" ? "https://api.github.com" : /\/api\/v3$|\/\/api\.|\.api\./.test(root) ? root : `${root}/api/v3`;
  const headers = { authorization: `Bearer ${token}`, "x-github-api-version": "2022-11-28" };
  return createService(io, { service: "github", name: SERVICE, base, variable: "GITHUB_HOST", headers });
}

/** The error for an answer that is no success, with `status` and `url`. */
function refusal(service: Service, failed: { status: number; url: URL; owner: string; action: string }): TsignError {
  return withFields(explained(service, failed), { status: failed.status, url: failed.url });
}

function explained(
  { base }: Service,
  { status, owner, action }: { status: number; owner: string; action: string },
): TsignError {
  if (status === 401) return new TsignError("auth", `${SERVICE} at ${base} does not accept GITHUB_TOKEN`);
  if (status === 403) {
    return new TsignError("auth", `no permission at ${SERVICE} to ${action} of ${owner}`, {
      hint: "a fine-grained token needs `Secrets: write`, a classic one the scope `repo`, or `admin:org` for organisations",
    });
  }
  if (status === 404) {
    return new TsignError("input", `there is no ${owner} at ${base}, or the token may not see it`, {
      hint: "github://OWNER is an organisation, github://OWNER/REPO a repository",
    });
  }
  if (status === 429) return new TsignError("service", `${SERVICE} is still throttling after several tries`);
  return new TsignError("service", `${SERVICE} answered ${status} to: ${action} of ${owner}`);
}
