import { TsignError } from "../../errors.ts";
import type { Io, TlsOptions } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import { distributedTarget } from "../../services/trust/sources.ts";
import { type SigningServices, servicesOfConfig } from "../../sign/services.ts";
import { signingFlags } from "../flags/signing.ts";
import type { FlagValues } from "../parser/define.ts";
import { formsOf } from "./forms.ts";
import { parseServiceUrl } from "./service-url.ts";
import { orWithoutMirror } from "./unreachable.ts";

type Flags = Omit<FlagValues<typeof signingFlags>, "outputCertificate" | "outputSignature">;

/**
 * The services a signing is to use: those of the signing config (a file, or the one that TUF distributes), or, with
 * --use-signing-config=false, those of the URL flags. What contradicts is refused, in cosign's order.
 *
 * @param options.bundlePathCounts whether --bundle makes the legacy form possible with a signing config
 * @param options.certified whether a certificate will be issued
 * @throws TsignError
 */
export async function readSigningServices(
  io: Io,
  flags: Flags,
  options: { bundlePathCounts: boolean; certified: boolean },
): Promise<SigningServices> {
  if (!usesSigningConfig(flags)) return servicesOfFlags(io, flags);
  refuseContradictions(flags, options);
  const bytes =
    flags.signingConfig === ""
      ? await orWithoutMirror(() => distributedTarget(io, "signing_config.v0.2.json"), {
          operation: "fetch the signing config",
          hint: options.certified
            ? "pass --signing-config FILE and --trusted-root FILE, for services that this machine can reach"
            : "to sign without any service, run `tsign signing-config create --out sc.json` and add --signing-config sc.json",
        })
      : await readBlob(io, flags.signingConfig);
  const name = flags.signingConfig || "the distributed signing config";
  const services = servicesOfConfig(io, bytes, { name });
  requireLegacyLogs(io, flags, services.logs);
  const tls = await timestampTls(io, flags);
  return { ...services, timestampAuthorities: services.timestampAuthorities.map(({ url }) => ({ url, tls })) };
}

/** Whether a signing config names the services, and not the URL flags. */
export function usesSigningConfig(flags: Pick<Flags, "useSigningConfig" | "signingConfig">): boolean {
  return flags.useSigningConfig || flags.signingConfig !== "";
}

async function servicesOfFlags(io: Io, flags: Flags): Promise<SigningServices> {
  const timestamps = flags.timestampServerUrl;
  const tls = await timestampTls(io, flags);
  return {
    certificateAuthority: parseServiceUrl(flags.fulcioUrl, "fulcioUrl"),
    oidcIssuer: parseServiceUrl(flags.oidcIssuer, "oidcIssuer"),
    logs: flags.tlogUpload ? [{ url: parseServiceUrl(flags.rekorUrl, "rekorUrl"), version: 1 }] : [],
    timestampAuthorities: timestamps === "" ? [] : [{ url: parseServiceUrl(timestamps, "timestampServerUrl"), tls }],
  };
}

function refuseContradictions(flags: Flags, options: { bundlePathCounts: boolean }): void {
  const changed = (["rekorUrl", "fulcioUrl", "oidcIssuer", "timestampServerUrl"] as const).filter(
    (name) => flags[name] !== signingFlags[name].default,
  );
  if (changed.length > 0) {
    throw new TsignError("usage", "cannot specify service URLs and use signing config", {
      hint: "name the services in a --signing-config file, or add --use-signing-config=false",
    });
  }
  if (!flags.tlogUpload) {
    throw new TsignError("usage", "--tlog-upload=false contradicts the signing config, which says what is logged", {
      hint: "add --use-signing-config=false, or pass a --signing-config without logs",
    });
  }
  if (!flags.newBundleFormat && flags.format === "" && !(options.bundlePathCounts && flags.bundle !== "")) {
    throw new TsignError("usage", "the legacy form (--new-bundle-format=false) cannot be made with a signing config", {
      hint: "add --use-signing-config=false",
    });
  }
}

/**
 * An entry of Rekor v2 has no place in the legacy form: without it, who verifies that form would be told "not logged". With
 * --new-bundle-format=false, where cosign makes such a signature, that is said.
 */
function requireLegacyLogs(io: Pick<Io, "stderr">, flags: Flags, logs: SigningServices["logs"]): void {
  const newer = logs.find(({ version }) => version !== 1);
  if (!newer || !formsOf(flags, new Set()).legacy) return;
  if (flags.format === "") {
    io.stderr.write(
      `WARNING: the legacy form cannot hold the log entry of Rekor v2 at ${newer.url.host}: it will have none\n`,
    );
    return;
  }
  throw new TsignError("usage", `--format ${flags.format} needs a log of Rekor v1, and ${newer.url.host} is none`, {
    hint: "name one in a --signing-config file, or by --rekor-url with --use-signing-config=false",
  });
}

/** TLS of the timestamp authority, from the --timestamp-client-* flags. */
async function timestampTls(io: Io, flags: Flags): Promise<TlsOptions | undefined> {
  const read = async (path: string) =>
    path === "" ? undefined : Buffer.from(await readBlob(io, path)).toString("latin1");
  const [ca, cert, key] = await Promise.all(
    [flags.timestampClientCacert, flags.timestampClientCert, flags.timestampClientKey].map(read),
  );
  if ((cert === undefined) !== (key === undefined)) {
    throw new TsignError("usage", "--timestamp-client-cert and --timestamp-client-key need one another");
  }
  const serverName = flags.timestampServerName;
  if (!ca && !cert && serverName === "") return undefined;
  return { ...(ca ? { ca } : {}), ...(cert && key ? { cert, key } : {}), ...(serverName ? { serverName } : {}) };
}

/** The error for a signing config without a certificate authority that can be used. @param reason why, where it names some */
export function noAuthority(reason: string | undefined): TsignError {
  if (!reason) {
    return new TsignError("usage", "the signing config names no certificate authority", {
      hint: "sign with --key, or name one in the signing config (caUrls)",
    });
  }
  return new TsignError("input", `no certificate authority of the signing config can be used: ${reason}`, {
    hint: "`tsign initialize` fetches the distributed signing config again; is this machine's clock right?",
  });
}
