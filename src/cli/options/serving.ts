import { TsignError } from "../../errors.ts";
import type { Io, ListenOptions, ServerTls } from "../../io/io.ts";

/** Flags of a command that serves HTTPS. */
export interface ServingFlags {
  readonly listen: string;
  readonly tlsCert: string;
  readonly tlsKey: string;
  /** `NAMESPACE/NAME` */
  readonly tlsService: string;
  /** Milliseconds. */
  readonly tlsLifetime: number;
  readonly clientCa: string;
}

/** The Service that a cluster calls. */
export interface ServiceName {
  readonly namespace: string;
  readonly name: string;
}

/** Largest certificate and key file, in bytes. */
const MAX_PEM = { maxBytes: 1024 * 1024 };
/** The shortest lifetime of a certificate that is replaced in time. Milliseconds. */
const MIN_LIFETIME = 30_000;

/** Reads where to listen. @throws TsignError "usage" */
export function readAddress({ listen }: ServingFlags): ListenOptions {
  const [, bracketed, plain = "", port = ""] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(listen) ?? [];
  if (port === "" || Number(port) > 65_535) {
    throw new TsignError("usage", `--listen ${listen}: not an address`, {
      hint: "pass a host and a port, such as 0.0.0.0:8443",
    });
  }
  return { host: bracketed ?? (plain === "" ? "0.0.0.0" : plain), port: Number(port) };
}

/** The Service whose certificate is kept. @throws TsignError "usage", also where there is neither a Service nor a certificate */
export function readService({ tlsService, tlsCert, tlsKey, tlsLifetime }: ServingFlags): ServiceName | undefined {
  if (tlsService === "") {
    if (tlsCert !== "" && tlsKey !== "") return undefined;
    throw new TsignError("usage", `missing ${tlsCert === "" ? "--tls-cert" : "--tls-key"}`, {
      hint: "pass --tls-cert and --tls-key, or in a cluster --tls-service: Kubernetes calls webhooks over HTTPS only",
    });
  }
  if (tlsCert !== "" || tlsKey !== "") {
    const other = tlsCert === "" ? "--tls-key" : "--tls-cert";
    throw new TsignError("usage", `--tls-service and ${other} cannot be used together`);
  }
  const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
  const [, namespace, name] = new RegExp(`^(${label})/(${label})$`).exec(tlsService) ?? [];
  if (namespace === undefined || name === undefined) {
    throw new TsignError("usage", `invalid --tls-service: "${tlsService}"`, {
      hint: "pass the namespace and the name of the Service, such as tsign-system/tsign",
    });
  }
  if (tlsLifetime < MIN_LIFETIME) {
    throw new TsignError("usage", "invalid --tls-lifetime: too short to replace certificates in time", {
      hint: `pass ${MIN_LIFETIME / 1000}s or more`,
    });
  }
  return { namespace, name };
}

/** @param isKept whether the service makes its certificate @throws TsignError "usage" */
export function requireProvider(name: string, isKept: boolean): void {
  if (name === "") return;
  if (!/^(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name)) {
    throw new TsignError("usage", `invalid --gatekeeper-provider: "${name}"`, {
      hint: "pass the name of the Provider object, such as tsign",
    });
  }
  if (!isKept) throw new TsignError("usage", "--gatekeeper-provider requires --tls-service");
}

async function readPem(io: Pick<Io, "files">, file: string): Promise<string> {
  return Buffer.from(await io.files.read(file, MAX_PEM)).toString("latin1");
}

/** Reads the certificate chain and the key that are named. @throws TsignError "input" */
export async function readCertificate(io: Pick<Io, "files">, { tlsCert, tlsKey }: ServingFlags): Promise<ServerTls> {
  return { cert: await readPem(io, tlsCert), key: await readPem(io, tlsKey) };
}

/** Reads the CA certificates of clients, if a file is named. @throws TsignError "input" */
export async function readClientCa(
  io: Pick<Io, "files">,
  { clientCa: file }: ServingFlags,
): Promise<Pick<ServerTls, "clientCa">> {
  if (file === "") return {};
  const clientCa = await readPem(io, file);
  if (clientCa.includes("-----BEGIN CERTIFICATE-----")) return { clientCa };
  throw new TsignError("input", `read ${file}: there is no certificate in it`, {
    hint: "pass a PEM file of CA certificates",
  });
}
