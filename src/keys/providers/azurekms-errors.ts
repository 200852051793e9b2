import { TsignError } from "../../errors.ts";
import { SERVICE } from "./azurekms-client.ts";

const LOG_IN =
  "run `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (workload identity, managed identity and " +
  "the logins of Azure's tools were tried too)";

/** Whether the error means that the key does not exist. */
export function isAbsent(error: unknown): boolean {
  return (error as { statusCode?: number }).statusCode === 404;
}

/** Converts an error of the Azure SDK to a TsignError with a message of one line; returns other errors unchanged. */
export function explainAzureError(error: unknown, { action, name }: { action: string; name: string }): unknown {
  if (error instanceof TsignError || !(error instanceof Error)) return error;
  const { statusCode, code } = error as { statusCode?: number; code?: string };
  const reason = error.message.split("\n", 1)[0]?.slice(0, 400) ?? "";
  const made = (errorCode: "auth" | "input" | "service" | "network", text: string, hint?: string) =>
    new TsignError(errorCode, text, { cause: error, hint, status: statusCode });
  if (/CredentialUnavailable|Authentication/.test(error.name)) {
    const [refused = error.name === "AuthenticationError" ? reason : ""] = /AADSTS\d+[^\n]*/.exec(error.message) ?? [];
    if (refused === "") return made("auth", `missing credentials for ${SERVICE}`, LOG_IN);
    return made("auth", `Microsoft Entra refused the credentials: ${refused.slice(0, 200)}`, LOG_IN);
  }
  switch (statusCode) {
    case 400:
      return made("input", `${SERVICE} refused to ${action} ${name} (400): ${reason}`);
    case 401:
      return made("auth", `${SERVICE} refused the credentials (401)`, LOG_IN);
    case 403:
      return made("auth", `${SERVICE} denied permission to ${action} ${name} (403): ${reason}`, permissionHint(action));
    case 404:
      return made("input", `key not found in ${SERVICE}: ${name}`);
    case 429:
      return made("service", `${SERVICE} still limits the request rate (429) after several attempts`);
    default:
  }
  if (code && /^E[A-Z]+$|REQUEST_SEND_ERROR/.test(code)) return made("network", `connect to ${SERVICE}: ${reason}`);
  return made("service", `${SERVICE} cannot ${action} ${name}: ${reason}`);
}

function permissionHint(action: string): string {
  return action === "create"
    ? "grant the role Key Vault Crypto Officer, or allow the key permission `create` in the access policy"
    : `grant the role Key Vault Crypto User, or allow the key permission \`${action}\` in the access policy`;
}
