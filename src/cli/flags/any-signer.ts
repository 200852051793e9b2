import { flag } from "../parser/define.ts";

const ANY = "any of several is accepted";

/** The flags of commands that accept any of several signers, in place of those that take one. */
export const anySignerFlags = {
  certificateIdentity: flag.texts(`identity expected in the certificate: an email address or URI; ${ANY}`, {
    typeName: "string",
  }),
  certificateIdentityRegexp: flag.texts(`regular expression (RE2) for the certificate identity; ${ANY}`, {
    typeName: "string",
  }),
  certificateOidcIssuer: flag.texts("OIDC issuer expected in the certificate: one, or one for each identity in order", {
    typeName: "string",
  }),
  certificateOidcIssuerRegexp: flag.texts(
    "regular expression (RE2) for the certificate's OIDC issuer: one, or one for each identity in order",
    { typeName: "string" },
  ),
  key: flag.texts(`key: a file, a URL, env://NAME, or a reference to a key management service; ${ANY}`, {
    typeName: "string",
  }),
};
