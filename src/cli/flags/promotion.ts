import { type Flag, flag } from "../parser/define.ts";
import { keyFlags } from "./key.ts";
import { signingFlags } from "./signing.ts";

/** A flag that says how the decision is signed. */
const forSummary = <F extends Flag>(each: F): F => ({ ...each, needs: each.needs ?? "attestDecision" });

/** The flags of `copy` that attest the decision of a trust policy. */
export const promotionFlags = {
  attestDecision: flag.bool(
    "attest the decision of --trust-policy as a SLSA verification summary (VSA) beside the copy",
  ),
  attestAgain: forSummary(
    flag.bool("attest the decision also if an equal summary is stored with the copy, which renews its time"),
  ),
  verifierId: forSummary(flag.string("URI of the verifier in the verification summary")),
  policyUri: forSummary(
    flag.string("URI of the trust policy in the verification summary; default the URL of --trust-policy"),
  ),
  key: forSummary(keyFlags.key),
  sk: forSummary(keyFlags.sk),
  slot: forSummary(keyFlags.slot),
  certificate: forSummary(signingFlags.certificate),
  certificateChain: forSummary(signingFlags.certificateChain),
  fulcioAuthFlow: forSummary(signingFlags.fulcioAuthFlow),
  identityToken: forSummary(signingFlags.identityToken),
  oidcClientId: forSummary(signingFlags.oidcClientId),
  oidcClientSecretFile: forSummary(signingFlags.oidcClientSecretFile),
  oidcDisableAmbientProviders: forSummary(signingFlags.oidcDisableAmbientProviders),
  oidcProvider: forSummary(signingFlags.oidcProvider),
  oidcRedirectUrl: forSummary(signingFlags.oidcRedirectUrl),
  signingConfig: forSummary(signingFlags.signingConfig),
  timestampClientCacert: forSummary(signingFlags.timestampClientCacert),
  timestampClientCert: forSummary(signingFlags.timestampClientCert),
  timestampClientKey: forSummary(signingFlags.timestampClientKey),
  timestampServerName: forSummary(signingFlags.timestampServerName),
  trustedRoot: forSummary(signingFlags.trustedRoot),
  yes: forSummary(signingFlags.yes),
};
