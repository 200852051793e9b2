import { TsignError } from "../../errors.ts";
import { SERVICE } from "./gcpkms-client.ts";

const LOG_IN =
  "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a credentials file (the metadata " +
  "server was tried too)";

/** Converts an error of Google's client to a TsignError, by its gRPC status code or its message; returns other errors unchanged. */
export function explainGcpError(error: unknown, { action, name }: { action: string; name: string }): unknown {
  if (error instanceof TsignError || !(error instanceof Error)) return error;
  const { code } = error as { code?: number | string };
  const reason = error.message.split("\n", 1)[0]?.slice(0, 400) ?? "";
  const made = (kind: "auth" | "input" | "service" | "network", text: string, hint?: string) =>
    new TsignError(kind, text, { cause: error, hint });
  if (/Could not load the default credentials|Unable to detect a Project Id/.test(reason)) {
    return made("auth", `missing credentials for ${SERVICE}`, LOG_IN);
  }
  if (/ENOENT|does not exist, or it is not a file|not a valid JSON|invalid_grant|invalid_client/.test(reason)) {
    return made("auth", `unusable credentials for ${SERVICE}: ${reason}`, LOG_IN);
  }
  switch (code) {
    case 3:
      return made("input", `${SERVICE} refused ${name}: ${reason}`);
    case 4:
    case 14:
      return made(
        "network",
        `connect to ${SERVICE}: ${reason}`,
        "set https_proxy (in lower case, as gRPC requires) if there is a proxy",
      );
    case 5:
      return made("input", `key not found in ${SERVICE}: ${name}`);
    case 7: {
      const [permission = `cloudkms.*.${action}`] = /cloudkms\.[\w.]+/.exec(reason) ?? [];
      const role = action.endsWith("create") ? "roles/cloudkms.admin" : "roles/cloudkms.signerVerifier";
      return made(
        "auth",
        `${SERVICE} denied permission: ${permission} on ${name}`,
        `grant ${role}, and roles/cloudkms.viewer to list versions`,
      );
    }
    case 8:
      return made("service", `${SERVICE} still limits the request rate after several attempts`);
    case 9:
      return made(
        "input",
        `key ${name} is not usable now: ${reason}`,
        "check that this version is enabled and not destroyed",
      );
    case 16:
      return made("auth", `${SERVICE} refused the credentials`, LOG_IN);
    default:
      return made("service", `${SERVICE} failed for ${name}: ${reason}`);
  }
}
