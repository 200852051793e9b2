import { readBlob } from "../../blob.ts";
import { TsignError } from "../../errors.ts";
import type { Io } from "../../io.ts";

/** An OIDC identity token. */
export interface IdentityToken {
  readonly raw: string;
  /** What Fulcio's proof of possession is over: the verified e-mail, else the subject. */
  readonly subject: string;
  readonly issuer: string;
  readonly expires: Date | undefined;
  /** Where it came from, for messages. */
  readonly source: string;
}

export interface IdentityTokenOptions {
  readonly identityToken?: string;
  readonly flow?: string;
  readonly issuer: URL;
  readonly clientId: string;
  readonly clientSecretFile?: string;
  readonly redirectUrl?: string;
  readonly provider?: string;
  readonly disableAmbient: boolean;
  readonly yes: boolean;
}

export async function obtainIdentityToken(io: Io, options: IdentityTokenOptions): Promise<IdentityToken> {
  const given = options.identityToken || io.env["SIGSTORE_ID_TOKEN"] || "";
  if (given === "") throw new TsignError("auth", "no identity token", { hint: "--identity-token" });
  const raw =
    given.split(".").length === 3 && given.startsWith("ey")
      ? given
      : Buffer.from(await readBlob(io, given))
          .toString()
          .trim();
  const claims = JSON.parse(Buffer.from(raw.split(".")[1] ?? "", "base64url").toString());
  return {
    raw,
    subject: claims.email || claims.sub,
    issuer: claims.iss,
    expires: undefined,
    source: "--identity-token",
  };
}
