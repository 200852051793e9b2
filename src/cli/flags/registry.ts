import type { RegistryOptions } from "../../oci/open.ts";
import { type FlagValues, flag } from "../parser/define.ts";

/** How a registry is reached: shared by every command that talks to one. */
export const registryFlags = {
  allowHttpRegistry: flag.bool("use http for the registry, also where it is not on this machine or a private network", {
    weakens: { when: true, effect: "the registry is reached over http where it does not speak TLS" },
  }),
  allowInsecureRegistry: flag.bool("accept any TLS certificate of the registry, and http", {
    weakens: { when: true, effect: "any TLS certificate of the registry is accepted, and http" },
  }),
  k8sKeychain: flag.bool(
    "also use the credentials that Google, AWS, Azure, Alibaba Cloud and GitHub give for their registries",
  ),
  registryCacert: flag.string(
    "PEM file of authorities trusted for the registry's TLS certificate, in place of the system's",
  ),
  registryClientCert: flag.string("PEM file of a TLS client certificate for the registry"),
  registryClientKey: flag.string("PEM file of that certificate's private key"),
  registryPassword: flag.string("password for the registry", { needs: "registryUsername", secret: true }),
  registryServerName: flag.string("name expected in the registry's TLS certificate"),
  registryToken: flag.string("bearer token for the registry", { secret: true }),
  registryUsername: flag.string("user name for the registry", { needs: "registryPassword" }),
};

/** Deprecated wherever it is. */
export const attachmentTagPrefix = flag.string("prefix of the tags that attachments are kept under", {
  deprecated: "referrers need no tags",
});

/** The flags as the registry layer takes them. */
export function registryOptions(flags: FlagValues<typeof registryFlags>): RegistryOptions {
  return {
    allowInsecure: flags.allowInsecureRegistry,
    allowHttp: flags.allowHttpRegistry,
    username: flags.registryUsername,
    password: flags.registryPassword,
    token: flags.registryToken,
    caFile: flags.registryCacert,
    clientCertFile: flags.registryClientCert,
    clientKeyFile: flags.registryClientKey,
    serverName: flags.registryServerName,
    cloudCredentials: flags.k8sKeychain,
  };
}
