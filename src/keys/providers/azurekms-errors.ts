import { TsignError } from "../../errors.ts";
import { SERVICE } from "./azurekms-client.ts";

const LOOKED =
  "looked in AZURE_TENANT_ID with AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, workload and managed identity, and the Azure " +
  "tools' logins; `az login` makes one";

/** Whether there is no such key, and nothing else is wrong. */
export function isAbsent(error: unknown): boolean {
  return (error as { statusCode?: number }).statusCode === 404;
}

/** What an error of the Azure SDK means, in one line. */
export function readableAzureError(error: unknown, { action, name }: { action: string; name: string }): unknown {
  if (error instanceof TsignError || !(error instanceof Error)) return error;
  const { statusCode, code } = error as { statusCode?: number; code?: string };
  const said = error.message.split("\n", 1)[0]?.slice(0, 400) ?? "";
  const made = (kind: "auth" | "input" | "service" | "network", text: string, hint?: string) =>
    new TsignError(kind, text, { cause: error, hint, status: statusCode });
  if (/CredentialUnavailable|Authentication/.test(error.name)) {
    const [refused = error.name === "AuthenticationError" ? said : ""] = /AADSTS\d+[^\n]*/.exec(error.message) ?? [];
    if (refused === "") return made("auth", `no credentials for ${SERVICE}`, LOOKED);
    return made("auth", `Entra does not accept the credentials: ${refused.slice(0, 200)}`, LOOKED);
  }
  switch (statusCode) {
    case 400:
      return made("input", `${SERVICE} refuses to ${action} with ${name}: ${said}`);
    case 401:
      return made("auth", `${SERVICE} does not accept the credentials`, LOOKED);
    case 403:
      return made("auth", `no permission to ${action} the key ${name} in ${SERVICE}: ${said}`, permissionHint(action));
    case 404:
      return made("input", `no such key in ${SERVICE}: ${name}`);
    case 429:
      return made("service", `${SERVICE} is still throttling after several tries`);
    default:
  }
  if (code && /^E[A-Z]+$|REQUEST_SEND_ERROR/.test(code)) return made("network", `cannot reach ${SERVICE}: ${said}`);
  return made("service", `${SERVICE} cannot ${action} the key ${name}: ${said}`);
}

function permissionHint(action: string): string {
  return action === "create"
    ? "the role Key Vault Crypto Officer, or the access policy's key permission `create`, has it"
    : `the role Key Vault Crypto User, or the access policy's key permission \`${action}\`, has it`;
}
