import { TsignError } from "../../errors.ts";
import { SERVICE } from "./gcpkms-client.ts";

const LOOKED =
  "looked in GOOGLE_APPLICATION_CREDENTIALS, gcloud's application default credentials, and the metadata server; " +
  "`gcloud auth application-default login` makes some";

/** What an error of Google's client means: by its gRPC status code, or by its words when no call was made. */
export function readableGcpError(error: unknown, { action, name }: { action: string; name: string }): unknown {
  if (error instanceof TsignError || !(error instanceof Error)) return error;
  const { code } = error as { code?: number | string };
  const said = error.message.split("\n", 1)[0]?.slice(0, 400) ?? "";
  const made = (kind: "auth" | "input" | "service" | "network", text: string, hint?: string) =>
    new TsignError(kind, text, { cause: error, hint });
  if (/Could not load the default credentials|Unable to detect a Project Id/.test(said)) {
    return made("auth", `no credentials for ${SERVICE}`, LOOKED);
  }
  if (/ENOENT|does not exist, or it is not a file|not a valid JSON|invalid_grant|invalid_client/.test(said)) {
    return made("auth", `the credentials for ${SERVICE} cannot be used: ${said}`, LOOKED);
  }
  switch (code) {
    case 3:
      return made("input", `${SERVICE} refuses ${name}: ${said}`);
    case 4:
    case 14:
      return made(
        "network",
        `cannot reach ${SERVICE}: ${said}`,
        "gRPC takes its proxy from https_proxy, in lower case",
      );
    case 5:
      return made("input", `no such key in ${SERVICE}: ${name}`);
    case 7: {
      const [permission = `cloudkms.*.${action}`] = /cloudkms\.[\w.]+/.exec(said) ?? [];
      const role = action.endsWith("create") ? "roles/cloudkms.admin" : "roles/cloudkms.signerVerifier";
      return made(
        "auth",
        `no permission ${permission} on ${name}`,
        `${role} has it; to list versions also roles/cloudkms.viewer`,
      );
    }
    case 8:
      return made("service", `${SERVICE} is still throttling after several tries`);
    case 9:
      return made("input", `the key ${name} cannot be used now: ${said}`, "is this version disabled or destroyed?");
    case 16:
      return made("auth", `${SERVICE} does not accept the credentials`, LOOKED);
    default:
      return made("service", `${SERVICE} fails for ${name}: ${said}`);
  }
}
