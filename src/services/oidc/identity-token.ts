import { TsignError, withMessage } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { confirm } from "../../io/prompt.ts";
import { readBlob } from "../../net/input.ts";
import { AMBIENT_PROVIDERS } from "./ambient.ts";
import { noIdentity } from "./ci-systems.ts";
import type { Client } from "./client.ts";
import { givenToken } from "./given-token.ts";
import { type IdentityToken, readIdentityToken, whatIsAround } from "./token.ts";

/** Ways of logging in that `--fulcio-auth-flow` names. */
const FLOWS = ["normal", "device", "token", "client_credentials", "token_exchange", "oob"] as const;
type Flow = (typeof FLOWS)[number];

export interface IdentityTokenOptions {
  /** The token itself, or a file or URL that holds it; empty for none. */
  readonly identityToken: string;
  /** One of FLOWS; empty leaves the choice to tsign. */
  readonly flow: string;
  /** Where to log in; undefined when no service is known for it, which a token at hand does without. */
  readonly issuer: URL | undefined;
  readonly clientId: string;
  readonly clientSecretFile: string;
  readonly redirectUrl: string;
  /** Name of the only ambient provider to use; empty for the first that has a token. */
  readonly provider: string;
  readonly disableAmbient: boolean;
  readonly yes: boolean;
}

/**
 * The signer's identity token, in cosign's order: the one given; an ambient provider's; a login. Without a terminal
 * nothing is opened or waited for unless a flow was asked for by name: it fails at once and says what is missing.
 *
 * @throws TsignError
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
    throw new TsignError("usage", `--fulcio-auth-flow=${flow} needs --identity-token`);
  }
  if (!flow && !io.tty.stdin) throw noIdentity(io);
  return login(io, options, { flow: flow ?? "normal" });
}

function parseFlow(text: string): Flow | undefined {
  if (text === "") return undefined;
  const flow = FLOWS.find((each) => each === text);
  if (!flow) throw new TsignError("usage", `unsupported oauth flow: ${text}`, { hint: FLOWS.join(", ") });
  return flow;
}

/** Reads a token wherever it came from, and says what was left out around it. */
function readToken(io: Io, text: string, source: string): IdentityToken {
  const around = whatIsAround(text);
  if (around !== undefined) io.stderr.write(`WARNING: ${source} holds ${around} besides the token: left out\n`);
  return readIdentityToken(text, { source, now: io.now() });
}

/** The first token that can be had; a provider that is there and fails is told, and the next one tried. */
async function ambientToken(io: Io, only: string): Promise<IdentityToken | undefined> {
  const named = only === "" ? undefined : AMBIENT_PROVIDERS.find(({ name }) => name === only);
  if (only !== "" && !named) {
    const hint = AMBIENT_PROVIDERS.map(({ name }) => name).join(", ");
    throw new TsignError("usage", `${only} is not a valid provider`, { hint });
  }
  let failure: TsignError | undefined;
  for (const provider of named ? [named] : AMBIENT_PROVIDERS) {
    const enabled = await provider.enabled(io);
    if (named && !enabled) throw provider.missing(io);
    if (!enabled) continue;
    try {
      return readToken(io, await provider.token(io), provider.source ?? provider.name);
    } catch (error) {
      if (!(error instanceof TsignError)) throw error;
      failure ??= withMessage(error, `${provider.name}: ${error.message}`);
      if (!named) io.stderr.write(`WARNING: no identity token from ${provider.name}: ${error.message}\n`);
    }
  }
  if (failure) throw failure;
  return undefined;
}

async function login(io: Io, options: IdentityTokenOptions, by: { flow: Flow; subjectToken?: string }) {
  const { issuer } = options;
  if (!issuer) {
    throw new TsignError("usage", "the signing config names no OIDC issuer to log in at", {
      hint: "pass --identity-token, or name an issuer in the signing config (oidcUrls)",
    });
  }
  const client: Client = { issuer, clientId: options.clientId, clientSecret: await readSecret(io, options) };
  const interactive = io.tty.stdin && options.flow === "";
  if (interactive) {
    const warning = "your identity (such as your e-mail address) will be part of public records for ever.";
    await confirm(io, { assumeYes: options.yes, warning });
  }
  const token = await runFlow(io, client, { ...by, redirectUrl: options.redirectUrl });
  return readIdentityToken(token, { source: issuer.host, now: io.now() });
}

async function runFlow(
  io: Io,
  client: Client,
  by: { flow: Flow; subjectToken?: string; redirectUrl: string },
): Promise<string> {
  const flows = () => import("./flows.ts");
  switch (by.flow) {
    case "device":
      return (await flows()).deviceToken(io, client);
    case "client_credentials":
      return (await flows()).clientCredentialsToken(io, client);
    case "token_exchange":
      return (await flows()).exchangedToken(io, client, by.subjectToken ?? "");
    case "oob":
      return (await flows()).outOfBandToken(io, client);
    default:
      return (await import("./browser.ts")).browserToken(io, client, { redirectUrl: by.redirectUrl || undefined });
  }
}

async function readSecret(io: Io, { clientSecretFile: path }: IdentityTokenOptions): Promise<string | undefined> {
  if (path === "") return undefined;
  const bytes = await readBlob(io, path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).trim();
  } catch (cause) {
    throw new TsignError("input", `${path} does not hold a client secret: it is not UTF-8 text`, { cause });
  }
}
