import * as openid from "openid-client";
import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { readStdinLine } from "../../io/stdin.ts";
import type { TransportIo } from "../../net/retry.ts";
import { asTsignErrors, type Client, discover, identityTokenOf, SCOPE } from "./client.ts";

export type FlowIo = TransportIo & Pick<Io, "stderr" | "stdin" | "tty">;

const OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob";

/**
 * Logs in without a browser on this machine: the user logs in elsewhere and types, or pipes in, the code that the issuer
 * shows. PKCE binds the code to this run.
 *
 * @returns the identity token, a JWT
 * @throws TsignError "cancelled" for no code, "auth" or "service" of the issuer, and what the transport throws
 */
export async function outOfBandToken(io: FlowIo, client: Client): Promise<string> {
  const configuration = await discover(io, client);
  const verifier = openid.randomPKCECodeVerifier();
  const nonce = openid.randomNonce();
  const url = openid.buildAuthorizationUrl(configuration, {
    redirect_uri: OUT_OF_BAND,
    scope: SCOPE,
    code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    nonce,
    access_type: "online",
  });
  for (const line of ["Go to the following link in a browser:", "", `\t${url.href}`, ""])
    io.stderr.write(`${line}\n`, { always: true });
  const code = (await askForCode(io)).trim();
  if (code === "") throw new TsignError("cancelled", "no verification code was entered");
  const answer = new URL(OUT_OF_BAND);
  // The user copies the code only. The library also checks `iss` for issuers that add it to redirects (RFC 9207), so it is
  // added here; the user chose the page, and PKCE binds the code to this run.
  answer.search = new URLSearchParams({ code, iss: configuration.serverMetadata().issuer }).toString();
  return asTsignErrors(client.issuer, async () => {
    const checks = { pkceCodeVerifier: verifier, expectedNonce: nonce, idTokenExpected: true };
    return identityTokenOf(client.issuer, await openid.authorizationCodeGrant(configuration, answer, checks));
  });
}

async function askForCode(io: FlowIo): Promise<string> {
  if (io.tty.stdin) return io.tty.prompt("Enter verification code: ", { secret: false });
  io.stderr.write("Enter verification code: ", { always: true });
  const line = await readStdinLine(io);
  io.stderr.write("\n", { always: true });
  return line;
}

/**
 * Logs in with the device flow (RFC 8628): the user approves a short code in any browser, while this run polls the issuer.
 *
 * @returns the identity token, a JWT
 * @throws TsignError "auth" or "service" of the issuer, and what the transport throws
 */
export async function deviceToken(io: FlowIo, client: Client): Promise<string> {
  const configuration = await discover(io, client);
  return asTsignErrors(client.issuer, async () => {
    const started = await openid.initiateDeviceAuthorization(configuration, { scope: SCOPE });
    const where = started.verification_uri_complete ?? started.verification_uri;
    io.stderr.write(`Enter the verification code ${started.user_code} in your browser at: ${where}\n`, {
      always: true,
    });
    io.stderr.write(`Code will be valid for ${started.expires_in} seconds\n`, { always: true });
    const { signal } = io;
    const answer = await openid.pollDeviceAuthorizationGrant(configuration, started, undefined, { signal });
    io.stderr.write("Token received!\n", { always: true });
    return identityTokenOf(client.issuer, answer);
  });
}

/** Gets an identity token for the client itself (RFC 6749 §4.4), from issuers that support that. Throws as `deviceToken`. */
export async function clientCredentialsToken(io: FlowIo, client: Client): Promise<string> {
  const configuration = await discover(io, client);
  return asTsignErrors(client.issuer, async () => {
    const answer = await openid.clientCredentialsGrant(configuration, { scope: SCOPE });
    return identityTokenOf(client.issuer, answer);
  });
}

/** Exchanges an identity token of another issuer for one of this issuer (RFC 8693 §2.1). Throws as `deviceToken`. */
export async function exchangedToken(io: FlowIo, client: Client, subjectToken: string): Promise<string> {
  const configuration = await discover(io, client);
  return asTsignErrors(client.issuer, async () => {
    const idToken = "urn:ietf:params:oauth:token-type:id_token";
    const answer = await openid.genericGrantRequest(configuration, "urn:ietf:params:oauth:grant-type:token-exchange", {
      subject_token: subjectToken,
      subject_token_type: idToken,
      requested_token_type: idToken,
      scope: SCOPE,
      audience: client.clientId,
    });
    // By RFC 8693 §2.2.1 every type of token is returned in access_token.
    const { issued_token_type: type, access_token: token } = answer;
    return type === idToken ? token : identityTokenOf(client.issuer, answer);
  });
}
