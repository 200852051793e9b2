import { explicit, implicit, oid, sequence, utf8String } from "../pki/der.ts";
import { extension } from "../pki/x509.ts";
import { Refused, textAt, valueAt } from "../server/service.ts";
import type { Claims } from "./token.ts";

const FULCIO = "1.3.6.1.4.1.57264.1";
const USERNAME_DOMAIN = "sandbox.test";
const GITHUB = "https://github.com";
/** Fulcio's message for a token that it refuses. */
export const BAD_TOKEN = "There was an error processing the identity token";

/** The identity in a certificate. */
export interface Identity {
  /** The text that the proof of possession signs. */
  readonly subject: string;
  /** GeneralName for the subject alternative name (RFC 5280 §4.2.1.6). */
  readonly generalName: Buffer;
  /** Fulcio's extensions (fulcio docs/oid-info.md), ordered by number. */
  readonly extensions: readonly Buffer[];
}

/** The issuers that Fulcio accepts. Below `ci` are those of enterprises, as GitHub has one for each: `ci/acme`. */
export interface Issuers {
  readonly people: string;
  readonly ci: string;
}

/** Whether an issuer is for CI jobs: GitHub's, or that of an enterprise. */
export function isForJobs(issuer: unknown, { ci }: Issuers): boolean {
  return (
    typeof issuer === "string" &&
    (issuer === ci || (issuer.startsWith(`${ci}/`) && /^[\w-]+$/.test(issuer.slice(ci.length + 1))))
  );
}

/**
 * Returns the identity in a token of the sandbox's issuers: a person's e-mail address, URI or user name, or the workflow of a CI
 * job.
 *
 * @throws Refused 400 when a claim is missing, or the e-mail address is not verified
 */
export function identityOf(claims: Claims, issuers: Issuers): Identity {
  const issuer = textAt(claims, "iss");
  if (isForJobs(issuer, issuers)) return workflow(claims, issuer);
  const sub = textAt(claims, "sub");
  const extensions = [legacy(1, issuer), current(8, issuer), current(24, sub)];
  const { email } = claims;
  if (typeof email === "string" && email !== "") {
    const verified = valueAt(claims, "email_verified");
    if (verified !== true && verified !== "true")
      throw new Refused(400, `${BAD_TOKEN}: email_verified claim was false`);
    return { subject: email, generalName: implicit(1, Buffer.from(email)), extensions };
  }
  const isUri = /^[a-z][a-z0-9+.-]*:\/\//i.test(sub);
  const generalName = isUri ? implicit(6, Buffer.from(sub)) : userName(`${sub}!${USERNAME_DOMAIN}`);
  return { subject: sub, generalName, extensions };
}

/** Encodes the otherName of type 1.3.6.1.4.1.57264.1.7: `name!domain`. */
function userName(text: string): Buffer {
  return explicit(0, oid(`${FULCIO}.7`), explicit(0, utf8String(text)));
}

/** Encodes an extension with a number from 1 to 6, which contains plain text. */
function legacy(number: number, text: string): Buffer {
  return extension(`${FULCIO}.${number}`, Buffer.from(text));
}

/** Encodes an extension with a number from 8, which contains a DER UTF8String. */
function current(number: number, text: string): Buffer {
  return extension(`${FULCIO}.${number}`, utf8String(text));
}

/** Returns the identity of a GitHub Actions job, with the templates of Fulcio's public configuration. */
function workflow(claims: Claims, issuer: string): Identity {
  const claim = (name: string) => textAt(claims, name);
  const signer = `${GITHUB}/${claim("job_workflow_ref")}`;
  const repository = `${GITHUB}/${claim("repository")}`;
  const values: readonly string[] = [
    signer,
    claim("job_workflow_sha"),
    claim("runner_environment"),
    repository,
    claim("sha"),
    claim("ref"),
    claim("repository_id"),
    `${GITHUB}/${claim("repository_owner")}`,
    claim("repository_owner_id"),
    `${GITHUB}/${claim("workflow_ref")}`,
    claim("workflow_sha"),
    claim("event_name"),
    `${repository}/actions/runs/${claim("run_id")}/attempts/${claim("run_attempt")}`,
    claim("repository_visibility"),
  ];
  const extensions = [
    legacy(1, issuer),
    legacy(2, claim("event_name")),
    legacy(3, claim("sha")),
    legacy(4, claim("workflow")),
    legacy(5, claim("repository")),
    legacy(6, claim("ref")),
    current(8, issuer),
    ...values.map((value, index) => current(9 + index, value)),
    ...(typeof claims["environment"] === "string" ? [current(23, claims["environment"])] : []),
    current(24, claim("sub")),
  ];
  return { subject: claim("sub"), generalName: implicit(6, Buffer.from(signer)), extensions };
}

/** Encodes the SubjectAltName, critical because the certificate has no subject (RFC 5280 §4.1.2.6). */
export function subjectAlternativeName(identity: Identity): Buffer {
  return extension("2.5.29.17", sequence(identity.generalName), { critical: true });
}
