import { TsignError, withMessage } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { confirm } from "../../io/prompt.ts";
import { readBlob } from "../../net/input.ts";
import { AMBIENT_PROVIDERS } from "./ambient.ts";
import { noIdentity } from "./ci-systems.ts";
import type { Client } from "./client.ts";
import { givenToken } from "./given-token.ts";
import { type IdentityToken, readIdentityToken, textAround } from "./token.ts";

/** The values of `--fulcio-auth-flow`. */
const FLOWS = ["normal", "device", "token", "client_credentials", "token_exchange", "oob"] as const;
type Flow = (typeof FLOWS)[number];

export interface IdentityTokenOptions {
  /** A token, or a file or URL with one; empty for none. */
  readonly identityToken: string;
  /** One of FLOWS; empty to let tsign choose. */
  readonly flow: string;
  /** The issuer to log in at; undefined if none is configured, which is an error only if a login is necessary. */
  readonly issuer: URL | undefined;
  readonly clientId: string;
  readonly clientSecretFile: string;
  readonly redirectUrl: string;
  /** The ambient provider to use; empty to use the first one with a token. */
  readonly provider: string;
  readonly disableAmbient: boolean;
  readonly yes: boolean;
  /** Called before a login; an exception ends it. */
  readonly beforeLogin?: ((issuer: URL) => void) | undefined;
}

/**
 * Returns the signer's identity token, from the first of cosign's sources: `identityToken`, an ambient provider, a login.
 * Without a terminal there is no login unless a flow is given; the error says what is missing.
 *
 * @throws TsignError "usage", "input" or "auth" for a missing or unusable token, and what a login throws
 */
export async function obtainIdentityToken(io: Io, options: IdentityTokenOptions): Promise<IdentityToken> {
  const flow = parseFlow(options.flow);
  if (options.identityToken !== "") {
    const { text, source } = await givenToken(io, options.identityToken);
    const given = readToken(io, text, source);
    return flow === "token_exchange" ? login(io, options, { flow, subjectToken: given.raw }) : given;
  }
  if (!options.disableAmbient) {
    const ambient = await ambientToken(io, options.provider);
    if (ambient) return ambient;
  }
  if (flow === "token" || flow === "token_exchange") {
    throw new TsignError("usage", `--fulcio-auth-flow=${flow} requires --identity-token`);
  }
  if (!flow && !io.tty.stdin) throw noIdentity(io);
  return login(io, options, { flow: flow ?? "normal" });
}

function parseFlow(text: string): Flow | undefined {
  if (text === "") return undefined;
  const flow = FLOWS.find((each) => each === text);
  if (!flow)
    throw new TsignError("usage", `unsupported oauth flow: ${text}`, {
      hint: `use one of: ${FLOWS.join(", ")}`,
    });
  return flow;
}

/** Reads a token, and warns about text around it that is ignored. */
function readToken(io: Io, text: string, source: string): IdentityToken {
  const around = textAround(text);
  if (around !== undefined) io.stderr.write(`WARNING: ${source}: ignoring ${around} around the token\n`);
  return readIdentityToken(text, { source, now: io.now() });
}

/**
 * Returns the token of the first provider that has one. A provider that fails gets a warning, and the next one is tried. If all
 * fail, throws the error of the first one.
 */
async function ambientToken(io: Io, selected: string): Promise<IdentityToken | undefined> {
  const named = selected === "" ? undefined : AMBIENT_PROVIDERS.find(({ name }) => name === selected);
  if (selected !== "" && !named) {
    const names = AMBIENT_PROVIDERS.map(({ name }) => name).join(", ");
    throw new TsignError("usage", `${selected} is not a valid provider`, { hint: `use one of: ${names}` });
  }
  const failures: { name: string; error: TsignError }[] = [];
  const warn = ({ name, error }: { name: string; error: TsignError }) =>
    io.stderr.write(`WARNING: no identity token from ${name}: ${error.message}\n`);
  for (const provider of named ? [named] : AMBIENT_PROVIDERS) {
    const enabled = await provider.enabled(io);
    if (named && !enabled) throw provider.missing(io);
    if (!enabled) continue;
    try {
      const token = readToken(io, await provider.token(io), provider.source ?? provider.name);
      failures.forEach(warn);
      return token;
    } catch (error) {
      if (!(error instanceof TsignError)) throw error;
      failures.push({ name: provider.name, error });
    }
  }
  const [first, ...others] = failures;
  others.forEach(warn);
  if (first) throw withMessage(first.error, `${first.name}: ${first.error.message}`);
  return undefined;
}

async function login(io: Io, options: IdentityTokenOptions, request: { flow: Flow; subjectToken?: string }) {
  const { issuer } = options;
  if (!issuer) {
    throw new TsignError("usage", "cannot log in: no OIDC issuer in the signing config", {
      hint: "pass --identity-token, or add an issuer to the signing config (oidcUrls)",
    });
  }
  options.beforeLogin?.(issuer);
  const client: Client = { issuer, clientId: options.clientId, clientSecret: await readSecret(io, options) };
  const interactive = io.tty.stdin && options.flow === "";
  if (interactive) {
    const warning = "your identity, such as your e-mail address, will become part of permanent public records";
    await confirm(io, { assumeYes: options.yes, warning });
  }
  const token = await runFlow(io, client, { ...request, redirectUrl: options.redirectUrl });
  return readIdentityToken(token, { source: issuer.host, now: io.now() });
}

async function runFlow(
  io: Io,
  client: Client,
  request: { flow: Flow; subjectToken?: string; redirectUrl: string },
): Promise<string> {
  const flows = () => import("./flows.ts");
  switch (request.flow) {
    case "device":
      return (await flows()).deviceToken(io, client);
    case "client_credentials":
      return (await flows()).clientCredentialsToken(io, client);
    case "token_exchange":
      return (await flows()).exchangedToken(io, client, request.subjectToken ?? "");
    case "oob":
      return (await flows()).outOfBandToken(io, client);
    default:
      return (await import("./browser.ts")).browserToken(io, client, { redirectUrl: request.redirectUrl || undefined });
  }
}

async function readSecret(io: Io, { clientSecretFile: path }: IdentityTokenOptions): Promise<string | undefined> {
  if (path === "") return undefined;
  const bytes = await readBlob(io, path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).trim();
  } catch (cause) {
    throw new TsignError("input", `read client secret "${path}": not UTF-8 text`, { cause });
  }
}
