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
 * Returns the services of the signing config (a file, or the one that TUF distributes) or, with --use-signing-config=false,
 * those of the URL flags. Refuses flags that contradict each other, in cosign's order.
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

/** Whether the services come from a signing config and not from URL flags. */
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
      hint: "list the services in a --signing-config file, or add --use-signing-config=false",
    });
  }
  if (!flags.tlogUpload) {
    throw new TsignError("usage", "--tlog-upload=false and a signing config cannot be used together", {
      hint: "replace it with --signing-config FILE: `tsign signing-config create --out FILE` writes one without logs",
    });
  }
  if (!flags.newBundleFormat && flags.format === "" && !(options.bundlePathCounts && flags.bundle !== "")) {
    throw new TsignError("usage", "--new-bundle-format=false and a signing config cannot be used together", {
      hint: "add --use-signing-config=false",
    });
  }
}

/**
 * Refuses Rekor v2 for --format legacy and both: the legacy form cannot contain its log entries. With
 * --new-bundle-format=false, where cosign signs without an entry, it warns.
 */
function requireLegacyLogs(io: Pick<Io, "stderr">, flags: Flags, logs: SigningServices["logs"]): void {
  const newer = logs.find(({ version }) => version !== 1);
  if (!newer || !formsOf(flags, new Set()).legacy) return;
  if (flags.format === "") {
    io.stderr.write(
      `WARNING: the legacy form cannot contain a Rekor v2 log entry (${newer.url.host}): it is stored without one\n`,
    );
    return;
  }
  throw new TsignError("usage", `--format ${flags.format} requires a Rekor v1 log; ${newer.url.host} is Rekor v2`, {
    hint: "list one in a --signing-config file, or pass --rekor-url with --use-signing-config=false",
  });
}

/** Returns the TLS options of the --timestamp-client-* flags. */
async function timestampTls(io: Io, flags: Flags): Promise<TlsOptions | undefined> {
  const read = async (path: string) =>
    path === "" ? undefined : Buffer.from(await readBlob(io, path)).toString("latin1");
  const [ca, cert, key] = await Promise.all(
    [flags.timestampClientCacert, flags.timestampClientCert, flags.timestampClientKey].map(read),
  );
  if ((cert === undefined) !== (key === undefined)) {
    throw new TsignError(
      "usage",
      `--timestamp-client-${cert ? "cert" : "key"} requires --timestamp-client-${cert ? "key" : "cert"}`,
    );
  }
  const serverName = flags.timestampServerName;
  if (!ca && !cert && serverName === "") return undefined;
  return { ...(ca ? { ca } : {}), ...(cert && key ? { cert, key } : {}), ...(serverName ? { serverName } : {}) };
}

/** Builds the error for a signing config without a usable certificate authority. @param reason why those it lists are not usable */
export function noAuthority(reason: string | undefined): TsignError {
  if (!reason) {
    return new TsignError("usage", "the signing config lists no certificate authority (caUrls)", {
      hint: "sign with --key, or pass a --signing-config that lists one",
    });
  }
  return new TsignError("input", `no usable certificate authority in the signing config: ${reason}`, {
    hint: "run `tsign initialize` to fetch the signing config again, and check this machine's clock",
  });
}
